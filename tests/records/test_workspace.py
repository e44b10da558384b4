"""Records: written as they happen, read back equal, found, deleted, restored, and safe from all
that goes wrong.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event

from eyetune.errors import RunBusyError, RunNotFoundError, UsageError, WorkspaceError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace, database, query, schema
from eyetune.records.run import DataRecord, Results
from eyetune.values.history import Epoch
from eyetune.values.network import Layer, Network

NETWORK = Network((8, 8, 3), (Layer("dense", "Dense", "relu", (10,), 1930, 1920, 10),), 1930)
DATA = DataRecord("tiny", "/images", "abc", ("cat", "dog"), (8, 8, 3), 60, 20, 20, ("a note",))
RESULTS = Results(2, 0.5, 0.8, 0.6, 0.75)


def epoch(number: int, accuracy: float = 0.5) -> Epoch:
    return Epoch(number, 1.0, accuracy, 1.1, accuracy, 0.001, 2.0, 500.0)


def add_run(workspace: Workspace, *, name: str = "", recipe: Recipe | None = None) -> RunRecord:
    return workspace.runs.create(
        recipe=recipe or Recipe(),
        data=DATA,
        network=NETWORK,
        seed=7,
        precision="float32",
        name=name,
    )


def add_complete(workspace: Workspace, accuracy: float, **options: object) -> RunRecord:
    run = add_run(workspace, **options)  # type: ignore[arg-type]
    workspace.runs.save_epochs(run.id, [epoch(1, accuracy)])
    results = replace(RESULTS, validation_accuracy=accuracy)
    workspace.runs.set_state(run.id, RunState.COMPLETE, results=results)
    return workspace.runs.get(run.id)


def test_a_run_is_read_back_as_it_was_written(workspace: Path) -> None:
    recipe = Recipe().with_({"model.blocks.0.activation": "tanh"})
    run = add_run(Workspace(workspace), name="first", recipe=recipe)
    again = Workspace(workspace).runs.get(run.id)
    assert again == run
    assert (again.recipe, again.data, again.network) == (recipe, DATA, NETWORK)
    assert (again.seed, again.name, again.precision) == (7, "first", "float32")
    assert Recipe.load(Workspace(workspace).runs.folder(run.id) / "recipe.toml") == recipe


def test_epochs_are_kept_in_order_and_replaced_when_saved_again(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    for one in (epoch(2), epoch(1), epoch(2, accuracy=0.9)):
        records.runs.save_epochs(run.id, [one])
    assert Workspace(workspace).runs.history(run.id) == (epoch(1), epoch(2, accuracy=0.9))
    read = records.runs.get(run.id)
    assert (read.num_epochs_done, read.duration_seconds) == (2, 4.0)
    assert read.images_per_second == pytest.approx(500)


def test_states_and_results_are_recorded(workspace: Path) -> None:
    records = Workspace(workspace)
    complete, failed = add_run(records), add_run(records)
    records.runs.set_state(complete.id, RunState.COMPLETE, results=RESULTS)
    records.runs.set_state(failed.id, RunState.FAILED, error="it diverged")
    assert records.runs.get(complete.id).results == RESULTS
    assert records.runs.get(failed.id).error == "it diverged"
    assert [run.state for run in records.runs.all()] == [RunState.COMPLETE, RunState.FAILED]


def test_a_run_whose_process_is_gone_shows_as_paused(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    assert records.runs.get(run.id).state is RunState.PAUSED
    with records.runs.claim(run.id):
        assert Workspace(workspace).runs.get(run.id).state is RunState.RUNNING


def test_two_cannot_claim_one_run(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    with (
        records.runs.claim(run.id),
        pytest.raises(RunBusyError, match=run.id),
        Workspace(workspace).runs.claim(run.id),
    ):
        pass
    with records.runs.claim(run.id):
        pass


def test_killing_a_writer_loses_nothing_that_was_committed(workspace: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.records.test_workspace import add_run, epoch
from eyetune.records import Workspace
records = Workspace(sys.argv[1])
run = add_run(records)
for number in range(1, 100):
    records.runs.save_epochs(run.id, [epoch(number)])
    print(number, flush=True)
"""
    words = [sys.executable, "-c", program, str(workspace), str(Path(__file__).parents[2])]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        printed = [int(writer.stdout.readline()) for _ in range(5)]
        writer.kill()
    records = Workspace(workspace)
    (run,) = records.runs.all()
    assert run.state is RunState.PAUSED
    assert [one.epoch for one in records.runs.history(run.id)][: len(printed)] == printed


@pytest.mark.parametrize("reference", ["id", "prefix", "PREFIX", "name", "latest"])
def test_a_run_is_found_by(workspace: Path, reference: str) -> None:
    records = Workspace(workspace)
    add_run(records, name="older")
    run = add_run(records, name="the one")
    words = {
        "id": run.id,
        "prefix": run.id[:6],
        "PREFIX": run.id[:6].upper(),
        "name": "the one",
        "latest": "latest",
    }
    assert records.runs.find(words[reference]).id == run.id


def test_an_unknown_run_is_refused_with_the_newest_named(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    with pytest.raises(RunNotFoundError) as caught:
        records.runs.find("zzzz")
    assert run.id in str(caught.value.fix)
    with pytest.raises(RunNotFoundError):
        records.runs.find("")


def test_an_ambiguous_run_is_refused_with_the_candidates(workspace: Path) -> None:
    records = Workspace(workspace)
    one, two = add_run(records, name="twin"), add_run(records, name="twin")
    with pytest.raises(RunNotFoundError, match="Several runs match twin") as caught:
        records.runs.find("twin")
    assert one.id in str(caught.value.received)
    assert two.id in str(caught.value.received)


def test_a_deleted_run_is_hidden_until_restored_and_gone_once_purged(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    records.runs.save_epochs(run.id, [epoch(1)])
    records.runs.delete(run.id)
    assert records.runs.all() == []
    assert [one.id for one in records.runs.all(deleted=True)] == [run.id]
    records.runs.restore(run.id)
    assert [one.id for one in records.runs.all()] == [run.id]
    records.runs.purge(run.id)
    assert records.runs.all() == records.runs.all(deleted=True) == []
    assert records.runs.history(run.id) == ()
    assert not records.runs.folder(run.id).exists()


def test_a_deleted_run_is_pointed_to_restore(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    records.runs.delete(run.id)
    with pytest.raises(RunNotFoundError, match="is deleted"):
        records.runs.find(run.id)


def test_a_run_that_is_being_trained_cannot_be_deleted(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    with records.runs.claim(run.id):
        for remove in (records.runs.delete, records.runs.purge):
            with pytest.raises(RunBusyError):
                remove(run.id)
    assert [one.id for one in records.runs.all()] == [run.id]


def test_predictions_are_kept_by_split(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    assert records.predictions.load(run.id, "test") is None
    probabilities, labels = np.array([[0.25, 0.75]], np.float32), np.array([1])
    records.predictions.save(run.id, "test", probabilities, labels)
    stored = records.predictions.load(run.id, "test")
    assert stored is not None
    np.testing.assert_array_equal(stored[0], probabilities)
    np.testing.assert_array_equal(stored[1], labels)
    (records.runs.folder(run.id) / "test-predictions.npz").write_bytes(b"broken")
    with pytest.raises(WorkspaceError, match="test predictions"):
        records.predictions.load(run.id, "test")


def test_the_migrations_make_the_schema_that_the_code_uses(workspace: Path) -> None:
    Workspace(workspace).prepare()
    engine = create_engine(f"sqlite:///{workspace / database.FILE_NAME}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == schema.VERSION
        assert compare_metadata(context, schema.metadata) == []
    scripts = ScriptDirectory(str(Path(database.__file__).parent / "migrations"))
    assert scripts.get_current_head() == schema.VERSION


def test_a_workspace_of_a_newer_version_is_refused_untouched(workspace: Path) -> None:
    add_run(Workspace(workspace))
    path = workspace / database.FILE_NAME
    with sqlite3.connect(path) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    before = path.read_bytes()
    with pytest.raises(WorkspaceError, match="newer eyetune") as caught:
        Workspace(workspace).runs.all()
    assert "9999" in str(caught.value.received)
    assert path.read_bytes() == before


def test_a_foreign_database_is_refused_untouched(workspace: Path) -> None:
    workspace.mkdir()
    path = workspace / database.FILE_NAME
    with sqlite3.connect(path) as connection:
        connection.execute("create table other (x)")
    before = path.read_bytes()
    with pytest.raises(WorkspaceError, match="not a database of eyetune"):
        Workspace(workspace).runs.all()
    assert path.read_bytes() == before


def test_a_damaged_database_is_refused_untouched(workspace: Path) -> None:
    workspace.mkdir()
    path = workspace / database.FILE_NAME
    path.write_bytes(b"this is no database, and never was one" * 100)
    with pytest.raises(WorkspaceError, match="damaged or not a database"):
        Workspace(workspace).runs.all()
    assert path.read_bytes().startswith(b"this is no database")


def test_an_unwritable_workspace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WorkspaceError, match="cannot be created") as caught:
        Workspace(tmp_path / "file" / "workspace").prepare()
    assert "--workspace" in str(caught.value.fix)


def test_looking_at_a_workspace_that_is_not_there_leaves_no_trace(workspace: Path) -> None:
    assert Workspace(workspace).runs.all() == []
    with pytest.raises(RunNotFoundError, match="No run matches 'latest'"):
        Workspace(workspace).runs.find("latest")
    assert not workspace.exists()


def test_writing_to_a_full_disk_is_explained(workspace: Path) -> None:
    Workspace(workspace).prepare()
    with sqlite3.connect(workspace / database.FILE_NAME) as connection:
        pages = connection.execute("pragma page_count").fetchone()[0]

    def forbid_growth(raw: sqlite3.Connection, _: object) -> None:
        raw.execute(f"pragma max_page_count = {pages}")

    def fill() -> None:
        for _ in range(50):
            add_run(records)

    # SQLite answers a file that may not grow as it answers a full disk.
    event.listen(Engine, "connect", forbid_growth)
    try:
        records = Workspace(workspace)
        with pytest.raises(WorkspaceError, match="the disk is full"):
            fill()
    finally:
        event.remove(Engine, "connect", forbid_growth)


def test_runs_are_filtered_by_figures_and_recipe_values(workspace: Path) -> None:
    records = Workspace(workspace)
    good = add_complete(records, 0.8, name="good")
    poor = add_complete(records, 0.4, recipe=Recipe().with_(optimizer__name="sgd"))
    unfinished = add_run(records)
    runs = records.runs.all()

    def ids(*conditions: str) -> list[str]:
        return [run.id for run in query.choose(runs, conditions)]

    assert ids("validation_accuracy>0.5") == [good.id]
    assert ids("validation_accuracy <= 0.5") == [poor.id]
    assert ids("optimizer.name=sgd") == [poor.id]
    assert ids("state=COMPLETE", "optimizer.name!=sgd") == [good.id]
    assert ids("name=good") == [good.id]
    assert ids("model.batch_norm=false", "epochs=0") == [unfinished.id]
    assert ids("data=tiny", "parameters=1930") == [good.id, poor.id, unfinished.id]


@pytest.mark.parametrize("condition", ["validation_acuracy>0.5", "nonsense", "epochs>many", ">3"])
def test_a_filter_that_cannot_be_met_is_refused(workspace: Path, condition: str) -> None:
    records = Workspace(workspace)
    add_complete(records, 0.8)
    with pytest.raises(UsageError):
        query.choose(records.runs.all(), [condition])


def test_runs_are_sorted_with_those_that_lack_the_figure_last(workspace: Path) -> None:
    records = Workspace(workspace)
    middle, unfinished, best = (
        add_complete(records, 0.6),
        add_run(records),
        add_complete(records, 0.8),
    )
    ordered = query.order(records.runs.all(), "validation_accuracy", descending=True)
    assert [run.id for run in ordered] == [best.id, middle.id, unfinished.id]
    with pytest.raises(UsageError, match="no loss"):
        query.order(records.runs.all(), "loss")


def test_runs_of_the_same_recipe_data_and_seed_are_found(workspace: Path) -> None:
    records = Workspace(workspace)
    first, deleted, second = add_run(records), add_run(records), add_run(records)
    other = add_run(records, recipe=Recipe().with_(fit__epochs=3))
    records.runs.delete(deleted.id)
    assert [run.id for run in records.runs.same(Recipe(), DATA.fingerprint, 7)] == [
        first.id,
        second.id,
    ]
    assert [run.id for run in records.runs.same(other.recipe, DATA.fingerprint, 7)] == [other.id]
    assert records.runs.same(Recipe(), DATA.fingerprint, 8) == []
    assert records.runs.same(Recipe(), "other images", 7) == []


def test_only_a_run_that_diverged_or_is_complete_is_over(workspace: Path) -> None:
    records = Workspace(workspace)
    diverged, lost, paused = add_run(records), add_run(records), add_run(records)
    error = "The loss became nan in epoch 2 at learning rate 100: the training diverged."
    records.runs.set_state(diverged.id, RunState.FAILED, error=error)
    records.runs.set_state(lost.id, RunState.FAILED, error="A worker process ended.")
    records.runs.set_state(paused.id, RunState.PAUSED)
    assert [records.runs.get(one.id).is_over for one in (diverged, lost, paused)] == [
        True,
        False,
        False,
    ]
    assert add_complete(records, 0.5).is_over


def test_damaged_predictions_are_told(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    records.predictions.save(
        run.id, "validation", np.ones((2, 3), np.float32), np.zeros(2, np.int64)
    )
    path = records.runs.folder(run.id) / "validation-predictions.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(WorkspaceError, match="cannot be read"):
        records.predictions.load(run.id, "validation")
