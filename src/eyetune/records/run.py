"""The record of a run, one training of one recipe with one seed, as an immutable value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal

from eyetune.errors import DataError, UsageError
from eyetune.recipe import Recipe, Resize
from eyetune.recipe.changes import changes_from_default
from eyetune.values.network import Network
from eyetune.values.numbers import count_text
from eyetune.values.summary import Summarized, Summary


class RunState(StrEnum):
    """The state of a run."""

    WAITING = "WAITING"  # it is planned; no process has started it
    RUNNING = "RUNNING"  # a process is training it
    PAUSED = "PAUSED"  # it was interrupted and can be resumed
    COMPLETE = "COMPLETE"  # it trained all its epochs, or stopped early by its own rule
    STOPPED = "STOPPED"  # its study ended it before its last epoch: other trials were better
    FAILED = "FAILED"  # it cannot continue; `error` says why


class RunFailure(StrEnum):
    """How a run failed."""

    DIVERGED = "diverged"  # its loss became NaN or infinite, which would happen again
    OTHER = "other"


@dataclass(frozen=True)
class DataRecord:
    """The images that a run was trained on.

    Attributes:
        name: Short name of the dataset.
        source: A known name or an absolute path.
        fingerprint: A hash of the images and their splits.
        class_names: Names of the classes, in the order of the labels.
        image_shape: Height and width in pixels, and channels.
        num_train: Number of training images.
        num_validation: Number of validation images.
        num_test: Number of test images.
        notes: Remarks about the dataset that were shown to the user.
        kind: "images" of a source, whose pixels eyetune reads and scales itself, or "arrays" that
            the user gave, of any shape. Then `class_names` is empty unless the labels are classes,
            and `image_shape` is the shape of one sample, or empty if it has several arrays.
    """

    name: str
    source: str
    fingerprint: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]
    num_train: int
    num_validation: int
    num_test: int
    notes: tuple[str, ...] = ()
    kind: Literal["images", "arrays"] = "images"

    @property
    def has_images(self) -> bool:
        """Whether it consists of images whose pixels eyetune reads and scales itself."""
        return self.kind == "images"

    @property
    def noun(self) -> str:
        """What texts call one of its samples: image, or sample where it may be anything else."""
        return "image" if self.has_images else "sample"

    @property
    def sizes_text(self) -> str:
        """How many samples each split has; of arrays and batches, only what is known."""
        sizes = {"train": self.num_train, "validation": self.num_validation, "test": self.num_test}
        known = [f"{size:,} {name}" for name, size in sizes.items() if size or self.has_images]
        return ", ".join(known)


@dataclass(frozen=True)
class Results:
    """The results of a run, of the network with the weights of the kept epoch, in float32.

    Attributes:
        kept_epoch: The epoch whose weights were kept, 1 or more.
        validation_loss: Loss on the validation images; cross-entropy for a classifier. None: there
            are none.
        validation_accuracy: Accuracy on the validation images, 0 to 1: for every choice. None: the
            network does not measure it, or there are none.
        test_loss: Cross-entropy on the test images; None: they have not been used.
        test_accuracy: Accuracy on the test images, 0 to 1: for the final report; None: they have
            not been used.
        linear_accuracy: Validation accuracy of a linear classifier on the pixels, 0 to 1; None: not
            computed.
    """

    kept_epoch: int
    validation_loss: float | None
    validation_accuracy: float | None
    test_loss: float | None = None
    test_accuracy: float | None = None
    linear_accuracy: float | None = None

    @property
    def validation_rows(self) -> dict[str, str]:
        """The result on validation images as text, by name: accuracy, or else loss.

        Example:
            >>> Results(1, validation_loss=0.5, validation_accuracy=None).validation_rows
            {'validation loss': '0.5'}
        """
        if self.validation_accuracy is not None:
            return {"validation accuracy": f"{self.validation_accuracy:.2%}"}
        if self.validation_loss is not None:
            return {"validation loss": f"{self.validation_loss:.4g}"}
        return {}


@dataclass(frozen=True, repr=False)
class RunRecord(Summarized):
    """One run.

    Attributes:
        id: Eight hexadecimal digits.
        name: The name that the user gave it, or "".
        state: Its state.
        created_at: When it began, in UTC.
        seed: Random seed.
        own_recipe: What was trained and how; None for a training by Keras's own `fit`.
        data: The images that it was trained on.
        network: The layers of the network and their costs.
        precision: The arithmetic that was used: "float32" or "bfloat16".
        threads: Threads of the arithmetic; 0: one for each core.
        deterministic: Whether only operations that repeat exactly were used.
        versions: Versions of eyetune and the libraries that matter.
        num_epochs_done: Completed epochs.
        duration_seconds: Wall time of its epochs, in seconds.
        images_per_second: Training images per second over all epochs.
        results: Its results; None until it is complete.
        error: Why it failed, for a FAILED run.
        failure: How it failed, for a FAILED run.
        lab_id: Id of the lab that made it for a comparison or for its final training, if any.
        study_id: Id of the study that it is a trial of, if any.
        callbacks: The Keras callbacks that the user gave to its training, each as its class with
            its settings.
        continued_from: Id of the run whose checkpoint it began with, if it continues one for more
            epochs.
        keras_fit: How the network was compiled and trained, if `eyetune.Callback` recorded a
            training by Keras's own `fit`: epochs, batch_size, optimizer, loss and others. None for
            a training of a recipe.
        note: What the user wrote about it, or "".
        tags: Words that the user gave it to find it by, in the order of the alphabet.
        deleted_at: When the user deleted it; None if it is not in the trash.
    """

    id: str
    name: str
    state: RunState
    created_at: datetime
    seed: int
    own_recipe: Recipe | None
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
    failure: RunFailure | None = None
    lab_id: str | None = None
    study_id: str | None = None
    callbacks: tuple[str, ...] = ()
    continued_from: str | None = None
    keras_fit: Mapping[str, Any] | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    deleted_at: datetime | None = None

    @property
    def headline(self) -> str:
        """What it is, and the outcome, in one line."""
        epochs = count_text(self.num_epochs_done, "epoch")
        text = f"{self.label}: {self.state}, {self.data.name}, {epochs}"
        if self.results is None or self.results.validation_accuracy is None:
            return text
        return f"{text}, {self.results.validation_accuracy:.1%} on validation"

    @property
    def summary(self) -> Summary:
        """What a notebook shows below the headline."""
        sizes = self.data.sizes_text
        speed = f" ({self.speed_text})" if self.speed_text else ""
        rows = {
            "run": self.label,
            "state": str(self.state),
            "data": f"{self.data.name} ({sizes})" if sizes else self.data.name,
            "epochs": f"{self.num_epochs_done} of {self.num_epochs_planned}",
            "parameters": f"{self.network.parameters:,}",
            "time": f"{self.duration_seconds:,.0f} s{speed}",
        }
        if self.results is not None:
            rows |= self.results.validation_rows
            if self.results.test_accuracy is not None:
                rows["test accuracy"] = f"{self.results.test_accuracy:.2%}"
        if self.error:
            rows["error"] = self.error
        return Summary(rows)

    @property
    def recipe(self) -> Recipe:
        """What was trained and how.

        Raises:
            UsageError: It was trained by Keras's own `fit`, and has no recipe.
        """
        if self.own_recipe is None:
            raise UsageError(
                f"Run {self.label} has no recipe: eyetune.Callback recorded it from model.fit.",
                expected="a run of eyetune train, a lab or a study",
                fix="Train it in the script that made it, or load its network: "
                f'eyetune.open_run("{self.id}").model()',
            )
        return self.own_recipe

    @property
    def resize(self) -> Resize:
        """How photos become images of its network.

        Without a recipe, photos are squashed, as Keras's loaders do.
        """
        return self.own_recipe.data.resize if self.own_recipe else "squash"

    @property
    def num_epochs_planned(self) -> int:
        """Number of epochs that it trains if nothing ends it before."""
        if self.keras_fit is not None:
            return int(self.keras_fit.get("epochs") or 0)
        return self.recipe.fit.total_epochs

    @property
    def speed_text(self) -> str:
        """Its training samples per second, such as "900 images/s"; "" if that is not known."""
        speed = self.images_per_second
        return f"{speed:,.0f} {self.data.noun}s/s" if speed else ""

    @cached_property
    def differences(self) -> str:
        """What its recipe changes in the default recipe, or how its network was compiled."""
        if self.own_recipe is not None:
            return ", ".join(change.text for change in changes_from_default(self.own_recipe))
        settings = self.keras_fit or {}
        optimizer = (settings.get("optimizer") or {}).get("name")
        parts = {"optimizer": optimizer, "loss": settings.get("loss")}
        parts["batch_size"] = settings.get("batch_size")
        known = [f"{name}={value}" for name, value in parts.items() if value is not None]
        return ", ".join(["model.fit", *known])

    @property
    def label(self) -> str:
        """Its name, if it has one, and its id."""
        return f"{self.name} ({self.id})" if self.name else self.id

    @property
    def diverged(self) -> bool:
        """Whether its loss became NaN or infinite, which with the same seed would happen again."""
        return self.state is RunState.FAILED and self.failure is RunFailure.DIVERGED

    @property
    def is_over(self) -> bool:
        """Whether training it again would change nothing."""
        return self.state is RunState.COMPLETE or self.diverged

    @property
    def trained_on_validation(self) -> bool:
        """Whether it trained on its validation images, so that its accuracy on them says little."""
        return self.own_recipe is not None and self.own_recipe.data.train_on_validation

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain JSON values."""
        return {
            "run": self.id,
            "name": self.name,
            "state": str(self.state),
            "created_at": self.created_at.isoformat(timespec="seconds"),
            "seed": self.seed if self.own_recipe else None,
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
            "failure": self.failure and str(self.failure),
            "lab": self.lab_id,
            "study": self.study_id,
            "callbacks": list(self.callbacks),
            "continued_from": self.continued_from,
            "trained_on_validation": self.trained_on_validation,
            "note": self.note,
            "tags": list(self.tags),
            "deleted_at": self.deleted_at and self.deleted_at.isoformat(timespec="seconds"),
            "recipe": self.own_recipe
            and self.own_recipe.model_dump(mode="json", exclude_none=True),
            "keras_fit": self.keras_fit and dict(self.keras_fit),
        }


def require_results(record: RunRecord) -> Results:
    """Return the results of a complete run.

    Raises:
        UsageError: The run is not complete.
    """
    if record.results is None:
        fix = f"eyetune train --resume {record.id}"
        if record.own_recipe is None:
            fix = "Train it in the script that made it."
        raise UsageError(
            f"Run {record.label} is {record.state}: it has no results yet.",
            received=f"{record.num_epochs_done} of {record.num_epochs_planned} epochs",
            fix=fix,
        )
    return record.results


def require_images(record: RunRecord) -> tuple[int, int, int]:
    """Return the shape of the images that a run was trained on: height, width, channels.

    Raises:
        DataError: It was trained on arrays that a user gave, whose scaling eyetune does not know.
    """
    if not record.data.has_images:
        raise DataError(
            f"Run {record.label} was trained on data that was given as arrays, and this needs "
            "images of a source, whose pixels eyetune scales itself.",
            expected="a run on a named source, a folder of images or an .npz file",
            received=record.data.source,
            fix="Use the network with your own code: Run.model(). A board needs to know the pixels "
            "of its camera: save the model as a .keras file, then "
            "eyetune export FILE.keras --data FOLDER --pixels 0-1",
        )
    height, width, channels = record.data.image_shape
    return height, width, channels
