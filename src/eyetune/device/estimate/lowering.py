"""From a Keras model, trained or not, to the graph of its int8 model, without converting it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from eyetune.device.estimate.arena import planned
from eyetune.device.estimate.graph import Graph, Tensor
from eyetune.device.estimate.graph_builder import UNKNOWN, GraphBuilder, LayerCall
from eyetune.device.estimate.graph_passes import fused, ordered
from eyetune.device.estimate.layer_rules import emit_layer, emit_unknown
from eyetune.errors import UsageError
from eyetune.models.keras_internals import functional_model, nodes_in_order

if TYPE_CHECKING:
    import keras

# Operators whose outputs have the same scale in every network
_WITH_FIXED_SCALE = frozenset({"TANH", "LOGISTIC"})


def lower(model: keras.Model) -> Graph:
    """Return the graph of a model's int8 version, as eyetune exports it.

    Operators and tensors are those of TensorFlow's converter, offsets those of the export.
    The converter leaves out biases that are all zero, as in an untrained model. The graph is that
    of a trained model, in which they are not.

    Args:
        model: A built Keras model, sequential or functional; models may be nested in it.

    Raises:
        UsageError: The model is neither sequential nor functional, or has no input shape yet, so
            that its layers cannot be traced.

    Example:
        >>> import keras
        >>> layers = [keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)]
        >>> layers += [keras.layers.BatchNormalization(), keras.layers.Softmax()]
        >>> [operator.kind for operator in lower(keras.Sequential(layers)).operators]
        ['CONV_2D', 'SOFTMAX']
    """
    functional = _functional(model)
    builder = GraphBuilder()
    inputs = [builder.add_tensor(Tensor(_shape(tensor))) for tensor in functional.inputs]
    outputs = _emit_model(functional, inputs, builder, "")
    graph = Graph(tuple(builder.tensors), tuple(builder.operators), tuple(inputs), tuple(outputs))
    graph = fused(ordered(graph))
    return graph if _is_rescaled(graph) else planned(graph)


def _is_rescaled(graph: Graph) -> bool:
    """Return whether the converter may add operators, so that a memory plan would be of others.

    It changes the scale of values before a concatenation if that of one input is fixed.
    """
    kinds = {operator.kind for operator in graph.operators}
    return "CONCATENATION" in kinds and bool(kinds & _WITH_FIXED_SCALE)


def _functional(model: Any) -> Any:
    """Return the functional model, whose layers can be traced.

    Raises:
        UsageError: There is none.
    """
    functional = functional_model(model)
    if functional is None:
        raise UsageError(
            "Cannot trace the layers of the model, so its footprint is unknown.",
            expected="a keras.Sequential with an Input, or a functional keras.Model",
            received=f"{type(model).__name__} {getattr(model, 'name', '')}".strip(),
            fix="Begin a Sequential with keras.layers.Input(shape); "
            "build other models as keras.Model(inputs, outputs).",
        )
    return functional


def _emit_model(
    functional: Any, inputs: Sequence[int], builder: GraphBuilder, prefix: str
) -> list[int]:
    """Add the operators of a functional model, and return the indices of its outputs."""
    import keras

    indices = {id(tensor): index for tensor, index in zip(functional.inputs, inputs, strict=True)}
    for node in nodes_in_order(functional):
        node_inputs = [indices[id(tensor)] for tensor in node.input_tensors]
        name = f"{prefix}{node.operation.name}"
        if isinstance(node.operation, keras.Model):
            nested = _functional(node.operation)
            outputs = _emit_model(nested, node_inputs, builder, f"{name}/")
        else:
            outputs = _emit_node(node, name, node_inputs, builder)
        for tensor, index in zip(node.outputs, outputs, strict=True):
            indices[id(tensor)] = index
    return [indices[id(tensor)] for tensor in functional.outputs]


def _emit_node(node: Any, name: str, inputs: Sequence[int], builder: GraphBuilder) -> list[int]:
    """Add the operators of one layer; outputs after the first come from unknown operators.

    So do outputs of an unknown size: what a layer needs for images of any size cannot be told.
    """
    calls = [
        LayerCall(name, node.operation, tuple(inputs), _shape(tensor), builder)
        for tensor in node.outputs
    ]
    if any(None in tensor.shape[1:] for tensor in node.outputs):
        return [emit_unknown(call) for call in calls]
    first, *others = calls
    return [emit_layer(first), *(call.emit(UNKNOWN) for call in others)]


def _shape(tensor: Any) -> tuple[int, ...]:
    """Return the shape of a Keras tensor without the batch; unknown sizes count as 1."""
    return tuple(size or 1 for size in tensor.shape[1:])
