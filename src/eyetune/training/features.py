"""Features of images from a frozen backbone: computed once, cached, and used by all trainings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from eyetune.data import Split, cache
from eyetune.data.dataset import Floats, Labels
from eyetune.models.build import build
from eyetune.models.transfer import features_of
from eyetune.models.weights import put
from eyetune.training.pipeline import evaluation_batches

if TYPE_CHECKING:
    import keras

    from eyetune.training.prepared_network import PreparedNetwork

NOTE_EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Features:
    """The output of a backbone for each image, which is the input of a network's head.

    Attributes:
        images: float32, shape (N, features), a view of a memory-mapped file.
        labels: int64, shape (N,).
    """

    images: Floats
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class FrozenBackbone:
    """The frozen backbone of a network, and the features that it computes from images.

    Attributes:
        prepared: The network, with a backbone and its initial weights.
        on_note: Called with a line of text now and then while features are computed.
    """

    prepared: PreparedNetwork
    on_note: Callable[[str], None] = lambda _: None

    def features(self, split_name: str) -> Features:
        """Return the features of a split ("train" or "validation"), from the cache or computed now.

        They are computed in float32 and a batch at a time, so memory does not grow with the data.

        Raises:
            DataError: The cache cannot be written.
        """
        section, dataset = self.prepared.recipe.model, self.prepared.images
        weights = self.prepared.backbone_weights
        assert weights is not None
        split = dataset.split(split_name)
        values = cache.computed(
            {
                "kind": "features",
                "data": dataset.fingerprint,
                "split": split_name,
                "image_shape": dataset.image_shape,
                "base": section.base,
                "weights": weights.digest,
                "pooling": section.global_pooling,
            },
            (len(split), features_of(self.prepared.model).output_shape[-1]),
            lambda: predicted(
                self._extractor,
                split,
                f"Features of the {split_name} images from {section.base}",
                self.on_note,
            ),
            name=f"{section.base} features",
            source=dataset.source,
        )
        return Features(values, split.labels)

    @cached_property
    def _extractor(self) -> keras.Model:
        """A float32 network from images to features."""
        prepared = self.prepared
        if prepared.precision == "float32":
            return features_of(prepared.model)
        dataset = prepared.images
        model = build(prepared.recipe.model, dataset.image_shape, dataset.num_classes)
        assert prepared.backbone_weights is not None
        put(prepared.backbone_weights, model)
        return features_of(model)


def predicted(
    model: keras.Model, split: Split, title: str, on_note: Callable[[str], None]
) -> Iterator[Floats]:
    """Yield the outputs of a network for a split's images, batch by batch.

    Args:
        model: The network.
        split: The images.
        title: What is computed, for the notes.
        on_note: Called with a line of text at the start and about every ten seconds.
    """
    total, done, noted = len(split), 0, time.monotonic()
    on_note(f"{title}: computed once for all trainings, {total:,} images")
    for images, _ in evaluation_batches(split, 1):
        rows = np.asarray(model.predict_on_batch(images), np.float32)
        yield rows
        done += len(rows)
        if time.monotonic() - noted > NOTE_EVERY_SECONDS:
            noted = time.monotonic()
            on_note(f"{title}: {done:,} of {total:,}")
