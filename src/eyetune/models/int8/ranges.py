"""The ranges of the tensors of an int8 network: which tensors have one, and how wide it should be.

TensorFlow Lite gives each tensor between two operators one scale and one zero point. Some operators
keep those of their input, others have fixed ones; see the specification at
https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/quantization_spec.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from eyetune.models.int8.folding import WITH_FIXED_RANGE, Floats, FoldedNetwork, Kind
from eyetune.values.pixels import PIXEL_LIMITS

NUM_LEVELS = 256
# Factors on a bound that are tried: from all values inside to a thousandth of them.
_FACTORS = 0.85 ** np.arange(44)
_MIN_WIDTH = 1e-6  # of the range of a tensor that is always 0
_FUSED = ("relu", "relu6")  # which end a convolution, a dense layer or a sum at no cost


@dataclass(frozen=True)
class Range:
    """The values that an int8 tensor can hold.

    Attributes:
        minimum: The smallest value, 0 or less.
        maximum: The largest value, 0 or more, and above the minimum.

    Example:
        >>> Range.around(0.5, 2.0)
        Range(minimum=0.0, maximum=2.0)
        >>> Range(-100.0, 155.0).scale
        1.0
    """

    minimum: float
    maximum: float

    @classmethod
    def around(cls, minimum: float, maximum: float) -> Range:
        """Return the smallest range with two values and 0 in it."""
        low, high = min(minimum, 0.0), max(maximum, 0.0)
        return cls(low, max(high, low + _MIN_WIDTH))

    @property
    def scale(self) -> float:
        """The difference between two neighboring values."""
        return (self.maximum - self.minimum) / (NUM_LEVELS - 1)

    def rounded(self, values: Floats) -> Floats:
        """Return values as an int8 tensor with this range holds them."""
        zero_point = np.rint(-self.minimum / self.scale)
        steps = np.clip(np.rint(values / self.scale) + zero_point, 0, NUM_LEVELS - 1)
        return np.asarray((steps - zero_point) * self.scale, np.float32)


# Range of each int8 tensor, by the index of the first node that has it
Ranges = Mapping[int, Range]

_PROBABILITIES = Range(0.0, 1.0 - 1 / NUM_LEVELS)
_TANH = Range(-1.0, 1.0 - 2 / NUM_LEVELS)


def fixed_ranges(network: FoldedNetwork) -> dict[int, Range]:
    """Return the ranges that the int8 arithmetic prescribes: of images, and of some activations."""
    fixed = {0: Range(*PIXEL_LIMITS[network.pixels])}
    for index, node in enumerate(network.nodes):
        if node.activation in WITH_FIXED_RANGE:
            fixed[index] = _TANH if node.activation == "tanh" else _PROBABILITIES
    return fixed


def range_owners(network: FoldedNetwork) -> tuple[int | None, ...]:
    """Return for each node the node whose range it has.

    None for a node whose values are never stored: the operator that computes them also computes the
    ReLU that follows.

    Example:
        >>> import keras
        >>> from eyetune.models.int8.folding import fold
        >>> layers = [keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, activation="relu")]
        >>> layers += [keras.layers.MaxPooling2D(), keras.layers.Conv2D(4, 3)]
        >>> range_owners(fold(keras.Sequential(layers)))
        (0, None, 2, 2, 4)
    """
    readers = network.readers()
    owners: list[int | None] = []
    for index, node in enumerate(network.nodes):
        if node.kind is Kind.SELECTION:
            owners.append(owners[node.inputs[0]])
        elif node.kind is Kind.CONCATENATION:
            first = min(owner for source in node.inputs if (owner := owners[source]) is not None)
            joined = {owners[source] for source in node.inputs}
            owners = [first if owner in joined else owner for owner in owners]
            owners.append(first)
        else:
            is_fused = (
                node.kind in (Kind.WEIGHTED, Kind.SUM)
                and len(readers[index]) == 1
                and network.nodes[readers[index][0]].activation in _FUSED
            )
            owners.append(None if is_fused else index)
    return tuple(owners)


def min_error_range(samples: Floats, full: Range) -> Range:
    """Return the range that holds a tensor's values with the least mean squared error.

    A narrow range rounds most values less and cuts off a few.

    Args:
        samples: Some of the tensor's values.
        full: The range of all of its values.
    """

    def error(bounds: tuple[float, float]) -> float:
        return float(np.mean((Range(*bounds).rounded(samples) - samples) ** 2))

    best = (full.minimum, full.maximum)
    for _ in range(2):  # the best bound on one side depends on the other
        highs = [(best[0], full.maximum * factor) for factor in _FACTORS]
        best = min((bounds for bounds in highs if _is_wide(bounds)), key=error, default=best)
        lows = [(full.minimum * factor, best[1]) for factor in _FACTORS]
        best = min((bounds for bounds in lows if _is_wide(bounds)), key=error, default=best)
    return Range(*best)


def _is_wide(bounds: tuple[float, float]) -> bool:
    return bounds[1] - bounds[0] >= _MIN_WIDTH
