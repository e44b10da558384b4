"""Which processes are killed, and where: chosen by a seed from the points of each command."""

from __future__ import annotations

import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

When = Literal["before", "after", "half"]

CREATE = "eyetune.records.run_store:RunStore.create"
SAVE_EPOCHS = "eyetune.records.run_store:RunStore.save_epochs"
SET_STATE = "eyetune.records.run_store:RunStore.set_state"
SAVE_STUDY = "eyetune.records.study_store:StudyStore.save"
SAVE_TRIALS = "eyetune.records.study_store:StudyStore.save_trials"
SAVE_LAB = "eyetune.records.lab_store:LabStore.save"
PREDICTIONS = "eyetune.records.predictions:PredictionStore.save"
CHECKPOINT = "eyetune.training.checkpoint:save"
REPLACED_FILE = "eyetune._files:replaced_file"
SAVE_NETWORK = "eyetune.training.model_files:save_fitted"
JOB = "eyetune.training.job:work"
OUTCOME = "eyetune.tuning.recording:record_outcome"
BEGIN_JOB = "eyetune.tuning.dispatch:Dispatcher.begin"
WAIT = "eyetune.tuning.dispatch:Dispatcher.wait"
NEW_SETTINGS = "eyetune.tuning.settings:new_settings"
FINAL_TRAINING = "eyetune.tuning.final_training:train_final"
COMBINATION = "eyetune.techniques.lab.combination:stack"
FINAL_RUNS = "eyetune.techniques.lab.final_runs:train_finals"
EXPORT = "eyetune.api.export:export"
VERIFY = "eyetune.api.verify:verify"
NETWORK = "eyetune.api.export_source:load_network"
IMAGES = "eyetune.api.export_source:load_images"
INT8_NETWORK = "eyetune.api.int8_network:int8_network"
QUANTIZE = "eyetune.device.export.quantize:quantize"
FIRMWARE = "eyetune.device.firmware.formats:write"
MANIFEST = "eyetune.device.export.export_folder:write_manifest"
REPORT = "eyetune.api.export_report:write_report"
REPLACED_FOLDER = "eyetune._files:replaced_folder"
NUM_KILLS = {"small": 2, "full": None}  # of each command; None: all


@dataclass(frozen=True)
class Kill:
    """A process that is killed at a point of its own.

    Attributes:
        at: The function, as `module:name`.
        when: Before the function runs, after it has returned, or with its file half written.
        nth: Range of the calls of a process, those that count, of which one is chosen; the first
            is 1.
        in_worker: Whether a worker calls the function; the coordinating process then goes on.
        is_early: Whether the call may come before an epoch is recorded.
        number: The signal.
        file: Part of the name of the file, for `half`.
    """

    at: str
    when: When
    nth: tuple[int, int] = (1, 1)
    in_worker: bool = False
    is_early: bool = False
    number: int = signal.SIGKILL
    file: str = ""


KILLS: dict[str, list[Kill]] = {
    "train": [
        Kill(CREATE, "after", is_early=True),
        Kill(SAVE_EPOCHS, "after", (1, 3)),
        Kill(CHECKPOINT, "before", (1, 3)),
        Kill(REPLACED_FILE, "half", (1, 3), file="checkpoint"),
        Kill(CHECKPOINT, "after", (1, 3)),  # on disk, but not yet in the database
        Kill(SAVE_EPOCHS, "before", (1, 3)),
        Kill(SAVE_EPOCHS, "after", (1, 3), number=signal.SIGTERM),
        Kill(SAVE_NETWORK, "after"),
        Kill(PREDICTIONS, "before", (1, 2)),
        Kill(OUTCOME, "before"),
    ],
    "lab": [
        Kill(CREATE, "after", is_early=True),
        Kill(WAIT, "before", (1, 3)),
        Kill(REPLACED_FILE, "half", (1, 3), in_worker=True, file="checkpoint"),
        Kill(BEGIN_JOB, "before"),
        Kill(CHECKPOINT, "after", (1, 3), in_worker=True),
        Kill(OUTCOME, "before"),
        Kill(WAIT, "before", (1, 3), number=signal.SIGHUP),
        Kill(COMBINATION, "before"),
        Kill(FINAL_RUNS, "before"),
        Kill(SAVE_LAB, "before"),
    ],
    "tune": [
        Kill(NEW_SETTINGS, "before", is_early=True),
        Kill(WAIT, "before", (1, 3)),
        Kill(REPLACED_FILE, "half", (1, 3), in_worker=True, file="checkpoint"),
        Kill(BEGIN_JOB, "before", (1, 2)),  # between the two writes of a promotion
        Kill(CHECKPOINT, "before", (1, 3), in_worker=True),
        Kill(SAVE_TRIALS, "before", (1, 3)),
        Kill(CHECKPOINT, "after", (1, 3), in_worker=True),
        Kill(SAVE_TRIALS, "after", (1, 3)),
        Kill(SET_STATE, "before", (1, 3)),
        Kill(JOB, "before", (1, 2), in_worker=True),
        Kill(SAVE_EPOCHS, "before", (1, 2)),
        Kill(SAVE_EPOCHS, "after", (1, 2), number=signal.SIGTERM),
        Kill(WAIT, "before", (1, 3), number=signal.SIGHUP),
        Kill(OUTCOME, "before", (1, 2)),
    ],
    "deploy": [
        Kill(NEW_SETTINGS, "before", is_early=True),
        Kill(WAIT, "before"),
        Kill(REPLACED_FILE, "half", in_worker=True, file="checkpoint"),
        Kill(FINAL_TRAINING, "before"),
        Kill(SAVE_EPOCHS, "before"),
        Kill(EXPORT, "before"),
        Kill(VERIFY, "before"),
    ],
    "export": [
        Kill(NETWORK, "after"),
        Kill(IMAGES, "before"),
        Kill(INT8_NETWORK, "before"),
        Kill(QUANTIZE, "before"),
        Kill(QUANTIZE, "after"),
        Kill(FIRMWARE, "before"),
        Kill(MANIFEST, "before"),
        Kill(REPORT, "before"),
        Kill(REPLACED_FOLDER, "half", file="firmware"),
    ],
}


def chosen_kills(command: str, budget: str, seed: int) -> list[Kill]:
    """Return the kills of a command in order: all of them, or a few.

    Args:
        command: Name of the command.
        budget: "small" or "full".
        seed: Random seed of the choice.
    """
    kills = KILLS[command]
    count = NUM_KILLS[budget]
    if count is None:
        return kills
    numbers = sorted(random.Random(f"{command} {seed}").sample(range(len(kills)), count))
    return [kills[number] for number in numbers]


def as_faults(kills: Sequence[Kill], folder: str, seed: int) -> list[dict[str, Any]]:
    """Return kills as faults to inject, each with a call chosen by the seed.

    Args:
        kills: The kills.
        folder: An existing folder for the markers of faults that have happened.
        seed: Random seed of the choice.
    """
    chance = random.Random(seed)
    return [
        {
            "at": kill.at,
            "when": kill.when,
            "nth": chance.randint(*kill.nth),
            "min_epochs": 0 if kill.is_early else 1,
            "file": kill.file,
            "signal": int(kill.number),
            "marker": f"{folder}/{number}",
        }
        for number, kill in enumerate(kills)
    ]
