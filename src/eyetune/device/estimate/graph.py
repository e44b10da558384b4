"""The int8 model as a plain graph: operators, the tensors between them and the constants that they
hold.

`lowering` reads it off a Keras model and `tflite` off a file, `arena` plans its memory, `latency`
its time, `footprint` adds up its bytes. Operators have the names of the TensorFlow Lite schema
(https://ai.google.dev/edge/litert/microcontrollers/overview).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"})
WITH_WEIGHTS = CONVOLUTIONS | {"FULLY_CONNECTED"}
# What the converter lets end in a relu at no cost.
_FUSES_RELU = WITH_WEIGHTS | {"ADD", "SUB", "MUL", "MAX_POOL_2D", "AVERAGE_POOL_2D"}
_RELUS = frozenset({"RELU", "RELU6"})


@dataclass(frozen=True)
class Tensor:
    """What flows between operators, for one image: its shape without the batch, and the bytes of
    one element.
    """

    shape: tuple[int, ...]
    element_bytes: int = 1

    @property
    def bytes(self) -> int:
        """Bytes of all elements."""
        return math.prod(self.shape) * self.element_bytes


@dataclass(frozen=True)
class Constant:
    """What an operator has in flash.

    Attributes:
        bytes: Its size.
        scales: By how many scales it is quantized (0: it holds plain numbers).
        is_common: Whether the converter makes one of all that are equal, whichever layers they are
            from.
    """

    bytes: int
    scales: int = 0
    is_common: bool = False


@dataclass(frozen=True)
class Operator:
    """One step of the int8 model.

    Attributes:
        kind: Its name in the TensorFlow Lite schema.
        layers: The Keras layers that it does the work of, the one that it comes from first.
        inputs: Places of the tensors that it reads, in the graph's.
        output: Place of the tensor that it writes.
        constants: Weights, biases, shapes and axes.
        channels: Number of output channels that are quantized each on its own, in a convolution or
            dense layer.
        macs: Multiplications with addition, where it has weights.
        activation: The relu that it ends in ("": none).
        scratch_bytes: Memory that it needs while it runs, beside its tensors.
        names: How many names the converter joins into that of its output, which takes flash too.
        more_outputs: Places of the other tensors that it writes.
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
    names: int = 1
    more_outputs: tuple[int, ...] = ()

    @property
    def outputs(self) -> tuple[int, ...]:
        """Places of all tensors that it writes."""
        return (self.output, *self.more_outputs)

    @property
    def constant_bytes(self) -> int:
        """Bytes of its constants."""
        return sum(constant.bytes for constant in self.constants)

    @property
    def scales_only(self) -> bool:
        """Whether it multiplies by or adds constants alone, as batch normalization does."""
        return self.kind in ("MUL", "ADD") and len(self.inputs) == 1


@dataclass(frozen=True)
class Graph:
    """Operators in the order in which they run, and the tensors that they name by place."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def activations(self) -> tuple[int, ...]:
        """Places of the tensors that are in use: the inputs and what the operators write."""
        return (*self.inputs, *(place for operator in self.operators for place in operator.outputs))

    @property
    def macs(self) -> int:
        """Multiplications with addition of all operators."""
        return sum(operator.macs for operator in self.operators)

    @property
    def macs_by_kind(self) -> dict[str, int]:
        """Multiplications with addition by the kind of operator, the most first; without those that
        have none.
        """
        counts: Counter[str] = Counter()
        for operator in self.operators:
            counts[operator.kind] += operator.macs
        return {kind: count for kind, count in counts.most_common() if count}


def fresh_names(graph: Graph) -> dict[str, str]:
    """Return the layers of a graph by the names that they would have in a process that built
    nothing before.

    Keras counts on over all models of a process (conv2d_7); what is predicted must not hang on
    that.

    Example:
        >>> steps = (Operator("TANH", ("tanh_9",), (0,), 1), Operator("TANH", ("tanh_10",), (1,), 2))
        >>> fresh_names(Graph((Tensor((4,)),) * 3, steps, (0,), (2,)))
        {'tanh_9': 'tanh', 'tanh_10': 'tanh_1'}
    """
    paths = dict.fromkeys(layer for operator in graph.operators for layer in operator.layers)
    counted: dict[str, set[int]] = {}
    for part in {part for path in paths for part in path.split("/")}:
        base, number = split_counter(part)
        counted.setdefault(base, set()).add(number)
    renamed = {}
    for base, numbers in counted.items():
        for place, number in enumerate(sorted(numbers)):
            renamed[base, number] = f"{base}_{place}" if place else base
    return {
        path: "/".join(renamed[split_counter(part)] for part in path.split("/")) for path in paths
    }


def with_fresh_names(graph: Graph) -> Graph:
    """Return the graph with its layers called as `fresh_names` says.

    Example:
        >>> step = Operator("TANH", ("tanh_9",), (0,), 1)
        >>> with_fresh_names(Graph((Tensor((4,)),) * 2, (step,), (0,), (1,))).operators[0].layers
        ('tanh',)
    """
    names = fresh_names(graph)
    renamed = (
        replace(one, layers=tuple(names[layer] for layer in one.layers)) for one in graph.operators
    )
    return replace(graph, operators=tuple(renamed))


def split_counter(name: str) -> tuple[str, int]:
    """Return a name of Keras without its counter, and that (0: none).

    Example:
        >>> split_counter("conv2d_12"), split_counter("conv2d")
        (('conv2d', 12), ('conv2d', 0))
    """
    base, _, counter = name.rpartition("_")
    return (base, int(counter)) if base and counter.isdecimal() else (name, 0)


def ordered(graph: Graph) -> Graph:
    """Return the graph with its operators in the order in which the converter runs them.

    From an operator on, the readers of what it writes follow by name, each with all that hangs on
    it alone: the reverse of a depth-first search's postorder, as TensorFlow imports its graphs.
    """
    names = fresh_names(graph)
    followers: dict[int, list[Operator]] = {}
    for operator in sorted(
        graph.operators, key=lambda operator: (f"{names[operator.layers[0]]}/", operator.output)
    ):
        for place in dict.fromkeys(operator.inputs):
            followers.setdefault(place, []).append(operator)
    found: dict[int, Operator] = {}
    seen: set[int] = set()
    # Without recursion, for networks are deep. An operator comes up twice: when it is met, and when
    # all is found that hangs on it.
    stack = [operator for place in graph.inputs for operator in followers.get(place, ())]
    while stack:
        operator = stack[-1]
        if operator.output in seen:
            stack.pop()
            found.setdefault(operator.output, operator)
            continue
        seen.add(operator.output)
        stack += [
            reader for reader in followers.get(operator.output, ()) if reader.output not in seen
        ]
    return replace(graph, operators=tuple(reversed(found.values())))


def fused(graph: Graph) -> Graph:
    """Return the graph as the converter leaves it: what can be folded into a neighbour is.

    Multiplications and additions of constants (batch normalization) go into the convolution or
    dense layer before them, a multiplication by one number also into the one behind it, and a relu
    into the operator before it, each only where nobody else reads what lies between the two. What
    nobody reads at all is left out.

    Example:
        >>> convolution = Operator("CONV_2D", ("conv",), (0,), 1)
        >>> relu = Operator("RELU", ("relu",), (1,), 2)
        >>> graph = Graph((Tensor((4,)),) * 3, (convolution, relu), (0,), (2,))
        >>> for operator in fused(graph).operators:
        ...     print(operator.kind, operator.layers, operator.activation)
        CONV_2D ('conv', 'relu') RELU
    """
    readers = _readers(graph)
    made: dict[int, Operator] = {}  # by what they write, in order
    for operator in graph.operators:
        if not readers[operator.output]:
            continue
        before = _alone(operator, made, readers)
        merged = None if before is None else _merged(before, operator)
        if before is not None and merged is not None:
            del made[before.output]
        made[operator.output] = merged or operator
    return replace(graph, operators=tuple(made.values()))


def _readers(graph: Graph) -> Counter[int]:
    """Return how often each tensor is read, by an operator or as an output."""
    readers = Counter(place for operator in graph.operators for place in operator.inputs)
    readers.update(graph.outputs)
    return readers


def _alone(
    operator: Operator, made: Mapping[int, Operator], readers: Mapping[int, int]
) -> Operator | None:
    """Return the operator before this one, if it has one input and is the only reader of it."""
    first = operator.inputs[0]
    return made.get(first) if len(operator.inputs) == 1 and readers[first] == 1 else None


def _merged(before: Operator, after: Operator) -> Operator | None:
    if before.activation:
        return None
    layers = before.layers + tuple(layer for layer in after.layers if layer not in before.layers)
    if after.kind in _RELUS and before.kind in _FUSES_RELU:
        return replace(
            before,
            layers=layers,
            output=after.output,
            activation=after.kind,
            names=before.names + 1,
        )
    if after.scales_only and before.kind in WITH_WEIGHTS:
        weights, *others = before.constants
        plain = [constant for constant in others if not constant.scales]
        biased = (weights, *plain, Constant(4 * before.channels, before.channels))
        names = before.names + (1 if before.kind == "CONV_2D" and before.names < 3 else 2)
        return replace(before, layers=layers, output=after.output, constants=biased, names=names)
    if (
        before.scales_only
        and before.kind == "MUL"
        and before.constants[0].bytes == 1
        and after.kind in WITH_WEIGHTS
    ):
        return replace(after, layers=(*after.layers, *before.layers), inputs=before.inputs)
    return None
