"""A study whose workers and whose coordinator are killed at random moments ends as if they had not
been.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import StudyRecord, StudyState

pytestmark = pytest.mark.slow

NUM_WORKERS = 2
MODEL = """
import os
import time

import keras
import keras_tuner


class Diary(keras.callbacks.Callback):
    '''Writes down each epoch that is trained, slowly enough that it can be hit in the middle.'''

    def __init__(self, key):
        super().__init__()
        self.key = key

    def _write(self, word, epoch):
        with open(os.environ["DIARY"], "a") as stream:
            stream.write(f"{word} {epoch} {self.key}\\n")

    def on_epoch_begin(self, epoch, logs=None):
        self._write("begin", epoch)

    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.12)

    def on_epoch_end(self, epoch, logs=None):
        self._write("end", epoch)


class Network(keras_tuner.HyperModel):
    def build(self, hp):
        filters = hp.Int("filters", 2, 8, step=2)
        model = keras.Sequential([
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(filters, 3, strides=4, activation="relu"),
            keras.layers.Flatten(),
        ])
        # Declared with its condition: one that appears late joins the space when its first trial is
        # built, which depends on timing with several workers, and so would the suggestions.
        head = hp.Choice("head", ["direct", "dropped"])
        with hp.conditional_scope("head", ["dropped"]):
            rate = hp.Float("rate", 0.1, 0.5, step=0.1)
            if head == "dropped":
                model.add(keras.layers.Dropout(rate))
        model.add(keras.layers.Dense(10, activation="softmax"))
        rate = hp.Choice("learning_rate", [0.01, 0.003, 0.001])
        model.compile(keras.optimizers.Adam(rate), "categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, callbacks=(), **kwargs):
        key = ",".join(f"{name}={hp.values[name]}" for name in sorted(hp.values))
        return model.fit(*args, callbacks=[*callbacks, Diary(key)], **kwargs)
"""


class StudyProcess:
    """A study with its own workspace and diary, started and resumed by commands."""

    def __init__(self, folder: Path, archive: Path) -> None:
        folder.mkdir()
        self.diary, self.workspace = folder / "diary", Workspace(folder / "workspace")
        (folder / "model.py").write_text(MODEL)
        self.begin_words = [
            f"{folder / 'model.py'}:Network",
            "--data",
            str(archive),
            "--sampler",
            "random",
        ]
        self.begin_words += ["--schedule", "hyperband", "--max-epochs", "4", "--seed", "3"]
        self.process: subprocess.Popen[str] | None = None

    def start(self, *, resume: bool = False) -> subprocess.Popen[str]:
        words = ["--resume"] if resume else self.begin_words
        command = [
            sys.executable,
            "-m",
            "eyetune",
            "tune",
            *words,
            "--name",
            "chaos",
            "--workers",
            str(NUM_WORKERS),
        ]
        command += ["--json", "--workspace", str(self.workspace.folder)]
        environment = {**os.environ, "DIARY": str(self.diary)}
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        return self.process

    def lines(self, word: str) -> list[str]:
        """Return the epochs that began, or ended, so far."""
        text = self.diary.read_text() if self.diary.exists() else ""
        return [line.partition(" ")[2] for line in text.splitlines() if line.startswith(f"{word} ")]

    @staticmethod
    def recipe(record: StudyRecord) -> Recipe:
        """Return what its trials begin from, but for where its copy of the model function lies."""
        return record.settings.recipe.with_({"model": {"function": "model.py:Network"}})

    def outline(self) -> list[Any]:
        """Return what is recorded of the study, without times and ids."""
        (record,) = self.workspace.studies.all()
        assert record.state is StudyState.COMPLETE
        return [
            (
                record.ending,
                record.space,
                record.settings.model_copy(update={"recipe": self.recipe(record)}),
            ),
            *(
                (
                    trial.with_(seconds=0.0, run=None),
                    [
                        (
                            e.epoch,
                            e.loss,
                            e.accuracy,
                            e.val_loss,
                            e.val_accuracy,
                            e.learning_rate,
                            e.others,
                        )
                        for e in self.workspace.runs.history(trial.run or "")
                    ],
                    (run := self.workspace.runs.get(trial.run or "")).state,
                    run.results,
                )
                for trial in self.workspace.studies.trials(record.id)
            ),
        ]


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(process.pid).children()
        if "spawn_main" in " ".join(child.cmdline())
    ]


def disturb(
    study: StudyProcess,
    process: subprocess.Popen[str],
    what: str,
    after: int,
    chance: random.Random,
) -> bool:
    """Kill a worker or the coordinator after `after` epochs; return whether one was running."""
    while len(study.lines("begin")) < after:
        if process.poll() is not None:
            return False
        time.sleep(0.02)
    time.sleep(chance.uniform(0, 1.0))
    if process.poll() is not None:
        return False
    if what == "coordinator":
        process.kill()
        process.communicate()
        return True
    found = workers_of(process)
    if not found:
        return False
    chance.choice(found).kill()
    return True


def test_killed_at_random_and_resumed_it_ends_as_if_undisturbed(
    archive: Path, tmp_path: Path
) -> None:
    whole, broken = (
        StudyProcess(tmp_path / "whole", archive),
        StudyProcess(tmp_path / "broken", archive),
    )
    output, errors = whole.start().communicate()
    assert whole.process is not None
    assert whole.process.returncode == 0, errors
    planned = Counter(whole.lines("begin"))
    assert planned == Counter(whole.lines("end"))
    assert json.loads(output)["epochs_trained"] == planned.total()

    chance = random.Random(4)
    points = sorted(chance.sample(range(2, planned.total() - 2), 4))
    kinds = ["worker", "coordinator", "coordinator", "worker"]
    process, kills = broken.start(), Counter[str]()
    for what, after in zip(kinds, points, strict=True):
        kills[what] += disturb(broken, process, what, after, chance)
        if process.poll() is not None:
            process = broken.start(resume=True)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert kills["worker"] >= 2
    assert kills["coordinator"] >= 2

    differing = [
        (mine, theirs)
        for mine, theirs in zip(broken.outline(), whole.outline(), strict=True)
        if mine != theirs
    ]
    assert not differing, differing
    assert json.loads(output)["epochs_trained"] == planned.total()
    trained = Counter(broken.lines("begin"))
    assert set(trained) == set(planned)
    again = (trained - planned).total()
    assert again <= kills["worker"] + kills["coordinator"] * NUM_WORKERS
