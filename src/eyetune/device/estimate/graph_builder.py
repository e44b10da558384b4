"""A graph under construction, and a call of a Keras layer that adds its operators to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eyetune.device.estimate.graph import Operator, Tensor

# The kind of an operator that stands for a layer of which only the size is known.
UNKNOWN = "UNKNOWN"


@dataclass
class GraphBuilder:
    """Collects the tensors and operators of a graph.

    Attributes:
        tensors: The tensors so far.
        operators: The operators so far, in the order in which they were added.
        paddings: For the output of each padding: the index of the padded tensor, and by how many
            pixels it is padded on each side.
    """

    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    paddings: dict[int, tuple[int, Any]] = field(default_factory=dict)

    def add_tensor(self, tensor: Tensor) -> int:
        """Add a tensor and return its index."""
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def add_operator(
        self,
        kind: str,
        layer: str,
        inputs: Sequence[int],
        shape: tuple[int, ...],
        *,
        element_bytes: int = 1,
        **fields: Any,
    ) -> int:
        """Add an operator with its output, and return the index of the output.

        Args:
            kind: The operator's name in the TensorFlow Lite schema.
            layer: Name of the layer that it belongs to.
            inputs: Indices of the tensors that it reads.
            shape: Shape of its output, without the batch.
            element_bytes: Size of an element of its output. Default: 1 (int8).
            **fields: Further fields of `Operator`.
        """
        output = self.add_tensor(Tensor(shape, element_bytes))
        self.operators.append(Operator(kind, (layer,), tuple(inputs), output, **fields))
        return output


@dataclass(frozen=True)
class LayerCall:
    """One use of a layer in a network.

    Attributes:
        name: The layer's name, with the names of the models that it is nested in.
        layer: The Keras layer or operation.
        inputs: Indices of the tensors that it reads.
        shape: Shape of its output, without the batch.
        builder: The graph under construction.
    """

    name: str
    layer: Any
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    builder: GraphBuilder

    def emit(
        self,
        kind: str,
        inputs: Sequence[int] = (),
        shape: tuple[int, ...] | None = None,
        **fields: Any,
    ) -> int:
        """Add an operator, by default from the layer's inputs to its output; return its output."""
        return self.builder.add_operator(
            kind,
            self.name,
            inputs or self.inputs,
            self.shape if shape is None else shape,
            **fields,
        )

    def input_shape(self) -> tuple[int, ...]:
        """Return the shape of the layer's first input, without the batch."""
        return self.builder.tensors[self.inputs[0]].shape


def emit_in_float(call: LayerCall, kind: str, tensor: int, shape: tuple[int, ...]) -> int:
    """Add an operator without an int8 version, between conversions to float32 and back."""
    wide = call.emit("DEQUANTIZE", [tensor], shape, element_bytes=4)
    result = call.emit(kind, [wide], shape, element_bytes=4)
    return call.emit("QUANTIZE", [result], shape)
