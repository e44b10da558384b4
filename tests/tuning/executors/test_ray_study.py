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
    '''Writes down where each epoch is trained; on the doomed machine the second one never ends.'''

    def __init__(self, key):
        super().__init__()
        self.key = key

    @property
    def node(self):
        # Asked each time: a callback moves with its trial from machine to machine.
        ray = sys.modules.get("ray")
        return ray.get_runtime_context().get_node_id() if ray and ray.is_initialized() else "here"

    def on_epoch_begin(self, epoch, logs=None):
        with DIARY.open("a") as stream:
            stream.write(f"begin {{self.node}} {{self.key}}@{{epoch}}\\n")

    def on_train_batch_end(self, batch, logs=None):
        if not DOOMED.exists():
            return
        doomed = DOOMED.read_text()
        if self.node == doomed and self.is_in_second_epoch(doomed):
            time.sleep(600)  # the machine dies here
        while self.node != doomed and not self.is_in_second_epoch(doomed):
            time.sleep(0.05)  # the other machine must not do all the work alone

    def is_in_second_epoch(self, node):
        return DIARY.read_text().count(f"begin {{node}}") > 1


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


def started_epochs(diary: Path) -> list[tuple[str, str]]:
    """Return the node and the name of each epoch that was started."""
    rows = [line.split() for line in diary.read_text().splitlines()] if diary.exists() else []
    return [(node, epoch) for _, node, epoch in rows]


def run_study(folder: Path, archive: Path, *, workers: int, executor: str) -> Study:
    folder.mkdir(exist_ok=True)
    (folder / "model.py").write_text(MODEL.format(diary=str(folder / "diary")))
    return tune(
        f"{folder / 'model.py'}:Network",
        archive,
        sampler="random",
        scheduler="hyperband",
        max_epochs=4,
        trials=4,
        workers=workers,
        executor=executor,
        name="study",
        workspace=folder / "workspace",
        progress=False,
        plots=False,
    )


def outline(study: Study) -> list[Any]:
    """Return what is recorded, without times and ids."""
    return [
        (
            trial.with_(seconds=0.0, run=None),
            [
                (epoch.epoch, epoch.loss, epoch.val_loss, epoch.val_accuracy)
                for epoch in study.histories[trial.run or ""]
            ],
        )
        for trial in study.trials
    ]


class Killer(threading.Thread):
    """Removes the second machine of a cluster in the middle of the second epoch that it trains."""

    def __init__(self, machines: Any, diary: Path) -> None:
        super().__init__(daemon=True)
        self._machines, self._diary = machines, diary
        self.node = next(iter(machines.worker_nodes))
        diary.parent.mkdir()
        diary.with_name("doomed").write_text(self.node.node_id)
        self.has_killed = False

    def run(self) -> None:
        """Wait for the second epoch that the machine begins."""
        for _ in range(12_000):
            if sum(node == self.node.node_id for node, _ in started_epochs(self._diary)) >= 2:
                self._machines.remove_node(self.node, allow_graceful=False)
                self.has_killed = True
                return
            time.sleep(0.05)


@pytest.mark.filterwarnings("ignore:workers=0")  # what this process costs
def test_a_study_survives_a_machine_that_dies(
    cluster: Any,
    archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    killer = Killer(cluster, tmp_path / "cluster" / "diary")
    killer.start()
    far = run_study(tmp_path / "cluster", archive, workers=2, executor="ray")
    killer.join()
    near = run_study(tmp_path / "here", archive, workers=0, executor="local")
    assert killer.has_killed
    assert outline(far) == outline(near)
    planned = Counter(epoch for _, epoch in started_epochs(tmp_path / "here" / "diary"))
    trained = Counter(epoch for _, epoch in started_epochs(tmp_path / "cluster" / "diary"))
    assert set(planned.values()) == {1}
    assert set(trained) == set(planned)
    assert (trained - planned).total() == 1  # the epoch that was under way
    (again,) = trained - planned
    before, after = [
        node for node, epoch in started_epochs(tmp_path / "cluster" / "diary") if epoch == again
    ]
    assert before == killer.node.node_id != after
