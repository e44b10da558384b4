"""What a Keras model is made of and what it costs, read off the model itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from eyetune.models.keras_internals import output_of_first_call
from eyetune.values.network import Layer, Network

if TYPE_CHECKING:
    import keras


def structure(model: keras.Model) -> Network:
    """Return the layers of a built model in order, nested models unrolled.

    Multiply-adds are counted for one image, in convolutions and dense layers: for a convolution,
    output positions times kernel size times input channels (of its group) times output channels.

    Example:
        >>> from eyetune.models.cnn import build
        >>> from eyetune.recipe import ModelSection
        >>> network = structure(build(ModelSection(), (32, 32, 3), 10))
        >>> network.parameters, network.macs
        (167562, 4040704)
    """
    layers = tuple(_layer(layer) for layer in (_flatten(model) or [model]))
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    inputs = getattr(model, "inputs", None)  # a model of the user's own class has none
    return Network(_shape(inputs[0]) if inputs else (), layers, trainable)


def _flatten(model: keras.Model) -> list[Any]:
    import keras

    found: list[Any] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model) and getattr(layer, "inputs", None):
            found += _flatten(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            found.append(layer)
    return found


def _layer(layer: Any) -> Layer:
    shape = _output_shape(layer)
    return Layer(
        name=layer.name,
        kind=type(layer).__name__,
        settings=", ".join(settings(layer)),
        output_shape=shape,
        parameters=layer.count_params() if layer.built else 0,
        macs=_macs(layer, shape),
        activation_bytes=math.prod(shape) if shape else 0,
    )


def _output_shape(layer: Any) -> tuple[int, ...]:
    """Return what a layer gives, at its first use and of several tensors the first; (): that is not
    known.
    """
    try:
        output = layer.output
    except (
        AttributeError,
        ValueError,
    ):  # it is used several times, or inside a class of the user's own
        output = output_of_first_call(layer)
    while isinstance(output, list | tuple | dict):
        output = next(iter(output.values() if isinstance(output, dict) else output), None)
    return _shape(output) if output is not None else ()


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(size or 1 for size in tensor.shape[1:])


def settings(layer: Any) -> list[str]:
    """Return what tells a layer from its siblings, a word each, for example ["3x3", "relu"]."""
    words = []
    if getattr(layer, "kernel_size", None):
        words.append("x".join(str(size) for size in layer.kernel_size))
    if getattr(layer, "pool_size", None):
        words.append("x".join(str(size) for size in layer.pool_size))
    if max(getattr(layer, "strides", None) or (1,)) > 1 and not getattr(layer, "pool_size", None):
        words.append(f"stride {layer.strides[0]}")
    if getattr(layer, "padding", None) == "same":
        words.append("same")
    activation = getattr(layer, "activation", None)
    if activation is not None and getattr(activation, "__name__", "linear") != "linear":
        words.append(activation.__name__)
    if type(layer).__name__ == "Dropout":
        words.append(f"rate {layer.rate:g}")
    return words


def _macs(layer: Any, output_shape: tuple[int, ...]) -> int:
    """Count by kernel: each weight of it is used once at each position of the output."""
    positions = math.prod(output_shape[:-1])
    match type(layer).__name__:
        case "Dense" | "Conv2D" | "DepthwiseConv2D":
            return positions * _size(layer.kernel)
        case "SeparableConv2D":
            return positions * (_size(layer.depthwise_kernel) + _size(layer.pointwise_kernel))
        case "Conv2DTranspose":
            return math.prod(_shape(layer.input)[:-1]) * _size(layer.kernel)
        case _:
            return 0


def _size(weight: Any) -> int:
    return int(math.prod(weight.shape))
