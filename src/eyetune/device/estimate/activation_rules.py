"""The operators that Keras's activations become: https://keras.io/api/layers/activations/."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eyetune.device.estimate.graph import Constant
from eyetune.device.estimate.graph_builder import UNKNOWN, LayerCall, emit_in_float

_ActivationRule = Callable[[LayerCall, int], int]


def activation_name(activation: Any) -> str:
    """Return the name of an activation: a function, or an object or layer that is called like one.

    Example:
        >>> activation_name(None)
        'linear'
    """
    if not activation:
        return "linear"
    return str(getattr(activation, "__name__", type(activation).__name__)).lower()


def emit_activation(call: LayerCall, tensor: int, name: str) -> int:
    """Add the operators of an activation of a tensor, and return the index of the result."""
    rule = ACTIVATION_RULES.get(name)
    if rule is None:
        return call.emit(UNKNOWN, [tensor])
    return rule(call, tensor)


def _single(kind: str) -> _ActivationRule:
    """Return the rule of an activation that is one operator."""
    return lambda call, tensor: call.emit(kind, [tensor])


def _linear(call: LayerCall, tensor: int) -> int:  # noqa: ARG001 (the signature of a rule)
    return tensor


def _swish(call: LayerCall, tensor: int) -> int:
    return call.emit("MUL", [tensor, call.emit("LOGISTIC", [tensor])])


def _hard_sigmoid(call: LayerCall, tensor: int) -> int:
    constant = (Constant(1, 1),)
    shifted = call.emit("ADD", [tensor], constants=constant)
    limited = call.emit("RELU6", [shifted])
    return call.emit("MUL", [limited], constants=constant)


def _softsign(call: LayerCall, tensor: int) -> int:
    magnitude = call.emit("ABS", [tensor])
    divisor = call.emit("ADD", [magnitude], constants=(Constant(1, 1),))
    return call.emit("DIV", [tensor, divisor])


def _softplus(call: LayerCall, tensor: int) -> int:
    exponential = call.emit("EXP", [tensor])
    shifted = call.emit("ADD", [exponential], constants=(Constant(1, 1),))
    return call.emit("LOG", [shifted])


def _elu(call: LayerCall, tensor: int) -> int:
    return emit_in_float(call, "ELU", tensor, call.shape)


ACTIVATION_RULES: dict[str, _ActivationRule] = {
    "linear": _linear,
    "relu": _single("RELU"),
    "relu6": _single("RELU6"),
    "leaky_relu": _single("LEAKY_RELU"),
    "leakyrelu": _single("LEAKY_RELU"),
    "tanh": _single("TANH"),
    "sigmoid": _single("LOGISTIC"),
    "softmax": _single("SOFTMAX"),
    "silu": _swish,
    "swish": _swish,
    "hard_silu": _single("HARD_SWISH"),
    "hard_swish": _single("HARD_SWISH"),
    "hard_sigmoid": _hard_sigmoid,
    "softsign": _softsign,
    "softplus": _softplus,
    "exponential": _single("EXP"),
    "gelu": _single("GELU"),
    "elu": _elu,
    # The converter makes several operators of these, some of which no board can run in any type.
    # One operator stands for all of them.
    "selu": _single("SELU"),
    "celu": _single("CELU"),
    "mish": _single("MISH"),
    "log_sigmoid": _single("LOG_SIGMOID"),
}
