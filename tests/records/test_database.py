"""The database: migrations keep earlier records, and problems with the file are explained."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event

from eyetune.errors import WorkspaceError
from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace, database, schema
from eyetune.records.changes import Change, EpochsSaved, RunChanged
from eyetune.records.run import RunFailure
from eyetune.space.space import Space
from tests.records.fabricate import add_run, make_epoch

MIGRATIONS = Path(database.__file__).parent / "migrations"


def make_earlier_database(workspace: Path, version: str) -> sqlite3.Connection:
    """Create the database of an earlier version, empty, and connect to it."""
    (workspace / "runs").mkdir(parents=True)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(f"sqlite:///{workspace / database.FILE_NAME}")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        connection.commit()
    engine.dispose()
    return sqlite3.connect(workspace / database.FILE_NAME)


def insert_run(
    connection: sqlite3.Connection, run_id: str, *, name: str = "", error: str | None = None
) -> None:
    data = {
        "name": "tiny", "source": "/images", "fingerprint": "abc", "class_names": ["cat", "dog"],
        "image_shape": [8, 8, 3], "num_train": 6, "num_validation": 2, "num_test": 2, "notes": [],
    }  # fmt: skip
    network = {"input_shape": [8, 8, 3], "layers": [], "trainable_parameters": 0}
    recipe = json.dumps(Recipe().model_dump(mode="json", exclude_none=True))
    state = "FAILED" if error else "COMPLETE"
    connection.execute(
        "insert into runs (id, name, state, created_at, seed, recipe, recipe_fingerprint, data, "
        "network, precision, threads, deterministic, versions, error) "
        "values (?, ?, ?, '2026-01-02 03:04:05', 0, ?, 'abc', ?, ?, 'float32', 0, 1, '{}', ?)",
        (run_id, name, state, recipe, json.dumps(data), json.dumps(network), error),
    )


def insert_study(connection: sqlite3.Connection, study_id: str, run_id: str) -> None:
    space = Space().model_dump(mode="json")
    settings = {
        "recipe": Recipe().model_dump(mode="json", exclude_none=True),
        "space": space,
        "objectives": [{"name": "val_accuracy", "direction": "max"}],
    }
    connection.execute(
        "insert into studies (id, name, state, created_at, settings, space, data_fingerprint, "
        "data_name, seconds, ending, versions) "
        "values (?, 'first', 'COMPLETE', '2026-01-02 03:04:05', ?, ?, 'abc', 'tiny', 1, '', '{}')",
        (study_id, json.dumps(settings), json.dumps(space)),
    )
    connection.execute(
        "insert into trials (study_id, number, state, run, details) "
        "values (?, 0, 'COMPLETE', ?, '{\"values\": {}}')",
        (study_id, run_id),
    )


def test_migrations_make_the_schema_that_the_code_uses(workspace: Path) -> None:
    Workspace(workspace).prepare()
    engine = create_engine(f"sqlite:///{workspace / database.FILE_NAME}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == schema.VERSION
        assert compare_metadata(context, schema.metadata) == []
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == schema.VERSION


def test_migration_classifies_how_earlier_runs_failed(workspace: Path) -> None:
    with make_earlier_database(workspace, "0002") as connection:
        insert_run(connection, "1", error="The loss became nan in epoch 2: the training diverged.")
        insert_run(connection, "2", error="A worker process ended.")
        insert_run(connection, "3")
    runs = {run.id: run for run in Workspace(workspace).runs.all()}
    assert runs["1"].failure is RunFailure.DIVERGED
    assert runs["2"].failure is RunFailure.OTHER
    assert runs["3"].failure is None


def test_migration_keeps_studies_and_marks_their_trials(workspace: Path) -> None:
    with make_earlier_database(workspace, "0002") as connection:
        insert_run(connection, "1")
        insert_run(connection, "2")
        insert_study(connection, "0123abcd", "1")
    records = Workspace(workspace)
    study = records.studies.find("first")
    assert [trial.run for trial in records.studies.trials(study.id)] == ["1"]
    assert [run.study_id for run in records.runs.all()] == ["0123abcd", None]
    records.studies.purge(study.id)  # foreign keys work again after the migration
    assert records.studies.count_trials() == {}


def test_migration_marks_the_runs_of_earlier_labs(workspace: Path) -> None:
    def trained(label: str, *runs: str) -> dict[str, object]:
        return {"label": label, "runs": runs}

    lab = {
        "baseline": trained("baseline", "1"),
        "techniques": [trained("flip=true", "2"), trained("shift=3", "3")],
        "steps": [{"effect": trained("flip=true", "2")}],
        "final_baseline": trained("baseline", "4"),
        "final": trained("combination", "5"),
    }
    for lab_id, content in (("lab-1", json.dumps(lab)), ("damaged", "{"), ("other", "[]")):
        (workspace / "labs" / lab_id).mkdir(parents=True)
        (workspace / "labs" / lab_id / "lab.json").write_text(content)
    names = {
        "1": "baseline", "2": "flip=true", "3": "mine", "4": "baseline, for test",
        "5": "best, for test", "6": "flip=true",
    }  # fmt: skip
    with make_earlier_database(workspace, "0002") as connection:
        for run_id, name in names.items():
            insert_run(connection, run_id, name=name)
    made_by_lab = [run.id for run in Workspace(workspace).runs.all() if run.lab_id == "lab-1"]
    assert made_by_lab == ["1", "2", "4", "5"]


def test_migration_keeps_epochs_and_allows_some_without_loss(workspace: Path) -> None:
    with make_earlier_database(workspace, "0006") as connection:
        insert_run(connection, "1")
        connection.execute(
            "insert into epochs (run_id, epoch, loss, learning_rate, duration_seconds, "
            "images_per_second) values ('1', 1, 0.5, 0.1, 2.0, 500.0)"
        )
    records = Workspace(workspace)
    records.runs.save_epochs("1", [replace(make_epoch(2), loss=None)])
    assert [epoch.loss for epoch in records.runs.history("1")] == [0.5, None]


def test_migration_sums_the_epochs_of_earlier_runs(workspace: Path) -> None:
    with make_earlier_database(workspace, "0006") as connection:
        insert_run(connection, "1")
        insert_run(connection, "2")
        connection.executemany(
            "insert into epochs (run_id, epoch, loss, learning_rate, duration_seconds, "
            "images_per_second) values ('1', ?, 1.0, 0.1, 2.0, 500.0)",
            [(1,), (2,)],
        )
    runs = Workspace(workspace).runs.all()
    assert [(run.num_epochs_done, run.duration_seconds) for run in runs] == [(2, 4.0), (0, 0.0)]
    with sqlite3.connect(workspace / database.FILE_NAME) as connection:
        rows = connection.execute("select total_epochs, total_seconds from runs order by id")
        assert rows.fetchall() == [(2, 4.0), (0, 0.0)]


def test_failed_migration_changes_nothing(workspace: Path) -> None:
    with make_earlier_database(workspace, "0002") as connection:
        connection.execute("create table _alembic_tmp_studies (x)")  # is in the way
    path = workspace / database.FILE_NAME
    before = path.read_bytes()
    with pytest.raises(WorkspaceError):
        Workspace(workspace).prepare()
    assert path.read_bytes() == before


def test_workspace_of_a_newer_version_is_left_alone(workspace: Path) -> None:
    add_run(Workspace(workspace))
    path = workspace / database.FILE_NAME
    with sqlite3.connect(path) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    before = path.read_bytes()
    with pytest.raises(WorkspaceError) as caught:
        Workspace(workspace).runs.all()
    assert "9999" in str(caught.value.received)
    assert path.read_bytes() == before


def test_database_of_another_program_is_left_alone(workspace: Path) -> None:
    workspace.mkdir()
    path = workspace / database.FILE_NAME
    with sqlite3.connect(path) as connection:
        connection.execute("create table other (x)")
    before = path.read_bytes()
    with pytest.raises(WorkspaceError):
        Workspace(workspace).runs.all()
    assert path.read_bytes() == before


def test_damaged_database_is_left_alone(workspace: Path) -> None:
    workspace.mkdir()
    path = workspace / database.FILE_NAME
    path.write_bytes(b"this is no database, and never was one" * 100)
    before = path.read_bytes()
    with pytest.raises(WorkspaceError) as caught:
        Workspace(workspace).runs.all()
    assert "copy" in str(caught.value.fix)
    assert path.read_bytes() == before


def test_damaged_schema_is_an_error_also_if_it_is_no_text(workspace: Path) -> None:
    run = add_run(Workspace(workspace))
    path = workspace / database.FILE_NAME
    damaged = path.read_bytes().replace(b"id VARCHAR NOT NULL", b"id VARCHAR NOT \x80ULL")
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    with pytest.raises(WorkspaceError, match="damaged"):
        Workspace(workspace).runs.find(run.id)


def test_workspace_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WorkspaceError) as caught:
        Workspace(tmp_path / "file" / "workspace").prepare()
    assert "--workspace" in str(caught.value.fix)


def test_writing_to_a_full_disk_is_an_error(workspace: Path) -> None:
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
        with pytest.raises(WorkspaceError) as caught:
            fill()
        assert "space" in str(caught.value.fix)
    finally:
        event.remove(Engine, "connect", forbid_growth)


def test_database_in_use_by_another_process_is_an_error(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.01)
    records = Workspace(workspace)
    run = add_run(records)
    other = sqlite3.connect(workspace / database.FILE_NAME, isolation_level=None)
    other.execute("begin exclusive")
    with pytest.raises(WorkspaceError) as caught:
        records.runs.delete(run.id)
    assert "Wait" in str(caught.value.fix)
    other.close()


def test_transaction_writes_all_or_nothing(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    with pytest.raises(KeyboardInterrupt), records.transaction():
        records.runs.delete(run.id)
        assert records.runs.all() == []
        raise KeyboardInterrupt
    assert [run.id for run in records.runs.all()] == [run.id]


def test_observers_see_committed_changes_only(workspace: Path) -> None:
    records, changes = Workspace(workspace), list[Change]()
    with records.observed_by(changes.append):
        run = add_run(records)
        with pytest.raises(ZeroDivisionError), records.transaction():
            records.runs.save_epochs(run.id, [make_epoch(1)])
            raise ZeroDivisionError
        with records.transaction():
            records.runs.save_epochs(run.id, [make_epoch(2)])
            records.runs.set_state(run.id, RunState.PAUSED)
            assert changes == [RunChanged(run.id)]
    assert changes[1:] == [EpochsSaved(run.id, (make_epoch(2),)), RunChanged(run.id)]
    records.runs.set_state(run.id, RunState.FAILED)
    assert len(changes) == 3


def test_workspace_may_have_a_name_with_the_characters_of_urls(tmp_path: Path) -> None:
    folder = tmp_path / "100% and ?questions=1#here"
    run = add_run(Workspace(folder))
    assert (folder / database.FILE_NAME).exists()
    assert Workspace(folder).runs.get(run.id) == run
