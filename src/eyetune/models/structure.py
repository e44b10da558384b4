"""The structure of a Keras model: its layers and their costs, as plain values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from eyetune.models.keras_internals import output_of_first_call
from eyetune.values.network import Layer, Network

if TYPE_CHECKING:
    import keras


def structure(model: keras.Model) -> Network:
    """Return the layers of a built model in order, including those of nested models.

    Multiply-accumulates (MACs) are counted for one image, in convolutions and dense layers. A
    convolution has output positions times kernel size times input channels (of its group) times
    output channels.

    Example:
        >>> from eyetune.models.cnn import build
        >>> from eyetune.recipe import ModelSection
        >>> network = structure(build(ModelSection(), (32, 32, 3), 10))
        >>> network.parameters, network.macs
        (167562, 4040704)
    """
    layers = tuple(_layer(layer) for layer in (_flatten(model) or [model]))
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    inputs = getattr(model, "inputs", None)  # models of a user's own class have none
    return Network(_shape(inputs[0]) if inputs else (), layers, trainable)


def _flatten(model: keras.Model) -> list[Any]:
    import keras

    layers: list[Any] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model) and getattr(layer, "inputs", None):
            layers += _flatten(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            layers.append(layer)
    return layers


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
    """Return the shape of a layer's output for one image; () if it is unknown.

    If the layer is called several times, the first call counts; of several outputs, the first.
    """
    try:
        output = layer.output
    except (AttributeError, ValueError):  # called several times, or in a user's own class
        output = output_of_first_call(layer)
    while isinstance(output, list | tuple | dict):
        outputs = output.values() if isinstance(output, dict) else output
        output = next(iter(outputs), None)
    return _shape(output) if output is not None else ()


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(size or 1 for size in tensor.shape[1:])


def settings(layer: Any) -> list[str]:
    """Return the settings that distinguish a layer from others of its class.

    Example:
        >>> import keras
        >>> settings(keras.layers.Conv2D(8, 3, padding="same", activation="relu"))
        ['3x3', 'same', 'relu']
    """
    parts = []
    if getattr(layer, "kernel_size", None):
        parts.append("x".join(str(size) for size in layer.kernel_size))
    if getattr(layer, "pool_size", None):
        parts.append("x".join(str(size) for size in layer.pool_size))
    if max(getattr(layer, "strides", None) or (1,)) > 1 and not getattr(layer, "pool_size", None):
        parts.append(f"stride {layer.strides[0]}")
    if getattr(layer, "padding", None) == "same":
        parts.append("same")
    activation = getattr(layer, "activation", None)
    if activation is not None and getattr(activation, "__name__", "linear") != "linear":
        parts.append(activation.__name__)
    if type(layer).__name__ == "Dropout":
        parts.append(f"rate {layer.rate:g}")
    return parts


def _macs(layer: Any, output_shape: tuple[int, ...]) -> int:
    """Return the MACs of a layer: each weight of a kernel is used once at each output position."""
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
