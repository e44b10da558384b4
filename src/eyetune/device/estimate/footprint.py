"""What a network needs of a board, before any training and without converting it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from eyetune.device.boards.profiles import Board
from eyetune.device.estimate.arena import head_bytes, tail_bytes
from eyetune.device.estimate.esp_nn import with_scratch
from eyetune.device.estimate.flash_size import flash_bytes
from eyetune.device.estimate.graph import Graph, Operator
from eyetune.device.estimate.graph_builder import UNKNOWN
from eyetune.device.estimate.graph_passes import spreading_floats
from eyetune.device.estimate.latency import Latency, latency
from eyetune.device.estimate.layer_costs import (
    Bottleneck,
    LayerCost,
    Limit,
    bottleneck,
    layer_costs,
)
from eyetune.device.estimate.layer_names import with_renumbered_layers
from eyetune.device.estimate.lowering import lower
from eyetune.device.estimate.operators import is_supported, replacement_for
from eyetune.values.renamed_attributes import renamed_to

if TYPE_CHECKING:
    import keras

_LARGE_SHARE = 0.4  # a layer with a larger share of the flash is the one to change
_SMALLER_LAYER = (
    "Give it fewer units or filters, or add pooling before it; global average pooling in place of "
    "Flatten makes the dense layer after it much smaller."
)
_SMALLER_NETWORK = (
    "No single layer dominates: use fewer filters in all of them (--set model.width=0.5), or a "
    "smaller network such as resnet8 or mobilenet."
)
_SMALLER_ARENA = (
    "Use smaller images (data.image_size), a stride or pooling earlier in the network, or fewer "
    "filters where the feature maps are large."
)


@dataclass(frozen=True)
class Violation:
    """A reason why a board cannot run a network.

    Attributes:
        limit: What the network exceeds: "flash" or "arena"; or "operator" for an operator that
            TensorFlow Lite Micro cannot run.
        text: The same as a sentence.
    """

    limit: Literal["flash", "arena", "operator"]
    text: str


@dataclass(frozen=True)
class ArenaParts:
    """The parts of a tensor arena on a board.

    Attributes:
        tensors_bytes: Size of the tensors between operators, in bytes.
        interpreter_bytes: Size of what the interpreter keeps about operators and tensors, in bytes.
        scratch_bytes: Size of what the kernels of the board take in addition, in bytes. It is
            always computed, by the formulas of the board's library.
        is_measured: Whether the first two were measured in TensorFlow Lite Micro's interpreter on
            this computer; otherwise they were computed, too.
    """

    tensors_bytes: int
    interpreter_bytes: int
    scratch_bytes: int
    is_measured: bool

    @property
    def bytes(self) -> int:
        """Size of all parts in bytes."""
        return self.tensors_bytes + self.interpreter_bytes + self.scratch_bytes


@dataclass(frozen=True)
class Footprint:
    """What the int8 version of a network needs.

    Attributes:
        flash_bytes: Size of the .tflite file in bytes, predicted or that of a file.
        head_bytes: Size of the part of the tensor arena that holds the tensors, in bytes.
        tail_bytes: Size of the part of the tensor arena that the interpreter keeps, in bytes.
        parameters: Number of weights, trainable or not.
        macs: Multiply-accumulates (MACs) for one image.
        graph: The operators and tensors that these values come from.
        unsupported: Operators that TensorFlow Lite Micro cannot run, each with its layer.
        unknown: Operators whose needs cannot be computed, each with its layer. With any of them,
            the sizes are lower bounds, and a board may be too small in spite of them.
        file_is_exact: Whether `flash_bytes` is the size of a file. Default: it is computed.
        arena_is_measured: Whether `head_bytes` and `tail_bytes` were measured in TensorFlow Lite
            Micro's interpreter. Default: they are computed.
    """

    flash_bytes: int
    head_bytes: int
    tail_bytes: int
    parameters: int
    macs: int
    graph: Graph = field(repr=False)
    unsupported: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    file_is_exact: bool = False
    arena_is_measured: bool = False

    @property
    def arena_bytes(self) -> int:
        """Size of the tensor arena in bytes, with kernels that need no scratch memory."""
        return self.head_bytes + self.tail_bytes

    @property
    def macs_by_kind(self) -> dict[str, int]:
        """Multiply-accumulates by the kind of operator, largest first."""
        return self.graph.macs_by_kind

    multiply_adds = renamed_to("macs")
    multiply_adds_by_kind = renamed_to("macs_by_kind")

    def arena_on(self, board: Board) -> ArenaParts:
        """Return the parts of the tensor arena on a board.

        Example:
            >>> from eyetune.device.boards.profiles import load_board
            >>> from eyetune.models.build import build
            >>> from eyetune.recipe import ModelSection
            >>> needs = footprint(build(ModelSection(), (32, 32, 3), 10))
            >>> needs.arena_on(load_board("esp-eye")).scratch_bytes
            0
            >>> needs.arena_on(load_board("esp32-s3-eye")).scratch_bytes > 10_000
            True
        """
        scratch_bytes = head_bytes(self._graph_on(board)) - head_bytes(self.graph)
        return ArenaParts(self.head_bytes, self.tail_bytes, scratch_bytes, self.arena_is_measured)

    def arena_bytes_on(self, board: Board) -> int:
        """Return the size of the tensor arena on a board, in bytes.

        It is larger where the board's kernels take scratch memory from the arena.
        """
        return self.arena_on(board).bytes

    def _graph_on(self, board: Board) -> Graph:
        return with_scratch(self.graph, board.kernel_versions)

    def arena_in_psram(self, board: Board) -> bool:
        """Return whether the arena lies in a board's external RAM, since internal RAM is too small.

        Example:
            >>> from eyetune.device.boards.profiles import load_board
            >>> needs = Footprint(0, 200_000, 0, 0, 0, Graph((), (), (), ()))
            >>> needs.arena_in_psram(load_board("esp-eye"))
            True
        """
        return bool(board.psram_bytes) and self.arena_bytes_on(board) > board.arena_bytes

    def latency(self, board: Board) -> Latency | None:
        """Predict the time for one image; None if the board has no cost model."""
        return latency(self.graph, board, arena_in_psram=self.arena_in_psram(board))

    def violations(self, board: Board) -> tuple[Violation, ...]:
        """Return the reasons why a board cannot run the network; empty if it can.

        Example:
            >>> import keras
            >>> from eyetune.device.boards.profiles import load_board
            >>> layers = [keras.layers.Input((224, 224, 3)), keras.layers.Flatten()]
            >>> model = keras.Sequential([*layers, keras.layers.Dense(64)])
            >>> (violation,) = footprint(model).violations(load_board("esp-eye"))
            >>> print(violation.text)
            The model takes 9,635,888 bytes of flash; ESP-EYE has room for 3,667,968.
        """
        violations = []
        if self.flash_bytes > board.max_model_bytes:
            text = (
                f"The model takes {self.flash_bytes:,} bytes of flash; "
                f"{board.title} has room for {board.max_model_bytes:,}."
            )
            violations.append(Violation("flash", text))
        arena_bytes = self.arena_bytes_on(board)
        if arena_bytes > board.max_arena_bytes:
            text = (
                f"The tensor arena takes {arena_bytes:,} bytes of RAM; "
                f"{board.title} has room for {board.max_arena_bytes:,}."
            )
            violations.append(Violation("arena", text))
        violations += [Violation("operator", text) for text in self.operator_obstacles]
        return tuple(violations)

    @property
    def operator_obstacles(self) -> tuple[str, ...]:
        """Reasons why no board can run the network, whatever its size, as sentences."""
        return tuple(f"TensorFlow Lite Micro cannot run {name}." for name in self.unsupported)

    def advice(self, board: Board) -> tuple[str, ...]:
        """Return what to do about each reason why a board cannot run the network.

        Example:
            >>> import keras
            >>> from eyetune.device.boards.profiles import load_board
            >>> first = keras.layers.Conv2D(4, 3, activation="gelu", name="first")
            >>> model = keras.Sequential([keras.layers.Input((8, 8, 3)), first])
            >>> print(*footprint(model).advice(load_board("esp-eye")))
            In layer first, use the activation relu or hard_swish.
        """
        sentences = []
        if self.flash_bytes > board.max_model_bytes:
            largest = self._bottleneck(board, "flash")
            what_to_do = _SMALLER_LAYER if largest.share > _LARGE_SHARE else _SMALLER_NETWORK
            sentences.append(f"{largest.text} {what_to_do}")
        if self.arena_bytes_on(board) > board.max_arena_bytes:
            sentences.append(f"{self._bottleneck(board, 'arena').text} {_SMALLER_ARENA}")
        for operator in _unsupported(self.graph):
            replacement = replacement_for(operator.kind)
            sentences.append(f"In layer {operator.layers[0]}, use {replacement}.")
        return tuple(dict.fromkeys(sentences))

    def layer_costs(self, board: Board) -> tuple[LayerCost, ...]:
        """Return what each layer needs, in the order in which the layers run.

        A layer that is fused with the one before it counts as part of that one.
        """
        return layer_costs(self._graph_on(board), self.latency(board))

    def bottleneck(self, board: Board) -> Bottleneck:
        """Return the layer that costs most of what the board has too little of, or of the time.

        Example:
            >>> from eyetune.device.boards.profiles import load_board
            >>> from eyetune.models.build import build
            >>> from eyetune.recipe import ModelSection
            >>> needs = footprint(build(ModelSection(), (32, 32, 3), 10))
            >>> needs.bottleneck(load_board("esp-eye")).limit
            'time'
        """
        if self.flash_bytes > board.max_model_bytes:
            return self._bottleneck(board, "flash")
        if self.arena_bytes_on(board) > board.max_arena_bytes:
            return self._bottleneck(board, "arena")
        return self._bottleneck(board, "time")

    def _bottleneck(self, board: Board, limit: Limit) -> Bottleneck:
        total_bytes = self.flash_bytes if limit == "flash" else self.arena_bytes_on(board)
        return bottleneck(self.layer_costs(board), limit, total_bytes)


def footprint(model: keras.Model, *, renumber_layers: bool = False) -> Footprint:
    """Predict what the int8 version of a Keras model needs, within milliseconds.

    The sizes are those of the trained network: biases count, although the converter leaves out
    those that are all zero.

    Accuracy against tflite-micro 0.dev20261023 and TensorFlow 2.21's converter, on random networks
    that were not used to find the estimates (tests/device/estimate/test_error_bounds.py): the head
    is exact, the arena at most 3% off, and the file at most 2% off from 20,000 bytes on and 5% or
    400 bytes below, whichever is more. With layer or group normalization the file was at most 2.7%
    and the arena at most 4% off, on 16 networks of 7,000 bytes and more.

    Args:
        model: A built Keras model, sequential or functional, trained or not; models may be nested
            in it.
        renumber_layers: Whether to name layers as in a process that built no other model, for
            example conv2d in place of conv2d_7. Default: False.

    Raises:
        UsageError: The layers of the model cannot be traced.

    Example:
        >>> from eyetune.models.build import build
        >>> from eyetune.recipe import ModelSection
        >>> needs = footprint(build(ModelSection(), (32, 32, 3), 10))
        >>> needs.head_bytes, needs.parameters, needs.macs
        (36000, 167562, 4040704)
    """
    graph = lower(model)
    if renumber_layers:
        graph = with_renumbered_layers(graph)
    needs = footprint_of_graph(graph, flash_bytes(graph), model.count_params())
    return replace(needs, unknown=(*needs.unknown, *_with_layers(spreading_floats(graph))))


def footprint_of_graph(graph: Graph, file_bytes: int, parameters: int) -> Footprint:
    """Return what an int8 model needs.

    Args:
        graph: The int8 model.
        file_bytes: Size of its .tflite file in bytes.
        parameters: Number of its weights.
    """
    unknown = [operator for operator in graph.operators if operator.kind == UNKNOWN]
    return Footprint(
        flash_bytes=file_bytes,
        head_bytes=head_bytes(graph),
        tail_bytes=tail_bytes(graph),
        parameters=parameters,
        macs=graph.macs,
        graph=graph,
        unsupported=_with_layers(_unsupported(graph)),
        unknown=_with_layers(unknown),
    )


def _unsupported(graph: Graph) -> list[Operator]:
    """Return the operators that TensorFlow Lite Micro cannot run."""
    operators = []
    for operator in graph.operators:
        tensor = (operator.inputs or operator.outputs)[0]
        element_bytes = graph.tensors[tensor].element_bytes
        if operator.kind != UNKNOWN and not is_supported(operator.kind, element_bytes):
            operators.append(operator)
    return operators


def _with_layers(operators: Iterable[Operator]) -> tuple[str, ...]:
    """Return operators with their layers as text, each once; unknown layers by name."""
    texts = []
    for operator in operators:
        layer = f"layer {operator.layers[0]}"
        texts.append(layer if operator.kind == UNKNOWN else f"{operator.kind} ({layer})")
    return tuple(dict.fromkeys(texts))
