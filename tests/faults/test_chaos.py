"""A study whose workers and coordinator are killed at random moments ends as if undisturbed."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from eyetune.api.tune import tune
from eyetune.records import Workspace
from eyetune.records.study import StudyRecord, StudySettings, StudyState
from tests.e2e.commands import command

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
        time.sleep(float(os.environ["BATCH_SECONDS"]))

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
        self.function, self.archive = f"{folder / 'model.py'}:Network", archive

    def start(self, *, resume: bool = False) -> subprocess.Popen[str]:
        """Start the study, or resume it, in a process of its own."""
        beginning = ["--resume"]
        if not resume:
            beginning = [self.function, "--data", str(self.archive), "--sampler", "random"]
            beginning += ["--schedule", "hyperband", "--max-epochs", "4", "--seed", "3"]
        options = ["--name", "chaos", "--workers", str(NUM_WORKERS), "--json"]
        options += ["--workspace", str(self.workspace.folder)]
        return subprocess.Popen(
            command("tune", *beginning, *options, pictures=False),
            env={**os.environ, "DIARY": str(self.diary), "BATCH_SECONDS": "0.12"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def search_here(self) -> None:
        """Search in this process, undisturbed: neither workers nor their timing have an effect."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DIARY", str(self.diary))
            patch.setenv("BATCH_SECONDS", "0")
            tune(
                self.function,
                self.archive,
                sampler="random",
                scheduler="hyperband",
                max_epochs=4,
                seed=3,
                name="chaos",
                workers=0,
                workspace=self.workspace,
                progress=False,
                plots=False,
            )

    def lines(self, word: str) -> list[str]:
        """Return the epochs that began, or ended, so far."""
        text = self.diary.read_text() if self.diary.exists() else ""
        return [line.partition(" ")[2] for line in text.splitlines() if line.startswith(f"{word} ")]

    @staticmethod
    def settings(record: StudyRecord) -> StudySettings:
        """Return the settings, but for where its copy of the model function lies, and workers."""
        recipe = record.settings.recipe.with_({"model": {"function": "model.py:Network"}})
        return record.settings.model_copy(update={"recipe": recipe, "workers": NUM_WORKERS})

    def outline(self) -> list[Any]:
        """Return what is recorded of the study, without times and ids."""
        (record,) = self.workspace.studies.all()
        assert record.state is StudyState.COMPLETE
        trials = self.workspace.studies.trials(record.id)
        return [
            (record.ending, record.space, self.settings(record)),
            *((trial.with_(seconds=0.0, run=None), *self.run(trial.run or "")) for trial in trials),
        ]

    def run(self, run_id: str) -> tuple[Any, ...]:
        """Return epochs, state and results of a run."""
        epochs = [
            replace(epoch, duration_seconds=0.0, images_per_second=0.0)
            for epoch in self.workspace.runs.history(run_id)
        ]
        run = self.workspace.runs.get(run_id)
        return epochs, run.state, run.results


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


@pytest.mark.filterwarnings("ignore::eyetune.errors.EyetuneWarning")
def test_killed_at_random_and_resumed_it_ends_as_if_undisturbed(
    archive: Path, tmp_path: Path
) -> None:
    whole = StudyProcess(tmp_path / "whole", archive)
    broken = StudyProcess(tmp_path / "broken", archive)
    whole.search_here()
    planned = Counter(whole.lines("begin"))
    assert planned == Counter(whole.lines("end"))

    chance = random.Random(4)
    points = sorted(chance.sample(range(2, planned.total() - 2), 2))
    kinds = ["worker", "coordinator"]
    process, kills = broken.start(), Counter[str]()
    for what, after in zip(kinds, points, strict=True):
        kills[what] += disturb(broken, process, what, after, chance)
        if process.poll() is not None:
            process = broken.start(resume=True)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert kills == {"worker": 1, "coordinator": 1}

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
