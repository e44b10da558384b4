"""The epochs of KerasTuner's trials, which it does not store: written by the worker, read here.

Each line of the file is a JSON object: first the network's name for the accuracy, then a trial's id
and an epoch.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO, final

from eyetune.values.history import Epoch

EPOCHS_FILE = "keras-tuner-epochs.jsonl"


def network_metric(name: str, accuracy: str | None) -> str:
    """Return the network's own name for a metric.

    Args:
        name: Name of the metric in eyetune.
        accuracy: The network's name for the accuracy; None if it measures none.

    Example:
        >>> network_metric("val_accuracy", "acc"), network_metric("val_loss", "acc")
        ('val_acc', 'val_loss')
    """
    if accuracy is None:
        return name
    return {"accuracy": accuracy, "val_accuracy": f"val_{accuracy}"}.get(name, name)


@final
class EpochLogWriter:
    """Measures epochs and writes each as a line of JSON.

    Args:
        stream: Where to write.
        accuracy: The network's name for the accuracy; None if it measures none.
        num_images: Number of training images.
    """

    def __init__(self, stream: TextIO, accuracy: str | None, num_images: int) -> None:
        self._stream = stream
        self._accuracy = accuracy
        self._num_images = num_images
        self._started_at = self._trained_at = time.monotonic()
        self._stream.write(json.dumps({"accuracy": accuracy}) + "\n")

    def begin_epoch(self) -> None:
        """Start the clock of an epoch."""
        self._started_at = self._trained_at = time.monotonic()

    def end_batch(self) -> None:
        """Note that a batch has been trained: what follows the last one is validation."""
        self._trained_at = time.monotonic()

    def end_epoch(
        self, trial_id: str, number: int, learning_rate: float, logs: Mapping[str, Any]
    ) -> None:
        """Write an epoch.

        Args:
            trial_id: KerasTuner's id of the trial.
            number: Number of the epoch in this training, from 1.
            learning_rate: Learning rate at its end.
            logs: Metrics by the network's own names.
        """
        from eyetune.training.callbacks import named

        training_seconds = max(self._trained_at - self._started_at, sys.float_info.epsilon)
        epoch = Epoch(
            epoch=number,
            **named(logs, self._accuracy),
            learning_rate=learning_rate,
            duration_seconds=time.monotonic() - self._started_at,
            images_per_second=self._num_images / training_seconds,
        )
        self._stream.write(json.dumps({"trial": trial_id, "epoch": asdict(epoch)}) + "\n")


@final
class EpochLogReader:
    """Reads the epochs that the worker has written since the last call.

    Args:
        folder: Folder of the study.

    Attributes:
        accuracy: The network's name for the accuracy; None if it measures none.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / EPOCHS_FILE
        self._offset = 0
        self.accuracy: str | None = "accuracy"

    def read(self) -> Iterator[tuple[str, Epoch]]:
        """Yield the trial's id and each new epoch; an unfinished line waits for the next call."""
        for line in self._lines():
            value = json.loads(line)
            if "epoch" in value:
                yield value["trial"], Epoch(**value["epoch"])
            else:
                self.accuracy = value["accuracy"]

    def _lines(self) -> Iterator[bytes]:
        if not self._path.exists():
            return
        with self._path.open("rb") as stream:
            stream.seek(self._offset)
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield line
