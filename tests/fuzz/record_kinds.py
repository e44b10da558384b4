"""Records: the database and the files of a workspace, and data in memory that was written there."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np

from eyetune.data.array_store import GivenData, keep_samples, open_samples
from eyetune.errors import EyetuneError
from eyetune.records import Workspace
from eyetune.records.check_store import CheckRecord, RecordedFinding, check_key
from eyetune.records.database import FILE_NAME
from eyetune.records.doctor import check
from eyetune.records.repair import repair
from eyetune.records.requests import RequestKind
from eyetune.testing.labs import fabricated_lab
from eyetune.testing.studies import fabricated_study
from tests.fuzz.data_kinds import changed_npz, npz_bytes
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import mutated, mutated_json, odd_value

NUM_TRIALS = 5


def _workspaces(folder: Path) -> Path:
    workspace = Workspace(folder / "workspace")
    with patch("eyetune.testing.studies.new_id", return_value="57d1e5ab"):
        fabricated_study(NUM_TRIALS, workspace=workspace)
    lab = fabricated_lab(2, workspace=workspace)
    workspace.labs.save(lab)
    workspace.requests.add(workspace.studies.find().id, RequestKind.TRIAL, {"units": 8})
    names = ("train/cat/1.jpg", "test/cat/2.jpg")
    finding = RecordedFinding(
        kind="duplicate",
        files=names,
        splits=("train", "test"),
        labels=("cat", "cat"),
        score=1.0,
        text="The same picture twice.",
        surplus=names[1:],
    )
    workspace.checks.save(CheckRecord(source="photos", facts={"images": 2}, findings=(finding,)))
    run = workspace.runs.all()[0]
    probabilities = np.full((6, 3), 1 / 3, np.float32)
    workspace.predictions.save(run.id, "test", probabilities, np.arange(6) % 3)
    return workspace.folder


def _write_workspace(random: Random, corpus: Path, target: Path) -> Path:
    folder = Path(shutil.copytree(corpus, target / "workspace"))
    database = folder / FILE_NAME
    kind = random.random()
    if kind < 0.25:
        database.write_bytes(mutated(random, database.read_bytes()))
    elif kind < 0.3:
        database.write_bytes(b"")
    elif kind < 0.8:
        for _ in range(random.choice((1, 1, 3))):
            _change_row(random, database)
    else:
        files = sorted(
            path for path in folder.rglob("*") if path.suffix in (".json", ".npz", ".toml")
        )
        path = random.choice(files)
        if path.suffix == ".json":
            path.write_bytes(mutated_json(random, json.loads(path.read_bytes())))
        elif path.suffix == ".npz":
            path.write_bytes(changed_npz(random, path.read_bytes()))
        else:
            path.write_bytes(mutated(random, path.read_bytes()))
    return folder


def _change_row(random: Random, database: Path) -> None:
    """Change a value of a row, as a program of someone else could."""
    with closing(sqlite3.connect(database)) as connection, connection:
        query = "select name from sqlite_master where type = 'table' order by name"
        table = random.choice([name for (name,) in connection.execute(query)])
        columns = [row[1] for row in connection.execute(f'pragma table_info("{table}")')]
        column = random.choice(columns)
        rows = connection.execute(f'select rowid, "{column}" from "{table}"').fetchall()
        if not rows:
            return
        row_id, value = random.choice(rows)
        content = _json_of(value)
        if content is not None and random.random() < 0.8:
            value = mutated_json(random, content).decode("utf-8", "replace")
        else:
            value = odd_value(random)
            is_large = isinstance(value, int) and abs(value) >= 2**63
            if is_large or not isinstance(value, int | float | str | None):
                value = json.dumps(value)
        with suppress(sqlite3.Error, UnicodeEncodeError):
            query = f'update "{table}" set "{column}" = ? where rowid = ?'
            connection.execute(query, (value, row_id))


def _json_of(value: object) -> dict[str, Any] | list[Any] | None:
    """Return the object or list that a column holds as JSON; None if it holds anything else."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        with suppress(ValueError):  # an earlier change has damaged it
            content: dict[str, Any] | list[Any] = json.loads(value)
            return content
    return None


def _read_workspace(folder: Path) -> object:
    workspace = Workspace(folder)
    ids: list[str] = []
    study_ids: list[str] = []
    readers: list[Callable[[], object]] = [
        lambda: ids.extend(run.id for run in workspace.runs.all()),
        lambda: workspace.runs.all(deleted=True),
        lambda: workspace.runs.find("latest"),
        lambda: workspace.runs.histories(ids),
        lambda: [workspace.predictions.load(run_id, "test") for run_id in ids],
        lambda: study_ids.extend(study.id for study in workspace.studies.all()),
        lambda: workspace.studies.all(deleted=True),
        lambda: workspace.studies.find("latest"),
        lambda: [workspace.studies.trials(study_id) for study_id in study_ids],
        workspace.studies.count_trials,
        workspace.labs.all,
        lambda: workspace.labs.find("latest"),
        workspace.shrinks.all,
        lambda: workspace.checks.get(check_key("photos")),
        lambda: [workspace.requests.pending(study_id) for study_id in study_ids],
    ]
    errors = []
    for read in readers:
        try:
            read()
        except EyetuneError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return ids


def _predictions(_: Path) -> list[bytes]:
    arrays: dict[str, Any] = {
        "probabilities": np.full((6, 3), 1 / 3, np.float32),
        "labels": np.arange(6) % 3,
    }
    return [npz_bytes(arrays)]


def _write_predictions(random: Random, corpus: list[bytes], target: Path) -> Path:
    path = target / "workspace" / "runs" / "abc" / "test-predictions.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(changed_npz(random, random.choice(corpus)))
    return target / "workspace"


def _samples(folder: Path) -> Path:
    images = np.zeros((6, 4, 4, 1), np.float32)
    data = GivenData({"a": images, "b": (images, images[..., 0])}, np.arange(6), np.ones(6))
    return keep_samples(folder, data, validation_split=0.5)


def _write_samples(random: Random, corpus: Path, target: Path) -> Path:
    folder = Path(shutil.copytree(corpus, target / "samples"))
    path = folder / "samples.json"
    path.write_bytes(mutated_json(random, json.loads(path.read_bytes())))
    return folder


def _repair_workspace(folder: Path) -> object:
    diagnosis = check(folder)
    done = repair(diagnosis)
    return done, _read_workspace(folder)


KINDS = (
    Kind("doctor", _workspaces, _write_workspace, _repair_workspace, 60),
    Kind("workspace", _workspaces, _write_workspace, _read_workspace, 120),
    Kind(
        "predictions",
        _predictions,
        _write_predictions,
        lambda folder: Workspace(folder).predictions.load("abc", "test"),
        300,
    ),
    Kind("samples", _samples, _write_samples, open_samples, 300),
)
