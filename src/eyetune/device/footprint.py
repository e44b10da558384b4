"""What a network needs of a board, before any training and without converting it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyetune.device.arena import aligned, head_bytes, tail_bytes
from eyetune.device.boards import Board
from eyetune.device.draft import UNKNOWN
from eyetune.device.graph import WITH_WEIGHTS, Constant, Graph, Operator, fresh_names, split_counter
from eyetune.device.lowering import lower

if TYPE_CHECKING:
    import keras

# Of the .tflite file, in bytes, fitted to TensorFlow 2.21's converter over 59 networks.
_FILE = 500
_CONSTANT = 99
_TENSOR = 135
_SCALE = 12  # a float32 scale and an int64 zero point
_NAME = 32  # of one operation in a tensor's name, beside the names of its layer and of the model
# Operators that TensorFlow Lite Micro does not have, or not in int8.
_UNSUPPORTED = frozenset({"EXP", "LOG", "GELU", "SELU", "CELU", "MISH", "LOG_SIGMOID", "TILE"})


@dataclass(frozen=True)
class Footprint:
    """What the int8 version of a network needs.

    Attributes:
        flash_bytes: Predicted size of the .tflite file.
        head_bytes: Of the tensor arena, what the tensors take.
        tail_bytes: Of the tensor arena, what the interpreter remembers.
        parameters: Number of weights, trained or not.
        multiply_adds: Multiplications with addition to classify one image.
        graph: The operators and tensors that these figures come from.
        unsupported: Layers that TensorFlow Lite Micro cannot run, each with the operator that it lacks.
        unknown: Layers of which only the size could be judged, each with its operator's name or class.
    """

    flash_bytes: int
    head_bytes: int
    tail_bytes: int
    parameters: int
    multiply_adds: int
    graph: Graph
    unsupported: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def arena_bytes(self) -> int:
        """The tensor arena."""
        return self.head_bytes + self.tail_bytes

    def fits(self, board: Board) -> tuple[str, ...]:
        """Return the reasons why a board cannot run the network; none if it can.

        Example:
            >>> import keras
            >>> from eyetune.device.boards import board
            >>> layers = [keras.layers.Input((224, 224, 3)), keras.layers.Flatten(), keras.layers.Dense(64)]
            >>> print(*footprint(keras.Sequential(layers)).fits(board("esp-eye")), sep="\\n")
            The model takes 9,637,216 bytes of flash; ESP-EYE has room for 3,667,968.
        """
        reasons = []
        if self.flash_bytes > board.largest_model_bytes:
            reasons.append(_short("The model takes", self.flash_bytes, "flash", board, board.largest_model_bytes))
        if self.arena_bytes > board.largest_arena_bytes:
            reasons.append(_short("The tensor arena takes", self.arena_bytes, "RAM", board, board.largest_arena_bytes))
        return (*reasons, *(f"TensorFlow Lite Micro cannot run {one}." for one in self.unsupported))


def _short(what: str, needed: int, kind: str, board: Board, room: int) -> str:
    return f"{what} {needed:,} bytes of {kind}; {board.title} has room for {room:,}."


def footprint(model: keras.Model) -> Footprint:
    """Predict what the int8 version of a Keras model needs, in milliseconds.

    The sizes are those of the trained network: biases count, though the converter leaves out those that are zero.
    Against tflite-micro 0.dev20261023 and TensorFlow 2.21's converter, the constants were fitted over 59 networks and
    tried on 16 random ones. The head was exact on all that tflite-micro runs (52 and 16), the arena at most 2.7%
    off on those fitted and 0.8% on the others. The file was at most 2.7% off from 5,000 bytes on (with layer or group
    normalization: 8.1%), 0.5% from 80,000, and below 5,000 at most 400 bytes, of layers that the board can run.

    Args:
        model: A built Keras model, sequential or functional, with models nested in it or not; trained or not.

    Raises:
        UsageError: The wiring of the model cannot be read.

    Example:
        >>> from eyetune.models.build import build
        >>> from eyetune.recipe import ModelSection
        >>> needs = footprint(build(ModelSection(), (32, 32, 3), 10))
        >>> needs.head_bytes, needs.parameters, needs.multiply_adds
        (36000, 167562, 4040704)
    """
    graph = lower(model)
    return Footprint(
        flash_bytes=flash_bytes(graph, model.name),
        head_bytes=head_bytes(graph),
        tail_bytes=tail_bytes(graph),
        parameters=model.count_params(),
        multiply_adds=graph.multiply_adds,
        graph=graph,
        unsupported=_named(operator for operator in graph.operators if operator.kind in _UNSUPPORTED),
        unknown=_named(operator for operator in graph.operators if operator.kind == UNKNOWN),
    )


def _named(operators: Iterable[Operator]) -> tuple[str, ...]:
    """Return layers with their operators, each once."""
    return tuple(dict.fromkeys(f"{operator.kind} (layer {operator.layers[0]})" for operator in operators))


def flash_bytes(graph: Graph, name: str) -> int:
    """Return the size of a .tflite file: its constants, and what it says of each of them and of each tensor.

    Args:
        graph: The int8 model.
        name: The model's name, which is in the name of every tensor.
    """
    total = _FILE + len(graph.inputs) * (_TENSOR + _SCALE + _NAME)
    prefix = len(split_counter(name)[0])
    names = fresh_names(graph)
    shared: set[tuple[str, str]] = set()  # a layer that is used again brings its weights but once
    for operator in graph.operators:
        key = operator.kind, operator.layers[0]
        length = prefix + sum(len(names[layer]) for layer in operator.layers) // len(operator.layers)
        total += _operator_bytes(operator, _NAME + length, again=key in shared)
        shared.add(key)
    return aligned(total)


def _operator_bytes(operator: Operator, name: int, *, again: bool) -> int:
    """Return what an operator, its output and its constants take in a file, at so many bytes a name."""
    output = _TENSOR + _SCALE + name * operator.names
    if operator.kind not in WITH_WEIGHTS:
        return output + sum(_constant_bytes(constant) + name for constant in operator.constants)
    weights, *others = operator.constants
    # The factors of a batch normalization are in the name of weights by channel.
    names = 3 if operator.kind in ("DEPTHWISE_CONV_2D", "TRANSPOSE_CONV") and operator.names >= 5 else 1
    output += sum(_constant_bytes(one) + name * (operator.names if one.scales else 1) for one in others)
    return output if again else output + _constant_bytes(weights) + name * names


def _constant_bytes(constant: Constant) -> int:
    return aligned(constant.bytes) + _SCALE * constant.scales + _CONSTANT
