"""What a frozen base makes of images: computed once, kept on disk, used by every training that
needs the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from eyetune.data import Dataset, Split, cache
from eyetune.data.dataset import Floats, Labels
from eyetune.models.build import build
from eyetune.models.transfer import features_of
from eyetune.models.weights import Weights, put
from eyetune.recipe import ModelSection
from eyetune.training.pipeline import evaluation_batches

if TYPE_CHECKING:
    import keras

NOTE_EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Features:
    """Images as the head of a network sees them.

    Attributes:
        images: float32, shape (N, numbers), a view of a memory-mapped file.
        labels: int64, shape (N,).
    """

    images: Floats
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class FrozenBackbone:
    """A frozen base and the images that it looks at.

    Attributes:
        section: The recipe's model section.
        weights: Of the base.
        dataset: Its fingerprint, with the digest of the weights, says what the features follow
            from.
        on_note: Called with a line now and then while features are computed.
    """

    section: ModelSection
    weights: Weights
    dataset: Dataset
    on_note: Callable[[str], None] = lambda _: None

    def features(self, name: str) -> Features:
        """Return the features of a split ("train" or "validation"), from the cache or computed now.

        They are computed in float32, a batch at a time, so memory does not grow with the data.

        Raises:
            DataError: The cache cannot be written.
        """
        split = self.dataset.split(name)
        values = cache.computed(
            {
                "kind": "features",
                "data": self.dataset.fingerprint,
                "split": name,
                "image_shape": self.dataset.image_shape,
                "base": self.section.base,
                "weights": self.weights.digest,
                "pooling": self.section.global_pooling,
            },
            (len(split), self._network.output_shape[-1]),
            lambda: predicted(
                self._network,
                split,
                f"Features of the {name} images from {self.section.base}",
                self.on_note,
            ),
            name=f"{self.section.base} features",
            source=self.dataset.source,
        )
        return Features(values, split.labels)

    @cached_property
    def _network(self) -> keras.Model:
        network = build(self.section, self.dataset.image_shape, self.dataset.num_classes)
        put(self.weights, network)
        return features_of(network)


def predicted(
    model: keras.Model, split: Split, title: str, on_note: Callable[[str], None]
) -> Iterator[Floats]:
    """Yield what a network says of a split's images, batch by batch, with a note now and then."""
    total, done, noted = len(split), 0, time.monotonic()
    on_note(f"{title}: computed once for all trainings, {total:,} images")
    for images, _ in evaluation_batches(split, 1):
        rows = np.asarray(model.predict_on_batch(images), np.float32)
        yield rows
        done += len(rows)
        if time.monotonic() - noted > NOTE_EVERY_SECONDS:
            noted = time.monotonic()
            on_note(f"{title}: {done:,} of {total:,}")
