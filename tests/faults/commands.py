"""The five commands whose processes are killed, how each continues, and what it must leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from eyetune.records import RunState, Workspace
from eyetune.records.study import StudyState

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SMALL = ("--set", "model.blocks=[4]", "--set", "model.dense=[8]", "--batch-size", "16")
NAME = "faults"
OUTPUT = "firmware"  # in the folder of a command
# Pictures take longer than tiny trainings, and have no part in what is recorded.
PICTURES = (
    "eyetune.api.tune:draw",
    "eyetune.api.run:Run.save_plots",
    "eyetune.api.lab:Lab.save_plots",
    "eyetune.api.lab:Lab.report",
    "eyetune.api.export_report:draw_training",
    "eyetune.api.export_report:draw_verification",
)
# Names in records of ids, times, and sentences that contain them.
IDS = ("id", "run", "runs", "command")
TIMES = ("created_at", "seconds", "at_equal_seconds", "final_seconds", "answer")
VOLATILE = frozenset([*IDS, *TIMES])

Arguments = tuple[str | Path, ...]


@dataclass(frozen=True)
class Command:
    """A command of eyetune.

    Attributes:
        arguments: Its arguments as a user first types them.
        continuation: Returns the arguments that continue it, from the folder it works in; None if
            it is complete.
        outline: Returns what is recorded in the end, without ids and times.
        settings: Values of modules that make it shorter, by their places.
    """

    arguments: Arguments
    continuation: Callable[[Path], Arguments | None]
    outline: Callable[[Path], Any]
    settings: Mapping[str, Any] = field(default_factory=dict)


def workspace_in(folder: Path) -> Workspace:
    """Return the workspace of a command that works in a folder."""
    return Workspace(folder / "workspace")


def environment(
    folder: Path, command: Command, faults: Sequence[Mapping[str, Any]] = ()
) -> dict[str, str]:
    """Return the environment of a process of a command, with faults in it."""
    injected = {"skip": PICTURES, "set": dict(command.settings), "faults": list(faults)}
    (folder / "temporary").mkdir(exist_ok=True)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE / "injection"), str(ROOT / "src")]),
        "EYETUNE_FAULTS": json.dumps(injected),
        "EYETUNE_WORKSPACE": str(folder / "workspace"),
        "EYETUNE_FAULTS_DATABASE": str(folder / "workspace" / "eyetune.sqlite"),
        "TMPDIR": str(folder / "temporary"),
    }


def start(
    folder: Path,
    command: Command,
    arguments: Arguments,
    faults: Sequence[Mapping[str, Any]] = (),
    **process: Any,
) -> subprocess.Popen[str]:
    """Start a process of a command that works in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "eyetune", *map(str, arguments)],
        cwd=process.pop("cwd", folder),
        env={**environment(folder, command, faults), **process.pop("variables", {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **process,
    )


def _train_continuation(begin: Arguments, folder: Path) -> Arguments | None:
    runs = workspace_in(folder).runs.all()
    if not runs:
        return begin
    if runs[-1].state is RunState.COMPLETE:
        return None
    return ("train", "--resume", runs[-1].id)


def _study_continuation(name: str, begin: Arguments, folder: Path) -> Arguments | None:
    studies = workspace_in(folder).studies.all()
    if not studies:
        return begin
    if name == "tune" and studies[-1].state is StudyState.COMPLETE:
        return None
    if name == "deploy":
        if (folder / OUTPUT / "deployment.json").exists():
            return None
        return ("deploy", "--resume", "--name", NAME, "--workers", "1", "--output", OUTPUT)
    return ("tune", "--resume", "--name", NAME, "--workers", "1")


def _lab_continuation(begin: Arguments, folder: Path) -> Arguments | None:
    return None if workspace_in(folder).labs.all() else begin


def _export_continuation(begin: Arguments, folder: Path) -> Arguments | None:
    return None if (folder / OUTPUT / "eyetune-export.json").exists() else begin


def runs_outline(folder: Path) -> list[Any]:
    """Return the runs with their epochs, the same ones in the same order for the same work."""
    runs = workspace_in(folder).runs
    rows = []
    for run in runs.all():
        epochs = [
            replace(epoch, duration_seconds=0.0, images_per_second=0.0)
            for epoch in runs.history(run.id)
        ]
        rows.append((run.recipe.fingerprint, run.seed, str(run.state), run.results, epochs))
    return sorted(rows, key=lambda row: row[:2])


def _study_outline(folder: Path) -> Any:
    studies = workspace_in(folder).studies
    (record,) = studies.all()
    trials = [
        stable(trial.with_(seconds=0.0, run=None).model_dump(mode="json"))
        for trial in studies.trials(record.id)
    ]
    return record.ending, stable(record.settings.model_dump(mode="json")), trials


def _tune_outline(folder: Path) -> Any:
    return _study_outline(folder), runs_outline(folder)


def _lab_outline(folder: Path) -> Any:
    (record,) = workspace_in(folder).labs.all()
    return stable(record.to_json()), runs_outline(folder)


def _deploy_outline(folder: Path) -> Any:
    ending, settings, trials = _study_outline(folder)
    for trial in trials:
        trial["values"].pop("fit.seconds", None)
    return ending, settings, trials, _export_outline(folder)


def _export_outline(folder: Path) -> Any:
    output = folder / OUTPUT
    manifest = json.loads((output / "eyetune-export.json").read_text(encoding="utf-8"))
    digest = manifest["files"]["model.tflite"]  # sources of firmware name the run
    return digest, manifest["int8_validation_accuracy"], manifest["arena_bytes"]


def stable(value: Any) -> Any:
    """Return a JSON value without what differs between two equal pieces of work."""
    if isinstance(value, dict):
        return {name: stable(part) for name, part in value.items() if name not in VOLATILE}
    if isinstance(value, list | tuple):
        return [stable(part) for part in value]
    return value


def all_commands(archive: Path, files: Path) -> dict[str, Command]:
    """Return the commands by their names.

    Args:
        archive: The images.
        files: An existing folder for the spaces that they search.
    """
    wide, narrow = files / "wide.toml", files / "narrow.toml"
    wide.write_text(
        '["optimizer.learning_rate"]\nvalues = [1e-2, 3e-3, 1e-3, 3e-4]\n'
        '["fit.batch_size"]\nvalues = [8, 16, 24, 32]\n'
    )
    narrow.write_text('["optimizer.learning_rate"]\nvalues = [1e-3, 3e-3]\n')
    data: Arguments = ("--data", archive)
    train: Arguments = ("train", *data, *SMALL, "--name", NAME, "--epochs", "24", "--threads", "1")
    lab: Arguments = ("lab", *data, *SMALL, "--epochs", "4", "--final-seeds", "1")
    lab = (*lab, "--techniques", "batch-size=8,learning-rate=0.003,padding", "--workers", "1")
    tune: Arguments = ("tune", *data, *SMALL, "--space", wide, "--name", NAME, "--workers", "1")
    tune = (*tune, "--sampler", "random", "--seed", "3")
    tune = (*tune, "--scheduler", "hyperband", "--max-epochs", "9")
    deploy: Arguments = ("deploy", *data, *SMALL, "--epochs", "2", "--space", narrow)
    deploy = (*deploy, "--name", NAME, "--workers", "1", "--output", OUTPUT)
    deploy = (*deploy, "--board", "esp32-s3-eye", "--time", "25m")
    export: Arguments = ("export", "latest", "--output", OUTPUT, "--format", "c")
    short = {"eyetune.tuning.final_training:MAX_FINAL_EPOCHS": 3}
    return {
        "train": Command(train, partial(_train_continuation, train), runs_outline),
        "lab": Command(lab, partial(_lab_continuation, lab), _lab_outline),
        "tune": Command(tune, partial(_study_continuation, "tune", tune), _tune_outline),
        "deploy": Command(
            deploy, partial(_study_continuation, "deploy", deploy), _deploy_outline, short
        ),
        "export": Command(export, partial(_export_continuation, export), _export_outline),
    }
