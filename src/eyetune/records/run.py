"""A run as it is recorded: one training of one recipe with one seed, as an immutable value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from eyetune.errors import UsageError
from eyetune.recipe import Recipe
from eyetune.values.network import Network

DIVERGED = "the training diverged"  # in the error of a run whose loss did


class RunState(StrEnum):
    """Where a run stands."""

    WAITING = "WAITING"  # it is planned; no process has begun it
    RUNNING = "RUNNING"  # a process is at work on it
    PAUSED = "PAUSED"  # it was interrupted and can be resumed
    COMPLETE = "COMPLETE"  # it trained all its epochs, or stopped early by its own rule
    STOPPED = "STOPPED"  # it was ended before its last epoch: other trials of its study were better
    FAILED = "FAILED"  # it cannot go on; `error` says why


@dataclass(frozen=True)
class DataRecord:
    """Which images a run was trained on.

    Attributes:
        name: Short name of the dataset.
        source: A known name or an absolute path.
        fingerprint: The same for the same images and splits only.
        class_names: In the order of the labels.
        image_shape: Height and width in pixels, and channels.
        num_train: Images in the training split.
        num_validation: Images in the validation split.
        num_test: Images in the test split.
        notes: What the user was told about it.
    """

    name: str
    source: str
    fingerprint: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    num_train: int
    num_validation: int
    num_test: int
    notes: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DataRecord:
        """Read back what `dataclasses.asdict` and JSON made of it."""
        lists = {name: tuple(value[name]) for name in ("class_names", "image_shape", "notes")}
        return cls(**{**value, **lists})


@dataclass(frozen=True)
class Results:
    """What a complete run reached. Accuracies are 0 to 1 and those of the kept epoch's network in
    float32.

    Attributes:
        kept_epoch: The epoch whose weights were kept.
        validation_loss: Cross-entropy on the validation images.
        validation_accuracy: On the validation images: what choices are made on.
        test_loss: Cross-entropy on the test images (None: nobody has looked at them).
        test_accuracy: On the test images: what is reported (None: nobody has looked at them).
        linear_accuracy: Validation accuracy of a linear classifier on the pixels (None: not
            computed).
    """

    kept_epoch: int
    validation_loss: float
    validation_accuracy: float
    test_loss: float | None = None
    test_accuracy: float | None = None
    linear_accuracy: float | None = None


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        id: Eight hexadecimal digits.
        name: What the user called it, or "".
        state: Where it stands.
        created_at: When it began, in UTC.
        seed: Of everything random in it.
        recipe: What was trained and how.
        data: On which images.
        network: Layers and costs.
        precision: The arithmetic that was used: "float32" or "bfloat16".
        threads: Of the arithmetic (0: one for each core).
        deterministic: Whether only operations that repeat exactly were used.
        versions: Of eyetune and the libraries that matter.
        num_epochs_done: Whole epochs so far.
        duration_seconds: Wall time of its epochs.
        images_per_second: Training images by the time spent on them.
        results: What it reached, once complete.
        error: For a FAILED run, what happened.
        deleted_at: When the user deleted it, if so; it can be restored until it is purged.
    """

    id: str
    name: str
    state: RunState
    created_at: datetime
    seed: int
    recipe: Recipe
    data: DataRecord
    network: Network
    precision: Literal["float32", "bfloat16"]
    threads: int = 0
    deterministic: bool = True
    versions: Mapping[str, str] = field(default_factory=dict)
    num_epochs_done: int = 0
    duration_seconds: float = 0.0
    images_per_second: float = 0.0
    results: Results | None = None
    error: str | None = None
    deleted_at: datetime | None = None

    @property
    def label(self) -> str:
        """Its name where it has one, and its id."""
        return f"{self.name} ({self.id})" if self.name else self.id

    @property
    def diverged(self) -> bool:
        """Whether its loss became NaN or infinite, which with the same seed it would again."""
        return self.state is RunState.FAILED and DIVERGED in (self.error or "")

    @property
    def is_over(self) -> bool:
        """Whether training it again would change nothing."""
        return self.state is RunState.COMPLETE or self.diverged

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain JSON values."""
        return {
            "run": self.id,
            "name": self.name,
            "state": str(self.state),
            "created_at": self.created_at.isoformat(timespec="seconds"),
            "seed": self.seed,
            "data": asdict(self.data),
            "precision": self.precision,
            "parameters": self.network.parameters,
            "macs": self.network.macs,
            "multiply_adds": self.network.macs,
            "epochs": self.num_epochs_done,
            "duration_seconds": round(self.duration_seconds, 3),
            "images_per_second": round(self.images_per_second, 1),
            **(asdict(self.results) if self.results else {}),
            "error": self.error,
            "recipe": self.recipe.model_dump(mode="json", exclude_none=True),
        }


def require_results(record: RunRecord) -> Results:
    """Return what a complete run reached.

    Raises:
        UsageError: The run is not complete.
    """
    if record.results is None:
        raise UsageError(
            f"Run {record.label} is {record.state}: it has no results yet.",
            received=f"{record.num_epochs_done} of {record.recipe.fit.total_epochs} epochs",
            fix=f"eyetune train --resume {record.id}",
        )
    return record.results
