"""What one training recorded, epoch by epoch: the value that flows from training to records to
reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields


@dataclass(frozen=True)
class Epoch:
    """One epoch of one training. Metrics carry Keras's names.

    Attributes:
        epoch: Its number, from 1.
        loss: Mean loss over the training images while they were trained on.
        accuracy: Share of them that was classified right, 0 to 1.
        val_loss: Mean loss over the validation images after the epoch.
        val_accuracy: Share of them that was classified right, 0 to 1.
        learning_rate: The optimizer's rate at the end of the epoch.
        duration_seconds: Wall time, validation included.
        images_per_second: Training images by the seconds spent training on them (validation not
            included).
        others: What else the network was compiled to measure.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    duration_seconds: float
    images_per_second: float
    others: Mapping[str, float] = field(default_factory=dict)

    def value(self, metric: str) -> float:
        """Return a metric by its name.

        Raises:
            KeyError: It was not measured.
        """
        if metric in self.others:
            return float(self.others[metric])
        if metric == "others" or not hasattr(self, metric):
            raise KeyError(metric)
        return float(getattr(self, metric))


History = tuple[Epoch, ...]


@dataclass(frozen=True)
class Progress:
    """How far a training is, within an epoch.

    Attributes:
        epoch: The epoch under way, from 1.
        num_epochs: How many there will be at most.
        images: Training images of this epoch that are done.
        num_images: Training images of an epoch.
        loss: Mean loss of this epoch so far.
        accuracy: Mean accuracy of this epoch so far, 0 to 1.
        images_per_second: Speed in this epoch so far.
    """

    epoch: int
    num_epochs: int
    images: int
    num_images: int
    loss: float
    accuracy: float
    images_per_second: float


def as_columns(history: Iterable[Epoch]) -> dict[str, list[float]]:
    """Turn a history into lists by metric, as Keras's `History.history` has them.

    Example:
        >>> as_columns([Epoch(1, 2.3, 0.1, 2.2, 0.2, 0.001, 3.0, 900.0)])["val_accuracy"]
        [0.2]
    """
    epochs = list(history)
    names = [field.name for field in fields(Epoch) if field.name != "others"]
    names += dict.fromkeys(name for epoch in epochs for name in epoch.others)
    return {name: [epoch.value(name) for epoch in epochs] for name in names}


def as_rows(history: Iterable[Epoch]) -> list[dict[str, float]]:
    """Turn a history into one dictionary an epoch, ready for JSON."""
    return [asdict(epoch) for epoch in history]


_SMALL_IS_GOOD = re.compile(
    r"loss|error|crossentropy|mse|mae|mape|divergence|hinge|false_", re.IGNORECASE
)


def is_better_high(metric: str) -> bool:
    """Tell from its name whether a metric is better the higher it is; losses and errors are not.

    Example:
        >>> is_better_high("val_accuracy"), is_better_high("val_loss"), is_better_high("val_mean_squared_error")
        (True, False, False)
    """
    return _SMALL_IS_GOOD.search(metric) is None


def best_epoch(history: Sequence[Epoch], monitor: str) -> Epoch | None:
    """Return the first epoch with the best value of a metric: the lowest of a loss, the highest
    otherwise.

    A direction that the name does not tell stands behind it: "val_score:min".

    Example:
        >>> one = Epoch(1, 2.0, 0.1, 2.2, 0.2, 0.001, 3.0, 900.0)
        >>> two = Epoch(2, 1.0, 0.4, 2.5, 0.3, 0.001, 3.0, 900.0)
        >>> best_epoch([one, two], "val_loss").epoch, best_epoch([one, two], "val_accuracy").epoch
        (1, 2)
    """
    if not history:
        return None
    metric, _, direction = monitor.partition(":")
    sign = -1 if (direction == "max" if direction else is_better_high(metric)) else 1
    return min(history, key=lambda epoch: sign * epoch.value(metric))
