"""The images and labels that a user's `fit` gets, with eyetune's pipeline behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eyetune.data.dataset import Dataset, one_hot
from eyetune.models.model_function.checking import Fit
from eyetune.training.model_function.scaled_images import ScaledImages, plain
from eyetune.training.pipeline import evaluation_batches


class UserData:
    """Training and validation data as arrays, as in `tuner.search(x, y, validation_data=...)`.

    Args:
        dataset: The images.
        fit: The form of images and labels that the network needs.

    Attributes:
        train: Images and labels.
        validation: Images and labels.
    """

    def __init__(self, dataset: Dataset, fit: Fit) -> None:
        self._dataset = dataset
        self._fit = fit
        self.train = self._arrays("train")
        self.validation = self._arrays("validation")

    def _arrays(self, name: str) -> tuple[ScaledImages, Any]:
        split = self._dataset.split(name)
        images = split.images if self._fit.has_channels else split.images[..., 0]
        if self._fit.integer_labels:
            return ScaledImages(images), np.array(split.labels)
        return ScaledImages(images), one_hot(split.labels, self._dataset.num_classes)

    def is_trained_on(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether `fit` got the training data unchanged, to be trained on as usual.

        Args:
            arguments: Arguments of the call of `fit`.
        """
        is_unchanged = arguments.get("x") is self.train[0] and arguments.get("y") is self.train[1]
        has_weights = arguments.get("sample_weight") is not None
        has_steps = arguments.get("steps_per_epoch") is not None
        is_shuffled = arguments.get("shuffle", True) is True
        is_split = bool(arguments.get("validation_split"))
        return is_unchanged and is_shuffled and not (has_weights or has_steps or is_split)

    def validation_of(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the `validation_data` for an epoch: eyetune's pipeline, or the user's own data.

        Args:
            arguments: Arguments of the call of `fit`.
        """
        data = arguments.get("validation_data")
        if data is None:
            return {}
        parts = data if isinstance(data, list | tuple) else [data]
        if len(parts) == 2 and parts[0] is self.validation[0] and parts[1] is self.validation[1]:
            return {"validation_data": self.batches("validation")}
        return {"validation_data": plain(data)}

    def batches(self, name: str) -> Any:
        """Return all images of a split in their order, in the form that the network needs."""
        return evaluation_batches(
            self._dataset.split(name), self._dataset.num_classes, adapt=self.adapt
        )

    def adapt(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """Return a batch of the pipeline in the form that the network needs."""
        import tensorflow as tf

        images = images if self._fit.has_channels else images[..., 0]
        if self._fit.integer_labels:
            labels = tf.argmax(labels, axis=1, output_type=tf.int32)
        return images, labels
