"""What a user's `fit` is handed: images and labels as the network takes them, with our pipeline
behind them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eyetune.data.dataset import Dataset, one_hot
from eyetune.models.model_function.checking import Fit
from eyetune.training.model_function.scaled_images import ScaledImages, plain
from eyetune.training.pipeline import evaluation_batches


class UserData:
    """Training and validation images with their labels, as `tuner.search(x, y,
    validation_data=...)` takes them.

    Args:
        dataset: The images.
        fit: What the network takes.

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
        classes = self._dataset.num_classes
        return ScaledImages(images), np.array(
            split.labels
        ) if self._fit.integer_labels else one_hot(split.labels, classes)

    def is_trained_on(self, given: Mapping[str, Any]) -> bool:
        """Tell whether `fit` got the very images and labels that were handed over, to be trained on
        as usual.
        """
        same = given.get("x") is self.train[0] and given.get("y") is self.train[1]
        unusual = given.get("sample_weight") is not None or given.get("steps_per_epoch") is not None
        return (
            same
            and not unusual
            and given.get("shuffle", True) is True
            and not given.get("validation_split")
        )

    def validation_of(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what an epoch is validated on: our pipeline, unless the user wants something else."""
        data = given.get("validation_data")
        if data is None:
            return {}
        parts = data if isinstance(data, list | tuple) else [data]
        if len(parts) == 2 and all(
            mine is theirs for mine, theirs in zip(self.validation, parts, strict=True)
        ):
            return {"validation_data": self.batches("validation")}
        return {"validation_data": plain(data)}

    def batches(self, name: str) -> Any:
        """Return all images of a split in their order, as the network takes them."""
        return evaluation_batches(
            self._dataset.split(name), self._dataset.num_classes, adapt=self.adapt
        )

    def adapt(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """Turn a batch of the pipeline into what the network takes."""
        import tensorflow as tf

        images = images if self._fit.has_channels else images[..., 0]
        return images, tf.argmax(
            labels, axis=1, output_type=tf.int32
        ) if self._fit.integer_labels else labels
