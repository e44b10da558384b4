"""The layers of a network and their costs, as plain values that need no Keras.

`models.structure` reads them from a Keras model, records keep them, tables and diagrams show them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eyetune.values.renamed_keys import with_current_names, with_earlier_names


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: Its name in the Keras model.
        kind: Its class, for example "Conv2D".
        settings: Its main settings, for example "3x3, relu".
        output_shape: Shape of its output for one image, without the batch.
        parameters: Number of weights, trainable or not.
        macs: Multiply-accumulates (MACs) for one image (0 if negligible).
        activation_bytes: Bytes of its output for one image in int8, as on a board: one per element.
    """

    name: str
    kind: str
    settings: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    activation_bytes: int


@dataclass(frozen=True)
class Network:
    """A network.

    Attributes:
        input_shape: Height and width in pixels, and channels.
        layers: The layers in order.
        trainable_parameters: Number of weights that training changes.
    """

    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    trainable_parameters: int

    @property
    def parameters(self) -> int:
        """Number of weights, trainable or not."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates (MACs) for one image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def activation_bytes(self) -> int:
        """Bytes of all outputs for one image in int8. A board reuses memory and needs less."""
        return sum(layer.activation_bytes for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """Return the network as plain JSON values, with totals."""
        return with_earlier_names(
            {
                "input_shape": list(self.input_shape),
                "layers": [
                    with_earlier_names({**asdict(layer), "output_shape": list(layer.output_shape)})
                    for layer in self.layers
                ],
                "parameters": self.parameters,
                "trainable_parameters": self.trainable_parameters,
                "macs": self.macs,
                "activation_bytes": self.activation_bytes,
            }
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Network:
        """Return a network from what `to_json` returned."""
        rows: Sequence[Mapping[str, Any]] = value["layers"]
        layers = tuple(
            Layer(**{**with_current_names(row), "output_shape": tuple(row["output_shape"])})
            for row in rows
        )
        return cls(tuple(value["input_shape"]), layers, value["trainable_parameters"])
