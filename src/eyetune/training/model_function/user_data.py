"""The data that a user's `fit` gets, with eyetune's batches behind it.

A network of a model function is trained on the images of a source (`ImageData`), or on samples
exactly as the user gave them (`SampleData`). Both offer the same to a training (`UserData`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from eyetune.data import AnyDataset, ArrayDataset, Dataset
from eyetune.data.batches import usual_batch_size
from eyetune.data.dataset import one_hot
from eyetune.models.model_function import Built
from eyetune.models.model_function.checking import Fit
from eyetune.recipe import Recipe
from eyetune.training.model_function import sample_batches
from eyetune.training.model_function.scaled_images import ScaledImages, plain
from eyetune.training.pipeline import evaluation_batches, images_per_epoch, training_batches
from eyetune.values.samples import Form, Order, Samples

KERAS_BATCH_SIZE = 32  # the default of `Model.fit`

# Batches of an epoch as a `tf.data.Dataset`, and the function that sets the epoch.
Batches = tuple[Any, Callable[[int], None]]


class UserData(Protocol):
    """What a training needs to know about its data.

    Attributes:
        train: What the user's `fit` gets to train on: x and y, as far as they are given.
        offered: Further arguments of the user's `fit`: validation data, weights.
        num_train: Number of samples in an epoch.
        sample_bytes: Size of the inputs of a sample in memory, as Keras computes with them.
        has_batches: Whether the user gave the data in batches, whose sizes are kept.
    """

    train: tuple[Any, ...]
    offered: Mapping[str, Any]
    num_train: int
    sample_bytes: int
    has_batches: bool

    def is_trained_on(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether `fit` got the training data unchanged, to be trained on as usual."""

    def validation_of(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return `validation_data` for an epoch: eyetune's batches, or the user's own data."""

    def batch_size(self, arguments: Mapping[str, Any]) -> int:
        """Return the number of samples in a training step."""

    def can_join_batches(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether several batches may be delivered at once."""

    def training_batches(self, arguments: Mapping[str, Any], batch_size: int, seed: int) -> Batches:
        """Return the batches of an epoch, and the function that sets the epoch."""

    def evaluation_batches(self, split: str) -> Any:
        """Return all samples of a split in their order; None if there is no such split."""


def user_data(dataset: AnyDataset, built: Built, recipe: Recipe) -> UserData:
    """Return the data of a training in the form that a network needs.

    Args:
        dataset: The data.
        built: The network.
        recipe: It says how images are augmented.
    """
    if isinstance(dataset, Dataset):
        return ImageData(dataset, built.fit, recipe)
    return SampleData(dataset)


class ImageData:
    """Images of a source as arrays: scaled, and in the form that the network needs.

    Args:
        dataset: The images.
        fit: The form of images and labels that the network needs.
        recipe: It says how images are augmented.
    """

    def __init__(self, dataset: Dataset, fit: Fit, recipe: Recipe) -> None:
        self._dataset = dataset
        self._fit = fit
        self._recipe = recipe
        self.train: tuple[Any, ...] = self._arrays("train")
        self._validation = self._arrays("validation")
        self.offered: Mapping[str, Any] = {"validation_data": self._validation}
        self.num_train = images_per_epoch(dataset.train, recipe.augment)
        self.sample_bytes = 4 * int(np.prod(dataset.image_shape))  # float32
        self.has_batches = False

    def _arrays(self, name: str) -> tuple[ScaledImages, Any]:
        split = self._dataset.split(name)
        images = split.images if self._fit.has_channels else split.images[..., 0]
        if self._fit.integer_labels:
            return ScaledImages(images), np.array(split.labels)
        return ScaledImages(images), one_hot(split.labels, self._dataset.num_classes)

    def is_trained_on(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether `fit` got the training data unchanged, to be trained on as usual."""
        is_unchanged = arguments.get("x") is self.train[0] and arguments.get("y") is self.train[1]
        has_weights = arguments.get("sample_weight") is not None
        has_steps = arguments.get("steps_per_epoch") is not None
        is_shuffled = arguments.get("shuffle", True) is True
        is_split = bool(arguments.get("validation_split"))
        return is_unchanged and is_shuffled and not (has_weights or has_steps or is_split)

    def validation_of(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return `validation_data` for an epoch: eyetune's batches, or the user's own data."""
        data = arguments.get("validation_data")
        if data is None:
            return {}
        if _is_same(data, self._validation):
            return {"validation_data": self.evaluation_batches("validation")}
        return {"validation_data": plain(data)}

    def batch_size(self, arguments: Mapping[str, Any]) -> int:
        """Return the number of images in a training step."""
        return int(arguments.get("batch_size") or KERAS_BATCH_SIZE)

    def can_join_batches(self, arguments: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Return whether several batches may be delivered at once."""
        return True

    def training_batches(
        self,
        arguments: Mapping[str, Any],  # noqa: ARG002
        batch_size: int,
        seed: int,
    ) -> Batches:
        """Return the batches of an epoch, and the function that sets the epoch."""
        return training_batches(
            self._dataset.train,
            self._dataset.num_classes,
            batch_size,
            seed,
            self._recipe.augment,
            adapt=self._adapt,
            camera=self._recipe.data.camera,
            camera_share=self._recipe.data.camera_share,
        )

    def evaluation_batches(self, split: str) -> Any:
        """Return all images of a split in their order."""
        return evaluation_batches(
            self._dataset.split(split), self._dataset.num_classes, adapt=self._adapt
        )

    def _adapt(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """Return a batch of the pipeline in the form that the network needs."""
        import tensorflow as tf

        images = images if self._fit.has_channels else images[..., 0]
        if self._fit.integer_labels:
            labels = tf.argmax(labels, axis=1, output_type=tf.int32)
        return images, labels


class SampleData:
    """Samples exactly as a user gave them.

    Args:
        dataset: The samples.
    """

    def __init__(self, dataset: ArrayDataset) -> None:
        self._dataset = dataset
        self._given = dataset.given
        self._form = self._given.form
        self.num_train = len(dataset.train)
        self.sample_bytes = self._given.bytes_per_sample
        self.has_batches = bool(self._given.batch_sizes)
        self.train = _as_given(self._given)[:2]
        self.offered: Mapping[str, Any] = self._offered()

    def _offered(self) -> dict[str, Any]:
        offered: dict[str, Any] = {}
        if self._form is Form.ARRAYS and self._given.sample_weight is not None:
            offered["sample_weight"] = self._given.sample_weight
        validation = self._dataset.separate_validation
        if validation is not None:
            parts = _as_given(validation)
            offered["validation_data"] = parts[0] if validation.batch_sizes else parts
        elif self._dataset.validation_split:
            offered["validation_split"] = self._dataset.validation_split
        return offered

    def is_trained_on(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether `fit` got the training data unchanged, to be trained on as usual."""
        x, y = (*self.train, None)[:2]
        is_unchanged = arguments.get("x") is x and arguments.get("y") is y
        for name in ("sample_weight", "validation_split"):
            is_unchanged &= _or_none(arguments.get(name)) is _or_none(self.offered.get(name))
        steps = arguments.get("steps_per_epoch")
        num_batches = len(self._given.batch_sizes)
        return is_unchanged and steps in (None, num_batches or None)

    def validation_of(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return `validation_data` for an epoch: eyetune's batches, or the user's own data."""
        data, offered = arguments.get("validation_data"), self.offered.get("validation_data")
        if data is None:
            is_split = self.is_trained_on(arguments) and "validation_split" in self.offered
            return {"validation_data": self._validation_batches(arguments)} if is_split else {}
        is_offered = data is offered or (isinstance(offered, tuple) and _is_same(data, offered))
        return {"validation_data": self._validation_batches(arguments) if is_offered else data}

    def _validation_batches(self, arguments: Mapping[str, Any]) -> Any:
        # As large as Keras's: a metric of the user's own may average over batches.
        size = arguments.get("validation_batch_size") or self.batch_size(arguments)
        return self.evaluation_batches("validation", int(size))

    def batch_size(self, arguments: Mapping[str, Any]) -> int:
        """Return the number of samples in a training step."""
        if self._given.batch_sizes:
            return usual_batch_size(self._given.batch_sizes)
        return int(arguments.get("batch_size") or KERAS_BATCH_SIZE)

    def can_join_batches(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether several batches may be delivered at once: where all have one size."""
        order = self._order(arguments)
        sizes = set(self._given.batch_sizes[:-1])
        return order is Order.SHUFFLED or (order is Order.FIXED and len(sizes) < 2)

    def training_batches(self, arguments: Mapping[str, Any], batch_size: int, seed: int) -> Batches:
        """Return the batches of an epoch, and the function that sets the epoch."""
        train, order = self._dataset.train, self._order(arguments)
        return sample_batches.training_batches(train, batch_size, seed, order)

    def _order(self, arguments: Mapping[str, Any]) -> Order:
        if self._form is not Form.ARRAYS:
            return self._given.order
        shuffle = arguments.get("shuffle", True)
        if shuffle == "batch":
            return Order.BATCHES
        return Order.SHUFFLED if shuffle else Order.FIXED

    def evaluation_batches(self, split: str, batch_size: int = KERAS_BATCH_SIZE) -> Any:
        """Return all samples of a split in their order; None if there is no such split."""
        samples = self._dataset.split(split)
        return None if samples is None else sample_batches.evaluation_batches(samples, batch_size)


def _as_given(samples: Samples) -> tuple[Any, ...]:
    """Return samples as a user gave them: arrays, or one source of batches."""
    if samples.form is Form.ARRAYS:
        return samples.parts
    batches = sample_batches.evaluation_batches(samples, KERAS_BATCH_SIZE)
    if samples.form is Form.DATASET:
        return (batches,)
    return (_py_dataset(samples),)


def _py_dataset(samples: Samples) -> Any:
    import keras

    ends = np.cumsum(samples.batch_sizes)

    class StoredBatches(keras.utils.PyDataset):  # type: ignore[misc]
        """The batches of a source as they were read."""

        def __len__(self) -> int:
            return len(ends)

        def __getitem__(self, index: int) -> Any:
            end = int(ends[index])
            parts = samples.take(end - samples.batch_sizes[index], end).parts
            return parts[0] if len(parts) == 1 else parts

    return StoredBatches()


def _is_same(data: Any, offered: tuple[Any, ...]) -> bool:
    """Return whether a user passed on the arrays that were offered."""
    parts = data if isinstance(data, list | tuple) else [data]
    pairs = zip(parts, offered, strict=False)
    return len(parts) == len(offered) and all(mine is theirs for mine, theirs in pairs)


def _or_none(value: Any) -> Any:
    """Return a value, or None for 0: Keras takes both as not given."""
    return None if isinstance(value, float | int) and not value else value
