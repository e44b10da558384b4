"""A study on a real Ray cluster of two machines, one of which dies while it trains."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from eyetune.api.study import Study
from eyetune.api.tune import tune
from tests.tuning.executors.test_ray import client_port, cluster  # noqa: F401 (fixtures)

pytestmark = pytest.mark.slow

MODEL = """
import sys
import time
from pathlib import Path

import keras
import keras_tuner

DIARY = Path({diary!r})
DOOMED = DIARY.with_name("doomed")  # names the machine that will die


class Diary(keras.callbacks.Callback):
    '''Writes down where each epoch is trained, slowly enough that it can be hit in the middle.'''

    def __init__(self, key):
        super().__init__()
        self.key = key

    @property
    def node(self):
        # Asked each time: what a callback keeps goes on with its trial, on whichever machine that
        # is.
        ray = sys.modules.get("ray")
        return ray.get_runtime_context().get_node_id() if ray and ray.is_initialized() else "here"

    def on_epoch_begin(self, epoch, logs=None):
        with DIARY.open("a") as stream:
            stream.write(f"begin {{self.node}} {{self.key}}@{{epoch}}\\n")

    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.1)
        if DOOMED.exists() and DOOMED.read_text() == self.node:
            if DIARY.read_text().count(f"begin {{self.node}}") > 1:
                time.sleep(120)  # dies here, however slow the machine is


class Network(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(hp.Int("filters", 2, 8, step=2), 3, strides=4, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ])
        rate = hp.Choice("learning_rate", [0.01, 0.003, 0.001])
        model.compile(keras.optimizers.Adam(rate), "categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, callbacks=(), **kwargs):
        key = f"{{hp.get('filters')}},{{hp.get('learning_rate')}}"
        return model.fit(*args, callbacks=[*callbacks, Diary(key)], **kwargs)
"""


def begun(diary: Path) -> list[tuple[str, str]]:
    """Return the node and the name of each epoch that was begun."""
    rows = [line.split() for line in diary.read_text().splitlines()] if diary.exists() else []
    return [(node, epoch) for _, node, epoch in rows]


def study(folder: Path, archive: Path, **words: Any) -> Study:
    folder.mkdir(exist_ok=True)
    (folder / "model.py").write_text(MODEL.format(diary=str(folder / "diary")))
    return tune(
        f"{folder / 'model.py'}:Network",
        archive,
        sampler="random",
        scheduler="hyperband",
        max_epochs=4,
        workers=2,
        name="study",
        workspace=folder / "workspace",
        progress=False,
        plots=False,
        **words,
    )


def outline(one: Study) -> list[Any]:
    """Return what is recorded, without times and ids."""
    return [
        (
            trial.with_(seconds=0.0, run=None),
            [
                (epoch.epoch, epoch.loss, epoch.val_loss, epoch.val_accuracy)
                for epoch in one.histories[trial.run or ""]
            ],
        )
        for trial in one.trials
    ]


class Killer(threading.Thread):
    """Ends the second machine of a cluster in the middle of the second epoch that it trains."""

    def __init__(self, machines: Any, diary: Path) -> None:
        super().__init__(daemon=True)
        self._machines, self._diary = machines, diary
        self.node = next(iter(machines.worker_nodes))
        diary.parent.mkdir()
        diary.with_name("doomed").write_text(self.node.node_id)
        self.has_killed = False

    def run(self) -> None:
        """Wait for the second epoch that the machine begins."""
        for _ in range(2400):
            if sum(node == self.node.node_id for node, _ in begun(self._diary)) >= 2:
                self._machines.remove_node(self.node, allow_graceful=False)
                self.has_killed = True
                return
            time.sleep(0.05)


def test_a_study_outlives_a_machine_that_dies_while_it_trains(
    cluster: Any,  # noqa: F811
    archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    killer = Killer(cluster, tmp_path / "cluster" / "diary")
    killer.start()
    far = study(tmp_path / "cluster", archive, executor="ray")
    killer.join()
    near = study(tmp_path / "here", archive)
    assert killer.has_killed
    assert outline(far) == outline(near)
    planned = Counter(epoch for _, epoch in begun(tmp_path / "here" / "diary"))
    trained = Counter(epoch for _, epoch in begun(tmp_path / "cluster" / "diary"))
    assert set(planned.values()) == {1}
    assert set(trained) == set(planned)
    assert (trained - planned).total() == 1  # the epoch that was under way
    (again,) = trained - planned
    before, after = [
        node for node, epoch in begun(tmp_path / "cluster" / "diary") if epoch == again
    ]
    assert before == killer.node.node_id != after
