"""A forward pass that is watched layer by layer, whatever the network is made of."""

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
# Activations that are layers of their own, by the function that they are.
_ACTIVATION_LAYERS = {
    "ReLU": "relu", "LeakyReLU": "leaky_relu", "PReLU": "leaky_relu", "ELU": "elu", "Softmax": "softmax",
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One layer at work: the layer, the tensor that it took (the first of several) and the one that
    it gave.
    """

    layer: Any
    inputs: Any
    outputs: Any


@dataclass(frozen=True)
class Step:
    """One layer of a forward pass, as plain values.

    Attributes:
        place: Its number in the order in which layers work, from 0.
        layer: Its name.
        kind: Its class.
        settings: For example "3x3, relu".
        activation: The name of its activation, "" for none.
        shape: Of its output for one image.
    """

    place: int
    layer: str
    kind: str
    settings: str
    activation: str
    shape: tuple[int, ...]

    @property
    def is_convolution(self) -> bool:
        """Whether it slides kernels over a picture."""
        return self.kind in CONVOLUTIONS

    @property
    def is_picture(self) -> bool:
        """Whether its output has places, more than one."""
        return len(self.shape) == 3 and self.shape[0] * self.shape[1] > 1


@contextmanager
def watched(model: keras.Model, see: Callable[[Call], None]) -> Iterator[None]:
    """Call `see` with every layer that works inside, also in models within the model, in the order
    of the work.

    The layers' own `call` is covered for as long: unlike a second model made of the layers'
    outputs, this needs to know nothing of how the model is wired, and adds nothing to it.

    Example:
        >>> from eyetune.models.cnn import build
        >>> from eyetune.recipe import ModelSection
        >>> model, kinds = build(ModelSection(), (32, 32, 3), 10), []
        >>> with watched(model, lambda call: kinds.append(type(call.layer).__name__)):
        ...     _ = model(np.zeros((1, 32, 32, 3), np.float32))
        >>> kinds[:3]
        ['Conv2D', 'MaxPooling2D', 'Conv2D']
    """
    layers = {id(layer): layer for layer in leaves(model)}.values()
    try:
        for layer in layers:
            vars(layer)["call"] = _covered(
                layer, layer.call, see
            )  # Keras's own setter would track it as state
        yield
    finally:
        for layer in layers:
            vars(layer).pop("call", None)


def _covered(
    layer: Any, call: Callable[..., Any], see: Callable[[Call], None]
) -> Callable[..., Any]:
    def covered(*args: Any, **kwargs: Any) -> Any:
        outputs = call(*args, **kwargs)
        inputs = args[0] if args else next(iter(kwargs.values()), None)
        if hasattr(
            outputs, "shape"
        ):  # a layer that gives several tensors has no picture of its own
            see(Call(layer, inputs[0] if isinstance(inputs, list | tuple) else inputs, outputs))
        return outputs

    return covered


def leaves(model: keras.Model) -> list[Any]:
    """Return the layers of a model and of the models within it, those without layers of their own,
    in order.
    """
    import keras

    found: list[Any] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model) and layer.layers:
            found += leaves(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            found.append(layer)
    return found


def outline(model: keras.Model) -> tuple[Step, ...]:
    """Return the layers of a built model in the order in which they work, found with one black
    image.

    Keras numbers layers through a whole process; here those that it named are numbered from the
    first one on, so that a network has the same names whenever it was built.

    Example:
        >>> from eyetune.models.cnn import build
        >>> from eyetune.recipe import ModelSection
        >>> step = outline(build(ModelSection(), (32, 32, 3), 10))[0]
        >>> step.layer, step.kind, step.activation, step.shape
        ('conv2d', 'Conv2D', 'relu', (30, 30, 32))
    """
    steps: list[Step] = []
    for call in working(model):
        layer, shape = call.layer, tuple(int(size) for size in call.outputs.shape[1:])
        name = _name(layer, {step.layer for step in steps})
        settled = ", ".join(settings(layer))
        steps.append(
            Step(len(steps), name, type(layer).__name__, settled, activation_of(layer), shape)
        )
    return tuple(steps)


def working(model: keras.Model) -> list[Call]:
    """Return each layer's work on one black image, in order."""
    calls: list[Call] = []
    with watched(model, calls.append):
        model(np.zeros((1, *model.input_shape[1:]), np.float32), training=False)
    return calls


def _name(layer: Any, taken: Container[str]) -> str:
    stem = re.sub(r"_\d+$", "", layer.name)
    if stem.replace("_", "") != type(layer).__name__.lower():
        return str(layer.name)
    numbered = (f"{stem}_{number}" for number in itertools.count(1))
    return next(name for name in itertools.chain([stem], numbered) if name not in taken)


def activation_of(layer: Any) -> str:
    """Return the name of a layer's activation, "" where it has none."""
    kind = type(layer).__name__
    if kind in _ACTIVATION_LAYERS:
        return _ACTIVATION_LAYERS[kind]
    name = getattr(getattr(layer, "activation", None), "__name__", "linear")
    return "" if name == "linear" else str(name)


def batches(images: NDArray[np.float32], steps: tuple[Step, ...]) -> Iterator[slice]:
    """Yield stretches of images, each so short that all layers' outputs together stay within
    BATCH_BYTES.
    """
    bytes_per_image = 4 * sum(int(np.prod(step.shape)) for step in steps)
    size = int(np.clip(BATCH_BYTES // max(bytes_per_image, 1), 1, MAX_BATCH))
    for start in range(0, len(images), size):
        yield slice(start, start + size)
