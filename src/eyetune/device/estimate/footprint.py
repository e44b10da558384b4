"""What a network needs of a board, before any training and without converting it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from eyetune.device.boards.profiles import Board
from eyetune.device.estimate.arena import aligned, alive_bytes, head_bytes, tail_bytes, with_copies
from eyetune.device.estimate.draft import UNKNOWN
from eyetune.device.estimate.graph import (
    WITH_WEIGHTS,
    Constant,
    Graph,
    Operator,
    split_counter,
    with_fresh_names,
)
from eyetune.device.estimate.graph import fresh_names as names_in_file
from eyetune.device.estimate.latency import Latency, latency
from eyetune.device.estimate.lowering import lower
from eyetune.device.estimate.operators import in_place_of, runs

if TYPE_CHECKING:
    import keras

# Of the .tflite file, in bytes, fitted to TensorFlow 2.21's converter over 59 networks.
_FILE = 500
_CONSTANT = 99
_TENSOR = 135
_SCALE = 12  # a float32 scale and an int64 zero point
_NAME = 32  # of one operation in a tensor's name, beside the names of its layer and of the model
_PLAIN_NAME = (
    14  # of what has the name of no layer: tensors converted from or to float32, common constants
)

Limit = Literal["flash", "arena", "time"]


@dataclass(frozen=True)
class LayerCost:
    """What one layer needs.

    Attributes:
        name: Of the Keras layer, or of the operator in a .tflite file.
        flash_bytes: Its weights and other constants.
        arena_bytes: What is alive in the tensor arena while it runs, at its fullest step.
        macs: Multiplications with addition for one image.
        milliseconds: Time for one image; None where the board has no cost model.
    """

    name: str
    flash_bytes: int
    arena_bytes: int
    macs: int
    milliseconds: float | None = None


@dataclass(frozen=True)
class Bottleneck:
    """The layer that costs most of what there is too little of.

    Attributes:
        layer: Its name.
        limit: What counts: the flash or the arena where the board has too little of it, else the
            time.
        share: Of the whole that the layer takes, 0 to 1.
        words: That as a sentence.
    """

    layer: str
    limit: Limit
    share: float
    words: str


@dataclass(frozen=True)
class Footprint:
    """What the int8 version of a network needs.

    Attributes:
        flash_bytes: Size of the .tflite file, predicted or that of the file.
        head_bytes: Of the tensor arena, what the tensors take.
        tail_bytes: Of the tensor arena, what the interpreter remembers.
        parameters: Number of weights, trained or not.
        macs: Multiplications with addition to classify one image.
        graph: The operators and tensors that these figures come from.
        unsupported: Layers that TensorFlow Lite Micro cannot run, each with the operator that it
            lacks.
        unknown: Layers of which only the size could be judged, each with its operator's name or
            class.
    """

    flash_bytes: int
    head_bytes: int
    tail_bytes: int
    parameters: int
    macs: int
    graph: Graph
    unsupported: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def arena_bytes(self) -> int:
        """The tensor arena."""
        return self.head_bytes + self.tail_bytes

    @property
    def macs_by_kind(self) -> dict[str, int]:
        """Multiplications with addition by the kind of operator, the most first."""
        return self.graph.macs_by_kind

    def arena_bytes_on(self, board: Board) -> int:
        """Return the tensor arena on a board: more than elsewhere where convolutions copy what they
        read.
        """
        return (
            self.tail_bytes + head_bytes(with_copies(self.graph))
            if board.copies_convolutions
            else self.arena_bytes
        )

    def arena_in_psram(self, board: Board) -> bool:
        """Tell whether the arena is too large for a board's internal RAM, and lies in external RAM
        where it has some.

        Example:
            >>> from eyetune.device.boards.profiles import board
            >>> Footprint(0, 200_000, 0, 0, 0, Graph((), (), (), ())).arena_in_psram(board("esp-eye"))
            True
        """
        return bool(board.psram_bytes) and self.arena_bytes_on(board) > board.arena_bytes

    def latency(self, board: Board) -> Latency | None:
        """Predict the time for one image, with the arena where it fits; None where the board has no
        cost model.
        """
        return latency(self.graph, board, arena_in_psram=self.arena_in_psram(board))

    def fits(self, board: Board) -> tuple[str, ...]:
        """Return the reasons why a board cannot run the network; none if it can.

        Example:
            >>> import keras
            >>> from eyetune.device.boards.profiles import board
            >>> layers = [keras.layers.Input((224, 224, 3)), keras.layers.Flatten(), keras.layers.Dense(64)]
            >>> print(*footprint(keras.Sequential(layers)).fits(board("esp-eye")), sep="\\n")
            The model takes 9,637,216 bytes of flash; ESP-EYE has room for 3,667,968.
        """
        reasons = []
        if self.flash_bytes > board.largest_model_bytes:
            reasons.append(
                _short(
                    "The model takes", self.flash_bytes, "flash", board, board.largest_model_bytes
                )
            )
        arena = self.arena_bytes_on(board)
        if arena > board.largest_arena_bytes:
            reasons.append(
                _short("The tensor arena takes", arena, "RAM", board, board.largest_arena_bytes)
            )
        return (*reasons, *(f"TensorFlow Lite Micro cannot run {one}." for one in self.unsupported))

    def advice(self, board: Board) -> tuple[str, ...]:
        """Return what to do about each reason why a board cannot run the network; nothing if it
        can.

        Example:
            >>> import keras
            >>> from eyetune.device.boards.profiles import board
            >>> layers = [keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, activation="gelu", name="first")]
            >>> print(*footprint(keras.Sequential(layers)).advice(board("esp-eye")))
            In layer first, use the activation relu, or hard_swish which is as smooth.
        """
        found = []
        if self.flash_bytes > board.largest_model_bytes:
            worst = self._costliest(board, "flash")
            found.append(
                f"{worst.words} {_SMALLER_LAYER if worst.share > _MAX_SHARE else _SMALLER_NETWORK}"
            )
        if self.arena_bytes_on(board) > board.largest_arena_bytes:
            found.append(f"{self._costliest(board, 'arena').words} {_SMALLER_ARENA}")
        steps = [
            operator for operator in self.graph.operators if not _supported(self.graph, operator)
        ]
        replaced = [
            f"In layer {operator.layers[0]}, use {in_place_of(operator.kind)}."
            for operator in steps
        ]
        return (*found, *dict.fromkeys(replaced))

    def layer_costs(self, board: Board) -> tuple[LayerCost, ...]:
        """Return what each layer needs, in the order in which they run; what is folded into one
        counts as that one.
        """
        time = self.latency(board)
        steps = time.operators if time else (None,) * len(self.graph.operators)
        costs: dict[str, LayerCost] = {}
        graph = with_copies(self.graph) if board.copies_convolutions else self.graph
        for operator, alive, milliseconds in zip(
            graph.operators, alive_bytes(graph), steps, strict=True
        ):
            name = operator.layers[0]
            before = costs.get(
                name, LayerCost(name, 0, 0, 0, None if milliseconds is None else 0.0)
            )
            costs[name] = LayerCost(
                name,
                before.flash_bytes + operator.constant_bytes,
                max(before.arena_bytes, alive),
                before.macs + operator.macs,
                None if milliseconds is None else (before.milliseconds or 0.0) + milliseconds,
            )
        return tuple(costs.values())

    def bottleneck(self, board: Board) -> Bottleneck:
        """Return the layer that costs most: of the flash or the arena where the board has too
        little, else of the time.

        Example:
            >>> from eyetune.device.boards.profiles import board
            >>> from eyetune.models.build import build
            >>> from eyetune.recipe import ModelSection
            >>> footprint(build(ModelSection(), (32, 32, 3), 10)).bottleneck(board("esp-eye")).limit
            'time'
        """
        if self.flash_bytes > board.largest_model_bytes:
            return self._costliest(board, "flash")
        return self._costliest(
            board, "arena" if self.arena_bytes_on(board) > board.largest_arena_bytes else "time"
        )

    def _costliest(self, board: Board, limit: Limit) -> Bottleneck:
        costs = self.layer_costs(board)
        if not costs:
            return Bottleneck("", limit, 0.0, "The network has no layers.")
        time_unknown = costs[0].milliseconds is None
        if limit == "flash":
            most = max(costs, key=lambda cost: cost.flash_bytes)
            share, words = (
                most.flash_bytes / self.flash_bytes,
                f"holds {most.flash_bytes:,} bytes of weights",
            )
        elif limit == "arena":
            most = max(costs, key=lambda cost: cost.arena_bytes)
            share = most.arena_bytes / self.arena_bytes_on(board)
            words = f"runs while {most.arena_bytes:,} bytes of tensors are alive"
        else:
            most = max(costs, key=lambda cost: (cost.milliseconds or 0.0, cost.macs))
            whole = sum(_work(cost) for cost in costs)
            share = _work(most) / whole if whole else 0.0
            what = "" if most.milliseconds is None else f"about {most.milliseconds:,.1f} ms for "
            words = f"takes {what}{most.macs:,} multiply-adds"
        whole_words = {
            "flash": "flash",
            "arena": "arena",
            "time": "multiply-adds" if time_unknown else "time",
        }[limit]
        return Bottleneck(
            most.name, limit, share, f"Layer {most.name} {words}: {share:.0%} of the {whole_words}."
        )


_MAX_SHARE = 0.4  # the share from which on one layer is to blame
_SMALLER_LAYER = (
    "Give it fewer units or filters, or put a pooling before it; global average pooling in place of Flatten makes the "
    "dense layer behind it much smaller."
)
_SMALLER_NETWORK = (
    "No layer alone is to blame: use fewer filters in all of them (--set model.width=0.5), or a smaller network, like "
    "resnet8 or mobilenet."
)
_SMALLER_ARENA = "Use smaller images, a stride or pooling earlier, or fewer filters where the pictures are large."


def _work(cost: LayerCost) -> float:
    """Return what a layer takes of the time, or of the multiply-adds where no time is known."""
    return cost.macs if cost.milliseconds is None else cost.milliseconds


def _short(what: str, needed: int, kind: str, board: Board, room: int) -> str:
    return f"{what} {needed:,} bytes of {kind}; {board.title} has room for {room:,}."


def footprint(model: keras.Model, *, fresh_names: bool = False) -> Footprint:
    """Predict what the int8 version of a Keras model needs, in milliseconds.

    The sizes are those of the trained network: biases count, though the converter leaves out those
    that are zero. Against tflite-micro 0.dev20261023 and TensorFlow 2.21's converter, the constants
    were fitted over 59 networks and tried on 16 random ones. The head was exact on all that
    tflite-micro runs (52 and 16), the arena at most 2.7% off on those fitted and 0.8% on the
    others. The file was at most 2.7% off from 5,000 bytes on, 0.5% from 80,000, and below 5,000 at
    most 400 bytes, of layers that the board can run; with layer or group normalization at most
    1.4%, and the arena 2.7%, over 16 networks of 12,000 bytes and more.

    Args:
        model: A built Keras model, sequential or functional, with models nested in it or not;
            trained or not.
        fresh_names: Call its layers as in a process that built no other model: conv2d in place of
            conv2d_7.

    Raises:
        UsageError: The wiring of the model cannot be read.

    Example:
        >>> from eyetune.models.build import build
        >>> from eyetune.recipe import ModelSection
        >>> needs = footprint(build(ModelSection(), (32, 32, 3), 10))
        >>> needs.head_bytes, needs.parameters, needs.macs
        (36000, 167562, 4040704)
    """
    graph = with_fresh_names(lower(model)) if fresh_names else lower(model)
    return of_graph(graph, flash_bytes(graph, model.name), model.count_params())


def of_graph(graph: Graph, size_bytes: int, parameters: int) -> Footprint:
    """Return what an int8 model needs, whose file has so many bytes and which has so many weights."""
    return Footprint(
        flash_bytes=size_bytes,
        head_bytes=head_bytes(graph),
        tail_bytes=tail_bytes(graph),
        parameters=parameters,
        macs=graph.macs,
        graph=graph,
        unsupported=_named(
            operator for operator in graph.operators if not _supported(graph, operator)
        ),
        unknown=_named(operator for operator in graph.operators if operator.kind == UNKNOWN),
    )


def _supported(graph: Graph, operator: Operator) -> bool:
    element_bytes = graph.tensors[(operator.inputs or operator.outputs)[0]].element_bytes
    return operator.kind == UNKNOWN or runs(operator.kind, element_bytes)


def _named(operators: Iterable[Operator]) -> tuple[str, ...]:
    """Return layers with their operators, each once."""
    return tuple(
        dict.fromkeys(f"{operator.kind} (layer {operator.layers[0]})" for operator in operators)
    )


def flash_bytes(graph: Graph, name: str) -> int:
    """Return the size of a .tflite file: its constants, and what it says of each of them and of
    each tensor.

    Args:
        graph: The int8 model.
        name: The model's name, which is in the name of every tensor.
    """
    total = _FILE + len(graph.inputs) * (_TENSOR + _SCALE + _NAME)
    prefix = len(split_counter(name)[0])
    names = names_in_file(graph)
    shared: set[tuple[str, str]] = set()  # a layer that is used again brings its weights but once
    for operator in graph.operators:
        key = operator.kind, operator.layers[0]
        length = prefix + sum(len(names[layer]) for layer in operator.layers) // len(
            operator.layers
        )
        total += _operator_bytes(operator, _NAME + length, again=key in shared)
        shared.add(key)
    common = {
        constant
        for operator in graph.operators
        for constant in operator.constants
        if constant.is_common
    }
    return aligned(total + sum(_constant_bytes(constant) + _PLAIN_NAME for constant in common))


def _operator_bytes(operator: Operator, name: int, *, again: bool) -> int:
    """Return what an operator, its output and its constants take in a file, at so many bytes a
    name.
    """
    output = _TENSOR + _SCALE + name * operator.names
    if operator.kind in ("QUANTIZE", "DEQUANTIZE"):
        return _TENSOR + _SCALE + _PLAIN_NAME
    if operator.kind not in WITH_WEIGHTS:
        return output + sum(
            _constant_bytes(one) + name for one in operator.constants if not one.is_common
        )
    weights, *others = operator.constants
    # The factors of a batch normalization are in the name of weights by channel.
    names = (
        3 if operator.kind in ("DEPTHWISE_CONV_2D", "TRANSPOSE_CONV") and operator.names >= 5 else 1
    )
    output += sum(
        _constant_bytes(one) + name * (operator.names if one.scales else 1) for one in others
    )
    return output if again else output + _constant_bytes(weights) + name * names


def _constant_bytes(constant: Constant) -> int:
    return aligned(constant.bytes) + _SCALE * constant.scales + _CONSTANT
