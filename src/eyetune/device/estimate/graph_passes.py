"""What TensorFlow's converter does to a graph: the order of its operators, and their fusion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from eyetune.device.estimate.graph import WITH_WEIGHTS, Constant, Graph, Operator
from eyetune.device.estimate.layer_names import traced_names

# Operators that the converter can end with a ReLU at no cost.
_FUSES_RELU = WITH_WEIGHTS | {"ADD", "SUB", "MUL", "MAX_POOL_2D", "AVERAGE_POOL_2D"}
_KEEPS_VALUES = frozenset({"MAX_POOL_2D", "AVERAGE_POOL_2D", "PAD", "RESHAPE", "STRIDED_SLICE"})
_RELUS = frozenset({"RELU", "RELU6"})
# Names of TensorFlow's operations that read the variables of a layer; the others are named cast.
_VARIABLE_READERS = {
    "CONV_2D": "convolution",
    "DEPTHWISE_CONV_2D": "depthwise",
    "TRANSPOSE_CONV": "conv_transpose",
}


def ordered(graph: Graph) -> Graph:
    """Return the graph with its operators in the order in which the converter runs them.

    The order is the reverse of a depth-first search's postorder, as in TensorFlow's import of
    functions (`GetReversePostOrder`). The search starts from all nodes without inputs, the last by
    name first: variables, then other constants, then the images. After an operator, the readers of
    its output follow by name.
    """
    names = traced_names(graph)
    readers = _readers_by_tensor(graph, names)
    finished: dict[int, Operator] = {}
    visited: set[int] = set()
    images = [operator for index in graph.inputs for operator in readers.get(index, ())]
    # An explicit stack, since deep networks exceed the recursion limit. An operator is seen twice:
    # when the search reaches it, and when everything behind it is finished.
    stack = [*images, *_readers_of_constants(graph, names)]
    while stack:
        operator = stack[-1]
        if operator.output in visited:
            stack.pop()
            finished.setdefault(operator.output, operator)
            continue
        visited.add(operator.output)
        following = readers.get(operator.output, ())
        stack += [reader for reader in following if reader.output not in visited]
    return replace(graph, operators=tuple(reversed(finished.values())))


def _readers_by_tensor(graph: Graph, names: Mapping[str, str]) -> dict[int, list[Operator]]:
    """Return the operators that read each tensor, sorted by the name of their layer."""

    def by_name(operator: Operator) -> tuple[str, int]:
        return f"{names[operator.layers[0]]}/", operator.output

    readers: dict[int, list[Operator]] = {}
    for operator in sorted(graph.operators, key=by_name):
        for index in dict.fromkeys(operator.inputs):
            readers.setdefault(index, []).append(operator)
    return readers


def _readers_of_constants(graph: Graph, names: Mapping[str, str]) -> list[Operator]:
    """Return the operators that read constants, sorted by the names of these in the function.

    Variables are arguments of the function, with underscores in place of slashes. They come after
    other constants, since an underscore comes after a slash. The search reaches layers that divide
    by a standard deviation from their input: their constants lead to the last of their operators.
    """
    normalizing = {operator.layers[0] for operator in graph.operators if operator.kind == "RSQRT"}

    def by_name(operator: Operator) -> tuple[bool, str, int]:
        is_variable = any(constant.scales for constant in operator.constants)
        name = f"{names[operator.layers[0]]}/{_VARIABLE_READERS.get(operator.kind, 'cast')}"
        return is_variable, name.replace("/", "_") if is_variable else name, operator.output

    reading = [
        operator
        for operator in graph.operators
        if operator.constants and operator.layers[0] not in normalizing
    ]
    return sorted(reading, key=by_name)


def spreading_floats(graph: Graph) -> list[Operator]:
    """Return the float operators that the converter may extend to their neighbors.

    A concatenation of values from such an operator, also after pooling, is done in float together
    with what leads to it, which the converter decides case by case.
    """
    producers = {operator.output: operator for operator in graph.operators}
    origins: dict[int, Operator] = {}  # of tensors with values from a float operator
    spreading: dict[int, Operator] = {}
    for operator in graph.operators:
        sources = [origins[index] for index in operator.inputs if index in origins]
        if operator.kind == "QUANTIZE":
            origins[operator.output] = producers[operator.inputs[0]]
        elif operator.kind == "CONCATENATION":
            spreading |= {source.output: source for source in sources}
        elif operator.kind in _KEEPS_VALUES and sources:
            origins[operator.output] = sources[0]
    return list(spreading.values())


def fused(graph: Graph) -> Graph:
    """Return the graph as the converter leaves it: operators are folded into their neighbors.

    A multiplication by or addition of constants (batch normalization) is folded into the
    convolution or dense layer before it, a multiplication by a single number also into the one
    after it, and a ReLU into the operator before it. This happens only where no other operator
    reads the tensor between the two. Operators whose output is never read are dropped.

    Example:
        >>> from eyetune.device.estimate.graph import Tensor
        >>> convolution = Operator("CONV_2D", ("conv",), (0,), 1)
        >>> relu = Operator("RELU", ("relu",), (1,), 2)
        >>> graph = Graph((Tensor((4,)),) * 3, (convolution, relu), (0,), (2,))
        >>> (operator,) = fused(graph).operators
        >>> operator.kind, operator.layers, operator.output, operator.activation
        ('CONV_2D', ('conv', 'relu'), 2, 'RELU')
    """
    num_readers = _num_readers(graph)
    kept: dict[int, Operator] = {}  # by the tensor that they write, in order
    for operator in graph.operators:
        if not num_readers[operator.output]:
            continue
        before = _only_predecessor(operator, kept, num_readers)
        merged = None if before is None else _merged(before, operator)
        if before is not None and merged is not None:
            del kept[before.output]
        kept[operator.output] = merged or operator
    return replace(graph, operators=tuple(kept.values()))


def _num_readers(graph: Graph) -> Counter[int]:
    """Return how often each tensor is read, by an operator or as an output of the model."""
    counts = Counter(index for operator in graph.operators for index in operator.inputs)
    counts.update(graph.outputs)
    return counts


def _only_predecessor(
    operator: Operator, kept: Mapping[int, Operator], num_readers: Mapping[int, int]
) -> Operator | None:
    """Return the operator before one with a single input, if its output is not read elsewhere."""
    first = operator.inputs[0]
    if len(operator.inputs) != 1 or num_readers[first] != 1:
        return None
    return kept.get(first)


def _merged(before: Operator, after: Operator) -> Operator | None:
    """Return the operator that the converter makes of two; None if it keeps both."""
    if before.activation:
        return None
    if after.kind in _RELUS and before.kind in _FUSES_RELU:
        return replace(
            before,
            layers=_joined_layers(before, after),
            output=after.output,
            activation=after.kind,
        )
    if after.only_scales and before.kind in WITH_WEIGHTS:
        return _with_scaling(before, after)
    multiplies_by_number = before.kind == "MUL" and before.only_scales
    if multiplies_by_number and before.constants[0].bytes == 1 and after.kind in WITH_WEIGHTS:
        return replace(after, layers=(*after.layers, *before.layers), inputs=before.inputs)
    return None


def _with_scaling(before: Operator, scaling: Operator) -> Operator:
    """Fold a multiplication or addition of constants into the operator with weights before it."""
    num_kept = 2 if before.kind == "TRANSPOSE_CONV" else 1  # its weights, and a shape
    bias = Constant(4 * before.channels)
    return replace(
        before,
        layers=_joined_layers(before, scaling),
        output=scaling.output,
        constants=(*before.constants[:num_kept], bias),
    )


def _joined_layers(before: Operator, after: Operator) -> tuple[str, ...]:
    return before.layers + tuple(layer for layer in after.layers if layer not in before.layers)
