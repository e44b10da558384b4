"""The graph of a model while it is written, and a layer that writes its part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eyetune.device.estimate.graph import Operator, Tensor

# the kind of an operator that stands for a layer of which nothing is known but its size
UNKNOWN = "UNKNOWN"


@dataclass
class Draft:
    """The graph while it is written."""

    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    padded: dict[int, tuple[int, Any]] = field(
        default_factory=dict
    )  # what is padded, and by how much on each side

    def add(self, tensor: Tensor) -> int:
        """Write down a tensor and return its place."""
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def emit(
        self,
        kind: str,
        layer: str,
        inputs: Sequence[int],
        shape: tuple[int, ...],
        *,
        element_bytes: int = 1,
        **more: Any,
    ) -> int:
        """Write an operator of a layer with what it gives, and return the place of that."""
        output = self.add(Tensor(shape, element_bytes))
        self.operators.append(Operator(kind, (layer,), tuple(inputs), output, **more))
        return output


@dataclass(frozen=True)
class Call:
    """A layer at work at one place of the network."""

    name: str
    layer: Any
    inputs: tuple[int, ...]
    shape: tuple[int, ...]  # of what it gives
    draft: Draft

    def emit(
        self,
        kind: str,
        inputs: Sequence[int] = (),
        shape: tuple[int, ...] | None = None,
        **more: Any,
    ) -> int:
        """Write an operator, by default from the layer's inputs to its output."""
        return self.draft.emit(
            kind, self.name, inputs or self.inputs, self.shape if shape is None else shape, **more
        )

    def input_shape(self) -> tuple[int, ...]:
        """Return the shape of what the layer reads first."""
        return self.draft.tensors[self.inputs[0]].shape


def in_float(call: Call, kind: str, tensor: int, shape: tuple[int, ...]) -> int:
    """Write an operator that has no int8 version, between conversions to float32 and back."""
    wide = call.emit("DEQUANTIZE", [tensor], shape, element_bytes=4)
    return call.emit("QUANTIZE", [call.emit(kind, [wide], shape, element_bytes=4)], shape)
