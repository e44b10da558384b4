"""What a folded network computes on images: the values of its tensors, and the ranges for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.models.int8.folding import Floats, FoldedNetwork, Kind
from eyetune.models.int8.layers import called, operations
from eyetune.models.int8.ranges import (
    Range,
    Ranges,
    fixed_ranges,
    min_error_range,
    range_owners,
)
from eyetune.values.pixels import scaled_pixels

_CHUNK_IMAGES = 64
_NUM_SAMPLES = 2**15  # values of each tensor


@dataclass(frozen=True)
class Observation:
    """What the tensors of a network hold for some images.

    Attributes:
        fulls: The range of all values, by the node that has the range.
        samples: Some of the values, at random, by the node that has the range.
        channels: The largest absolute value of each channel, by node, shape (channels,).
        num_images: Number of images.
    """

    fulls: Ranges
    samples: dict[int, Floats]
    channels: dict[int, Floats]
    num_images: int

    def ranges(self) -> dict[int, Range]:
        """Return the ranges that hold the values with the least error."""
        return {
            owner: min_error_range(self.samples[owner], full) if owner in self.samples else full
            for owner, full in self.fulls.items()
        }


def observe(
    network: FoldedNetwork,
    images: NDArray[np.uint8],
    on_image: Callable[[int], object] = lambda _: None,
) -> Observation:
    """Run a folded network in float, and note what its tensors hold.

    Args:
        network: The network.
        images: Pixels, uint8 of shape (N, height, width, channels), at least one image.
        on_image: Called after each chunk with the number of images that are done.
    """
    layers = operations(network)
    fixed = fixed_ranges(network)
    owners = range_owners(network)
    generator = np.random.default_rng(0)
    per_chunk = _NUM_SAMPLES // -(-len(images) // _CHUNK_IMAGES)
    bounds: dict[int, list[tuple[float, float]]] = {}
    samples: dict[int, list[Floats]] = {}
    channels: dict[int, Floats] = {}
    for start in range(0, len(images), _CHUNK_IMAGES):
        chunk = scaled_pixels(images[start : start + _CHUNK_IMAGES], network.pixels)
        for index, value in computed(network, layers, chunk):
            largest = np.abs(value).reshape(-1, value.shape[-1]).max(axis=0)
            channels[index] = np.maximum(channels.get(index, np.float32(0)), largest)
            owner = owners[index]
            # Pooling and reshaping only repeat what their input holds.
            if owner is None or owner in fixed or network.nodes[index].kind is Kind.SELECTION:
                continue
            bounds.setdefault(owner, []).append((float(value.min()), float(value.max())))
            flat = value.reshape(-1)
            chosen = generator.integers(flat.size, size=min(per_chunk, flat.size))
            samples.setdefault(owner, []).append(flat[chosen])
        on_image(min(start + _CHUNK_IMAGES, len(images)))
    fulls = {
        owner: Range.around(min(low for low, _ in pairs), max(high for _, high in pairs))
        for owner, pairs in bounds.items()
    }
    merged = {owner: np.concatenate(parts) for owner, parts in samples.items()}
    return Observation({**fulls, **fixed}, merged, channels, len(images))


def computed(
    network: FoldedNetwork, layers: list[Any], images: Floats
) -> Iterator[tuple[int, Floats]]:
    """Yield the index of each node with the values that it computes.

    Args:
        network: The network.
        layers: From `operations`.
        images: Images as the network takes them, float32 of shape (N, height, width, channels).
    """
    last_reader = {index: max(readers, default=index)
                   for index, readers in network.readers().items()}  # fmt: skip
    values: dict[int, Any] = {}
    for index, node in enumerate(network.nodes):
        values[index] = called(node, layers[index], values) if index else images
        yield index, np.asarray(values[index])
        for source in node.inputs:
            if last_reader[source] == index:
                values.pop(source, None)
