"""What a frozen base makes of images: computed once, kept on disk, used by every training that needs the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


def features(
    section: ModelSection,
    weights: Weights,
    dataset: Dataset,
    name: str,
    on_note: Callable[[str], None] = lambda _: None,
) -> Features:
    """Return the features of a split, from the cache or computed now.

    They are computed in float32, a batch at a time, so memory does not grow with the data.

    Args:
        section: The recipe's model section, with a base.
        weights: Of the base.
        dataset: Its fingerprint, with the digest of the weights, says what the features follow from.
        name: Of the split: "train" or "validation".
        on_note: Called with a line now and then while they are computed.

    Raises:
        DataError: The cache cannot be written.
    """
    split = dataset.split(name)
    network = build(section, dataset.image_shape, dataset.num_classes)
    put(weights, network)
    part = features_of(network)
    values = cache.computed(
        {
            "kind": "features",
            "data": dataset.fingerprint,
            "split": name,
            "image_shape": dataset.image_shape,
            "base": section.base,
            "weights": weights.digest,
            "pooling": section.global_pooling,
        },
        (len(split), part.output_shape[-1]),
        lambda: predicted(part, split, f"Features of the {name} images from {section.base}", on_note),
        name=f"{section.base} features",
        source=dataset.source,
    )
    return Features(values, split.labels)


def predicted(model: keras.Model, split: Split, title: str, on_note: Callable[[str], None]) -> Iterator[Floats]:
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
