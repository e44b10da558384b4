"""The epochs of a training: the value that training returns, records keep and reports show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields


@dataclass(frozen=True)
class Epoch:
    """One epoch of one training. Metrics carry Keras's names; None: not measured.

    Attributes:
        epoch: Its number, from 1.
        loss: Mean loss on the training images while the network was trained on them. None: a
            `train_step` of the user's own does not report it.
        accuracy: Accuracy on the training images, 0 to 1, measured at the same time.
        val_loss: Mean loss on the validation images after the epoch.
        val_accuracy: Accuracy on the validation images, 0 to 1.
        learning_rate: The optimizer's learning rate at the end of the epoch.
        duration_seconds: Wall time, including validation.
        images_per_second: Training images per second of training, without validation.
        others: Other metrics that the network was compiled with, by name.
    """

    epoch: int
    loss: float | None
    accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    learning_rate: float
    duration_seconds: float
    images_per_second: float
    others: Mapping[str, float] = field(default_factory=dict)

    def value(self, metric: str) -> float:
        """Return a metric by its name.

        Raises:
            KeyError: The metric was not measured.
        """
        if metric in self.others:
            return float(self.others[metric])
        value = None if metric == "others" else getattr(self, metric, None)
        if value is None:
            raise KeyError(metric)
        return float(value)

    def measures(self, metric: str) -> bool:
        """Return whether a metric was measured."""
        try:
            self.value(metric)
        except KeyError:
            return False
        return True


History = tuple[Epoch, ...]


@dataclass(frozen=True)
class Progress:
    """The progress of a training within an epoch.

    Attributes:
        epoch: Number of the current epoch, from 1.
        num_epochs: Number of epochs, at most.
        images: Number of training images done in this epoch.
        num_images: Number of training images in an epoch.
        loss: Mean loss of this epoch so far; None: not reported.
        accuracy: Mean accuracy of this epoch so far, 0 to 1; None: not measured.
        images_per_second: Speed in this epoch so far.
    """

    epoch: int
    num_epochs: int
    images: int
    num_images: int
    loss: float | None
    accuracy: float | None
    images_per_second: float


def as_columns(history: Iterable[Epoch]) -> dict[str, list[float | None]]:
    """Return a history as one list per metric, as Keras's `History.history`.

    Metrics that no epoch measures are left out; an epoch that does not measure one has None.

    Example:
        >>> as_columns([Epoch(1, 2.3, 0.1, 2.2, 0.2, 0.001, 3.0, 900.0)])["val_accuracy"]
        [0.2]
    """
    epochs = list(history)
    names = [field.name for field in fields(Epoch) if field.name != "others"]
    names += dict.fromkeys(name for epoch in epochs for name in epoch.others)
    columns = {
        name: [epoch.value(name) if epoch.measures(name) else None for epoch in epochs]
        for name in names
    }
    return {name: column for name, column in columns.items() if set(column) != {None}}


def as_rows(history: Iterable[Epoch]) -> list[dict[str, float | None]]:
    """Return a history as one dictionary per epoch, ready for JSON."""
    return [asdict(epoch) for epoch in history]


_SMALL_IS_GOOD = re.compile(
    r"loss|error|crossentropy|mse|mae|mape|divergence|hinge|false_", re.IGNORECASE
)


def is_better_high(metric: str) -> bool:
    """Return whether a metric is better the higher it is, judged by its name.

    Losses and errors are not.

    Example:
        >>> is_better_high("val_accuracy"), is_better_high("val_mean_squared_error")
        (True, False)
    """
    return _SMALL_IS_GOOD.search(metric) is None


def best_epoch(history: Sequence[Epoch], monitor: str) -> Epoch | None:
    """Return the first epoch with the best value of a metric; None without epochs.

    Args:
        history: The epochs.
        monitor: Name of the metric. Losses are best low, other metrics high; "val_score:min" sets
            the direction explicitly. Epochs that do not measure it are skipped.

    Raises:
        KeyError: No epoch measures it.

    Example:
        >>> first = Epoch(1, 2.0, 0.1, 2.2, 0.2, 0.001, 3.0, 900.0)
        >>> second = Epoch(2, 1.0, 0.4, 2.5, 0.3, 0.001, 3.0, 900.0)
        >>> history = [first, second]
        >>> best_epoch(history, "val_loss").epoch, best_epoch(history, "val_accuracy").epoch
        (1, 2)
    """
    if not history:
        return None
    metric, _, direction = monitor.partition(":")
    maximize = direction == "max" if direction else is_better_high(metric)
    sign = -1 if maximize else 1
    measured = [epoch for epoch in history if epoch.measures(metric)]
    if not measured:
        raise KeyError(metric)
    return min(measured, key=lambda epoch: sign * epoch.value(metric))
