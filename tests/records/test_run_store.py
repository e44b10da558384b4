"""Runs are recorded as they happen, read back equal, found, deleted and restored."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from eyetune.errors import RunBusyError, RunNotFoundError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace
from eyetune.records.run import RunFailure
from eyetune.testing.labs import fabricated_lab
from tests.records.fabricate import (
    DATA,
    NETWORK,
    SEED,
    add_complete_run,
    add_run,
    make_epoch,
    make_results,
)


def test_run_is_read_back_as_it_was_written(workspace: Path) -> None:
    recipe = Recipe().with_({"model.blocks.0.activation": "tanh"})
    run = add_run(Workspace(workspace), name="first", recipe=recipe)
    again = Workspace(workspace).runs.get(run.id)
    assert again == run
    assert (again.recipe, again.data, again.network) == (recipe, DATA, NETWORK)
    assert (again.seed, again.name, again.precision) == (SEED, "first", "float32")
    assert Recipe.load(Workspace(workspace).runs.folder(run.id) / "recipe.toml") == recipe


def test_epochs_are_ordered_and_replaced_when_saved_again(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    for epoch in (make_epoch(2), make_epoch(1), make_epoch(2, accuracy=0.9)):
        records.runs.save_epochs(run.id, [epoch])
    expected = (make_epoch(1), make_epoch(2, accuracy=0.9))
    assert Workspace(workspace).runs.history(run.id) == expected
    run = records.runs.get(run.id)
    assert (run.num_epochs_done, run.duration_seconds) == (2, 4.0)
    assert run.images_per_second == pytest.approx(500)


def test_states_and_results_are_recorded(workspace: Path) -> None:
    records = Workspace(workspace)
    complete, failed = add_run(records), add_run(records)
    records.runs.set_state(complete.id, RunState.COMPLETE, results=make_results())
    records.runs.set_state(failed.id, RunState.FAILED, error="A worker process ended.")
    assert records.runs.get(complete.id).results == make_results()
    assert records.runs.get(failed.id).error == "A worker process ended."
    assert [run.state for run in records.runs.all()] == [RunState.COMPLETE, RunState.FAILED]


def test_results_are_dropped_when_a_run_trains_on(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_complete_run(records)
    records.runs.set_state(run.id, RunState.RUNNING)
    assert records.runs.get(run.id).results is None


def test_run_of_a_dead_process_is_paused(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    assert records.runs.get(run.id).state is RunState.PAUSED
    with records.runs.claim(run.id):
        assert Workspace(workspace).runs.get(run.id).state is RunState.RUNNING


def test_run_is_claimed_by_one_process_at_a_time(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    with records.runs.claim(run.id):
        other = Workspace(workspace).runs.claim(run.id)
        with pytest.raises(RunBusyError), other:
            pass
    with records.runs.claim(run.id):
        pass


def test_killed_writer_loses_nothing_that_was_committed(workspace: Path) -> None:
    program = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.records.fabricate import add_run, make_epoch
from eyetune.records import Workspace
records = Workspace(sys.argv[1])
run = add_run(records)
for number in range(1, 100):
    records.runs.save_epochs(run.id, [make_epoch(number)])
    print(number, flush=True)
"""
    command = [sys.executable, "-c", program, str(workspace), str(Path(__file__).parents[2])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        printed = [int(writer.stdout.readline()) for _ in range(5)]
        writer.kill()
    records = Workspace(workspace)
    (run,) = records.runs.all()
    assert run.state is RunState.PAUSED
    epochs = [epoch.epoch for epoch in records.runs.history(run.id)]
    assert epochs[: len(printed)] == printed


@pytest.mark.parametrize("name", ["id", "prefix", "PREFIX", "name", "latest"])
def test_find_accepts_ids_prefixes_names_and_latest(workspace: Path, name: str) -> None:
    records = Workspace(workspace)
    add_run(records, name="older")
    run = add_run(records, name="the newest")
    references = {
        "id": run.id,
        "prefix": run.id[:6],
        "PREFIX": run.id[:6].upper(),
        "name": "the newest",
        "latest": "latest",
    }
    assert records.runs.find(references[name]).id == run.id


def test_find_refuses_two_runs_of_one_name(workspace: Path) -> None:
    records = Workspace(workspace)
    runs = [add_run(records, name="twin") for _ in range(2)]
    with pytest.raises(RunNotFoundError) as caught:
        records.runs.find("twin")
    assert caught.value.matches == tuple(run.id for run in runs)
    assert runs[-1].id in str(caught.value.fix)


def test_run_cannot_be_named_latest(workspace: Path) -> None:
    with pytest.raises(UsageError):
        add_run(Workspace(workspace), name="latest")


def test_latest_is_never_a_trial_or_a_training_of_a_lab(workspace: Path) -> None:
    records = Workspace(workspace)
    trained = add_run(records)
    add_run(records, study_id="0123abcd")
    add_run(records, lab_id="lab-1")
    assert records.runs.find("latest").id == trained.id
    records.runs.purge(trained.id)
    with pytest.raises(RunNotFoundError):
        records.runs.find("latest")


def test_latest_is_the_final_network_of_a_later_lab(workspace: Path) -> None:
    records = Workspace(workspace)
    final = add_run(records, lab_id="lab-1")
    trained = add_run(records)
    lab = fabricated_lab(3)
    ended = lab.final.model_copy(update={"runs": (final.id,)})
    before = lab.model_copy(update={"final": ended, "created_at": final.created_at})
    records.labs.save(before)
    assert records.runs.find("latest").id == trained.id
    records.labs.save(
        before.model_copy(
            update={"created_at": records.runs.get(trained.id).created_at.replace(year=2100)}
        )
    )
    assert records.runs.find("latest").id == final.id
    records.labs.delete("lab-1")
    assert records.runs.find("latest").id == trained.id


def test_deleted_run_is_hidden_restored_and_purged(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    records.runs.save_epochs(run.id, [make_epoch(1)])
    records.runs.delete(run.id)
    assert records.runs.all() == []
    assert [run.id for run in records.runs.all(deleted=True)] == [run.id]
    assert records.runs.find(run.id, deleted=True).id == run.id
    records.runs.restore(run.id)
    assert [run.id for run in records.runs.all()] == [run.id]
    records.runs.purge(run.id)
    assert records.runs.all() == records.runs.all(deleted=True) == []
    assert records.runs.history(run.id) == ()
    assert not records.runs.folder(run.id).exists()
    with pytest.raises(RunNotFoundError):
        records.runs.get(run.id)


def test_find_suggests_how_to_restore_a_deleted_run(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    records.runs.delete(run.id)
    with pytest.raises(RunNotFoundError) as caught:
        records.runs.find(run.id)
    assert caught.value.fix == f"eyetune runs restore {run.id}"


def test_run_that_is_being_trained_cannot_be_deleted(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    with records.runs.claim(run.id):
        for remove in (records.runs.delete, records.runs.purge):
            with pytest.raises(RunBusyError):
                remove(run.id)
    assert [run.id for run in records.runs.all()] == [run.id]


def test_same_finds_runs_of_a_recipe_on_the_same_images(workspace: Path) -> None:
    records = Workspace(workspace)
    first, deleted, second = add_run(records), add_run(records), add_run(records)
    other = add_run(records, recipe=Recipe().with_(fit__epochs=3))
    records.runs.delete(deleted.id)

    def same(recipe: Recipe, fingerprint: str, seed: int) -> list[str]:
        return [run.id for run in records.runs.same(recipe, fingerprint, seed)]

    assert same(Recipe(), DATA.fingerprint, SEED) == [first.id, second.id]
    assert same(other.recipe, DATA.fingerprint, SEED) == [other.id]
    assert same(Recipe(), DATA.fingerprint, 8) == []
    assert same(Recipe(), "other images", SEED) == []


def test_failure_is_recorded_for_any_error_message(workspace: Path) -> None:
    records = Workspace(workspace)
    diverged, other = add_run(records), add_run(records)
    failed = RunState.FAILED
    records.runs.set_state(diverged.id, failed, error="NaN", failure=RunFailure.DIVERGED)
    records.runs.set_state(other.id, failed, error="It says that the training diverged.")
    assert records.runs.get(diverged.id).diverged
    assert not records.runs.get(other.id).diverged
    records.runs.set_state(diverged.id, RunState.RUNNING)
    assert records.runs.get(diverged.id).failure is None


def test_run_is_over_if_it_diverged_or_is_complete(workspace: Path) -> None:
    records = Workspace(workspace)
    diverged, lost, paused = add_run(records), add_run(records), add_run(records)
    records.runs.set_state(diverged.id, RunState.FAILED, error="NaN", failure=RunFailure.DIVERGED)
    records.runs.set_state(lost.id, RunState.FAILED, error="A worker process ended.")
    records.runs.set_state(paused.id, RunState.PAUSED)
    assert records.runs.get(diverged.id).is_over
    assert not records.runs.get(lost.id).is_over
    assert not records.runs.get(paused.id).is_over
    assert add_complete_run(records).is_over


def test_reading_an_absent_workspace_leaves_no_trace(workspace: Path) -> None:
    assert Workspace(workspace).runs.all() == []
    assert not Workspace(workspace).exists
    with pytest.raises(RunNotFoundError):
        Workspace(workspace).runs.find("latest")
    assert not workspace.exists()


def test_json_of_a_run_names_its_origin(workspace: Path) -> None:
    records = Workspace(workspace)
    recipe = Recipe().with_(data__train_on_validation=True)
    trial = add_run(records, study_id="0123abcd")
    final = add_run(records, lab_id="lab-1", recipe=recipe)
    assert (trial.to_json()["study"], trial.to_json()["lab"]) == ("0123abcd", None)
    assert (final.to_json()["study"], final.to_json()["lab"]) == (None, "lab-1")
    assert not trial.to_json()["trained_on_validation"]
    assert final.to_json()["trained_on_validation"]


def test_epoch_without_a_loss_is_read_back(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    epoch = replace(make_epoch(1), loss=None, others={"twice": 2.0})
    records.runs.save_epochs(run.id, [epoch])
    assert records.runs.history(run.id) == (epoch,)


def test_restoring_from_an_empty_trash_is_no_lost_database(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    with pytest.raises(RunNotFoundError, match="in the trash") as caught:
        records.runs.find(run.id, deleted=True)
    assert "doctor" not in (caught.value.fix or "")
