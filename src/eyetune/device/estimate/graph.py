"""The int8 model as a plain graph: operators, the tensors between them and their constants.

`lowering` derives a graph from a Keras model, `tflite` reads one from a file. `arena` plans its
memory, `latency` predicts its time and `flash_size` the size of its file. Operators have their
names in the TensorFlow Lite schema
(https://ai.google.dev/edge/litert/microcontrollers/overview).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"})
WITH_WEIGHTS = CONVOLUTIONS | {"FULLY_CONNECTED"}


@dataclass(frozen=True)
class Tensor:
    """Values that flow between operators, for one image.

    Attributes:
        shape: Its shape without the batch.
        element_bytes: Size of one element in bytes: 1 for int8, 4 for float32.
    """

    shape: tuple[int, ...]
    element_bytes: int = 1

    @property
    def bytes(self) -> int:
        """Size of all elements in bytes."""
        return math.prod(self.shape) * self.element_bytes


@dataclass(frozen=True)
class Constant:
    """A constant of an operator, which lies in flash.

    Attributes:
        bytes: Its size in bytes.
        scales: Number of scales that the file has for it; 0 for biases, whose scales follow from
            others, and for plain numbers.
        is_common: Whether the converter stores all equal constants of this kind only once,
            whichever layers they belong to.
    """

    bytes: int
    scales: int = 0
    is_common: bool = False


@dataclass(frozen=True)
class Window:
    """The window that a convolution slides over its input.

    Attributes:
        size: Height and width in pixels.
        strides: Steps down and to the right, in pixels.
        dilation: Distances of neighboring weights, down and to the right, in pixels.
    """

    size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Operator:
    """One step of the int8 model.

    Attributes:
        kind: Its name in the TensorFlow Lite schema, for example CONV_2D.
        layers: Names of the Keras layers that it implements; the first is the one it comes from.
        inputs: Indices of the tensors that it reads, in the graph's tensors.
        output: Index of the tensor that it writes.
        constants: Weights, biases, shapes and axes.
        channels: Number of output channels of a convolution or dense layer that are quantized
            separately.
        macs: Multiply-accumulates for one image; 0 if it has no weights.
        activation: The fused activation, RELU or RELU6; "" if there is none.
        scratch_bytes: Memory that it needs while it runs, in addition to its tensors.
        more_outputs: Indices of the other tensors that it writes.
        window: How a convolution slides over its input; None for other operators.
    """

    kind: str
    layers: tuple[str, ...]
    inputs: tuple[int, ...]
    output: int
    constants: tuple[Constant, ...] = ()
    channels: int = 0
    macs: int = 0
    activation: str = ""
    scratch_bytes: int = 0
    more_outputs: tuple[int, ...] = ()
    window: Window | None = None

    @property
    def outputs(self) -> tuple[int, ...]:
        """Indices of all tensors that it writes."""
        return (self.output, *self.more_outputs)

    @property
    def constant_bytes(self) -> int:
        """Size of its constants in bytes."""
        return sum(constant.bytes for constant in self.constants)

    @property
    def only_scales(self) -> bool:
        """Whether it only multiplies by or adds constants, as batch normalization does."""
        return self.kind in ("MUL", "ADD") and len(self.inputs) == 1


@dataclass(frozen=True)
class Graph:
    """Operators in the order in which they run, and the tensors that they refer to.

    Attributes:
        tensors: All tensors; operators refer to them by index.
        operators: The operators in execution order.
        inputs: Indices of the tensors that go into the model.
        outputs: Indices of the tensors that come out of it.
        offsets: Offset of each tensor in memory in bytes, None for a tensor whose offset the
            interpreter chooses. Empty if it chooses all.
    """

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    offsets: tuple[int | None, ...] = ()

    @property
    def activations(self) -> tuple[int, ...]:
        """Indices of the tensors in use: the model's inputs and all outputs of operators."""
        written = [index for operator in self.operators for index in operator.outputs]
        return (*self.inputs, *written)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all operators."""
        return sum(operator.macs for operator in self.operators)

    @property
    def macs_by_kind(self) -> dict[str, int]:
        """Multiply-accumulates by the kind of operator, largest first, without zeros."""
        counts: Counter[str] = Counter()
        for operator in self.operators:
            counts[operator.kind] += operator.macs
        return {kind: count for kind, count in counts.most_common() if count}
