"""Trace a forward pass layer by layer, whatever the network consists of."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.models.structure import settings

if TYPE_CHECKING:
    import keras

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose")
BATCH_BYTES = 128 * 2**20  # of all layers' outputs together; one batch is in memory at a time
MAX_BATCH = 128
# Activations that are layers, with the names of their functions.
_ACTIVATION_LAYERS = {
    "ReLU": "relu", "LeakyReLU": "leaky_relu", "PReLU": "leaky_relu", "ELU": "elu",
    "Softmax": "softmax",
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes:
        layer: The layer.
        inputs: Its input tensor; of several the first.
        outputs: Its output tensor.
    """

    layer: Any
    inputs: Any
    outputs: Any


@dataclass(frozen=True)
class Step:
    """One call of a layer in a forward pass, as plain values.

    Attributes:
        index: Its index in the order of calls, from 0.
        layer: Name of the layer.
        kind: Class of the layer.
        settings: Settings of the layer, for example "3x3, relu".
        activation: Name of its activation, "" for none.
        shape: Shape of its output for one image.
    """

    index: int
    layer: str
    kind: str
    settings: str
    activation: str
    shape: tuple[int, ...]

    @property
    def is_convolution(self) -> bool:
        """Whether the layer is a convolution."""
        return self.kind in CONVOLUTIONS

    @property
    def is_image(self) -> bool:
        """Whether its output is an image of more than one pixel."""
        return len(self.shape) == 3 and self.shape[0] * self.shape[1] > 1


@contextmanager
def traced(model: keras.Model, on_call: Callable[[Call], None]) -> Iterator[None]:
    """Call a function after each layer that is called, including those of nested models.

    The layers' own `call` is replaced meanwhile. Unlike a second model with the layers' outputs,
    this needs no knowledge of how the model is connected, and adds nothing to it.

    Args:
        model: A built model.
        on_call: Called in the order of the forward pass.

    Example:
        >>> from eyetune.models.cnn import build
        >>> from eyetune.recipe import ModelSection
        >>> model, kinds = build(ModelSection(), (32, 32, 3), 10), []
        >>> with traced(model, lambda call: kinds.append(type(call.layer).__name__)):
        ...     _ = model(np.zeros((1, 32, 32, 3), np.float32))
        >>> kinds[:3]
        ['Conv2D', 'MaxPooling2D', 'Conv2D']
    """
    layers = {id(layer): layer for layer in leaves(model)}.values()
    try:
        for layer in layers:
            # Not with setattr: Keras's own would track the function as state of the layer.
            vars(layer)["call"] = _with_callback(layer, layer.call, on_call)
        yield
    finally:
        for layer in layers:
            vars(layer).pop("call", None)


def _with_callback(
    layer: Any, call: Callable[..., Any], on_call: Callable[[Call], None]
) -> Callable[..., Any]:
    def replacement(*args: Any, **kwargs: Any) -> Any:
        outputs = call(*args, **kwargs)
        inputs = args[0] if args else next(iter(kwargs.values()), None)
        if isinstance(inputs, list | tuple):
            inputs = inputs[0]
        if hasattr(outputs, "shape"):  # layers with several outputs are left out
            on_call(Call(layer, inputs, outputs))
        return outputs

    return replacement


def leaves(model: keras.Model) -> list[Any]:
    """Return the layers of a model in order, with the layers of nested models in their place."""
    import keras

    layers: list[Any] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model) and layer.layers:
            layers += leaves(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            layers.append(layer)
    return layers


def outline(model: keras.Model) -> tuple[Step, ...]:
    """Return the layers of a model in the order in which they are called, found with a black image.

    Keras numbers layers throughout a process. Here, layers that Keras named are numbered from the
    first of the model, so that a network always has the same names.

    Args:
        model: A built model.

    Example:
        >>> from eyetune.models.cnn import build
        >>> from eyetune.recipe import ModelSection
        >>> step = outline(build(ModelSection(), (32, 32, 3), 10))[0]
        >>> step.layer, step.kind, step.activation, step.shape
        ('conv2d', 'Conv2D', 'relu', (30, 30, 32))
    """
    steps: list[Step] = []
    for call in calls_on_black(model):
        layer = call.layer
        steps.append(
            Step(
                index=len(steps),
                layer=_name(layer, {step.layer for step in steps}),
                kind=type(layer).__name__,
                settings=", ".join(settings(layer)),
                activation=activation_of(layer),
                shape=tuple(int(size) for size in call.outputs.shape[1:]),
            )
        )
    return tuple(steps)


def calls_on_black(model: keras.Model) -> list[Call]:
    """Return the calls of a forward pass with one black image, in order."""
    calls: list[Call] = []
    with traced(model, calls.append):
        model(np.zeros((1, *model.input_shape[1:]), np.float32), training=False)
    return calls


def _name(layer: Any, taken: Container[str]) -> str:
    stem = re.sub(r"_\d+$", "", layer.name)
    if stem.replace("_", "") != type(layer).__name__.lower():
        return str(layer.name)
    numbered = (f"{stem}_{number}" for number in itertools.count(1))
    return next(name for name in itertools.chain([stem], numbered) if name not in taken)


def activation_of(layer: Any) -> str:
    """Return the name of a layer's activation; "" if it has none."""
    kind = type(layer).__name__
    if kind in _ACTIVATION_LAYERS:
        return _ACTIVATION_LAYERS[kind]
    name = getattr(getattr(layer, "activation", None), "__name__", "linear")
    return "" if name == "linear" else str(name)


def batches(images: NDArray[np.float32], steps: tuple[Step, ...]) -> Iterator[slice]:
    """Yield slices of images, so short that the outputs of all layers fit into BATCH_BYTES.

    Args:
        images: Shape (N, ...).
        steps: The outline of the model.
    """
    bytes_per_image = 4 * sum(int(np.prod(step.shape)) for step in steps)
    size = int(np.clip(BATCH_BYTES // max(bytes_per_image, 1), 1, MAX_BATCH))
    for start in range(0, len(images), size):
        yield slice(start, start + size)
