"""The learned filters of a network's first convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.models.activations.trace import calls_on_black, outline
from eyetune.values.activations import Filters

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]


def first_filters(model: keras.Model) -> Filters | None:
    """Return the kernels of the first convolution, the strongest first; None without convolution.

    Args:
        model: A built model.

    Example:
        >>> from eyetune.models.cnn import build
        >>> from eyetune.recipe import ModelSection
        >>> first_filters(build(ModelSection(), (32, 32, 3), 10)).kernels.shape
        (32, 3, 3, 3)
    """
    step = next((step for step in outline(model) if step.is_convolution), None)
    if step is None:
        return None
    kernels = _kernels(calls_on_black(model)[step.index].layer)
    order = np.argsort(-(kernels**2).sum(axis=(1, 2, 3)), kind="stable")
    return Filters(step.layer, order, kernels[order])


def _kernels(layer: Any) -> Floats:
    """Return the kernels of a convolution, shape (filters, height, width, input channels)."""
    from keras import ops

    kind = type(layer).__name__
    weights = layer.depthwise_kernel if kind == "SeparableConv2D" else layer.kernel
    values = np.asarray(ops.convert_to_tensor(weights), np.float32)
    if kind in ("DepthwiseConv2D", "SeparableConv2D"):
        # (height, width, channels, filters of each channel)
        return values.reshape(*values.shape[:2], -1).transpose(2, 0, 1)[..., np.newaxis]
    if kind == "Conv2DTranspose":  # (height, width, filters, channels)
        return values.transpose(2, 0, 1, 3)
    return values.transpose(3, 0, 1, 2)
