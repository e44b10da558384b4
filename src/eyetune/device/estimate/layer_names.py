"""Names of layers that do not depend on which models a process built before.

Keras numbers layers per process: the first Conv2D is conv2d, the next one, also in another model,
is conv2d_1. Names influence the order in which the operators of a .tflite file run, so estimates
number the layers of each model from the start.
"""

from __future__ import annotations

from dataclasses import replace

from eyetune.device.estimate.graph import Graph


def split_counter(name: str) -> tuple[str, int]:
    """Return the name of a Keras layer without its counter, and the counter (0 if it has none).

    Example:
        >>> split_counter("conv2d_12"), split_counter("conv2d")
        (('conv2d', 12), ('conv2d', 0))
    """
    base, _, counter = name.rpartition("_")
    if base and counter.isdecimal():
        return base, int(counter)
    return name, 0


def renumbered_names(graph: Graph) -> dict[str, str]:
    """Return, for each layer of a graph, its name in a process that built no other model.

    Example:
        >>> from eyetune.device.estimate.graph import Operator, Tensor
        >>> first = Operator("TANH", ("tanh_9",), (0,), 1)
        >>> second = Operator("TANH", ("tanh_10",), (1,), 2)
        >>> renumbered_names(Graph((Tensor((4,)),) * 3, (first, second), (0,), (2,)))
        {'tanh_9': 'tanh', 'tanh_10': 'tanh_1'}
    """
    paths = dict.fromkeys(layer for operator in graph.operators for layer in operator.layers)
    counters_by_base: dict[str, set[int]] = {}
    for path in paths:
        for part in path.split("/"):
            base, counter = split_counter(part)
            counters_by_base.setdefault(base, set()).add(counter)
    renumbered: dict[tuple[str, int], str] = {}
    for base, counters in counters_by_base.items():
        for position, counter in enumerate(sorted(counters)):
            renumbered[base, counter] = f"{base}_{position}" if position else base
    return {
        path: "/".join(renumbered[split_counter(part)] for part in path.split("/"))
        for path in paths
    }


def traced_names(graph: Graph) -> dict[str, str]:
    """Return, for each layer of a graph, its name in the function that TensorFlow traces.

    It is called a second time there, so a counter is appended that is not in use yet.

    Example:
        >>> from eyetune.device.estimate.graph import Operator, Tensor
        >>> first = Operator("TANH", ("tanh",), (0,), 1)
        >>> second = Operator("TANH", ("tanh_1",), (1,), 2)
        >>> traced_names(Graph((Tensor((4,)),) * 3, (first, second), (0,), (2,)))
        {'tanh': 'tanh_1', 'tanh_1': 'tanh_1_2'}
    """
    names = renumbered_names(graph)
    in_use = {part for path in names.values() for part in path.split("/")}

    def traced(part: str) -> str:
        base, counter = split_counter(part)
        is_taken = counter == 1 and base in in_use  # as the traced name of that layer
        return f"{part}_2" if is_taken else f"{part}_1"

    return {
        path: "/".join(traced(part) for part in name.split("/")) for path, name in names.items()
    }


def with_renumbered_layers(graph: Graph) -> Graph:
    """Return the graph with the names of its layers replaced as by `renumbered_names`.

    Example:
        >>> from eyetune.device.estimate.graph import Operator, Tensor
        >>> step = Operator("TANH", ("tanh_9",), (0,), 1)
        >>> graph = Graph((Tensor((4,)),) * 2, (step,), (0,), (1,))
        >>> with_renumbered_layers(graph).operators[0].layers
        ('tanh',)
    """
    names = renumbered_names(graph)
    operators = [
        replace(operator, layers=tuple(names[layer] for layer in operator.layers))
        for operator in graph.operators
    ]
    return replace(graph, operators=tuple(operators))
