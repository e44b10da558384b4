"""What one training recorded, epoch by epoch: the value that flows from training to records to reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields


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
        images_per_second: Training images by the seconds spent training on them (validation not included).
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    duration_seconds: float
    images_per_second: float


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
    return {field.name: [getattr(epoch, field.name) for epoch in epochs] for field in fields(Epoch)}


def as_rows(history: Iterable[Epoch]) -> list[dict[str, float]]:
    """Turn a history into one dictionary an epoch, ready for JSON."""
    return [asdict(epoch) for epoch in history]


def best_epoch(history: Sequence[Epoch], monitor: str) -> Epoch | None:
    """Return the first epoch with the best value of a metric: the lowest of a loss, the highest otherwise.

    Example:
        >>> one = Epoch(1, 2.0, 0.1, 2.2, 0.2, 0.001, 3.0, 900.0)
        >>> two = Epoch(2, 1.0, 0.4, 2.5, 0.3, 0.001, 3.0, 900.0)
        >>> best_epoch([one, two], "val_loss").epoch, best_epoch([one, two], "val_accuracy").epoch
        (1, 2)
    """
    if not history:
        return None
    sign = 1 if monitor.endswith("loss") else -1
    return min(history, key=lambda epoch: sign * getattr(epoch, monitor))
