"""Which operators the activations of Keras become: https://keras.io/api/layers/activations/."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eyetune.device.estimate.draft import UNKNOWN, Call, in_float
from eyetune.device.estimate.graph import Constant


def name_of(activation: Any) -> str:
    """Return the name of an activation, which is a function, or an object or layer that is called
    like one.
    """
    return (
        str(getattr(activation, "__name__", type(activation).__name__)).lower()
        if activation
        else "linear"
    )


def activate(call: Call, tensor: int, name: str) -> int:
    """Write the operators of an activation of a tensor, and return the place of what they give."""
    rule = ACTIVATIONS.get(name)
    return rule(call, tensor) if rule else call.emit(UNKNOWN, [tensor])


def _one(kind: str, names: int = 1) -> Callable[[Call, int], int]:
    """Return the rule of an activation that is one operator, made of so many operations of
    TensorFlow.
    """
    return lambda call, tensor: call.emit(kind, [tensor], names=names)


def _gated(call: Call, tensor: int) -> int:
    return call.emit("MUL", [tensor, call.emit("LOGISTIC", [tensor])])


def _hard_sigmoid(call: Call, tensor: int) -> int:
    constant = (Constant(1, 1),)
    raised = call.emit("RELU6", [call.emit("ADD", [tensor], constants=constant)])
    return call.emit("MUL", [raised], constants=constant)


def _softsign(call: Call, tensor: int) -> int:
    above = call.emit("ADD", [call.emit("ABS", [tensor])], constants=(Constant(1, 1),))
    return call.emit("DIV", [tensor, above])


def _softplus(call: Call, tensor: int) -> int:
    above = call.emit("ADD", [call.emit("EXP", [tensor])], constants=(Constant(1, 1),))
    return call.emit("LOG", [above])


ACTIVATIONS: dict[str, Callable[[Call, int], int]] = {
    "linear": lambda call, tensor: tensor,  # noqa: ARG005
    "relu": _one("RELU"),
    "relu6": _one("RELU6"),
    "leaky_relu": _one("LEAKY_RELU"),
    "leakyrelu": _one("LEAKY_RELU"),
    "tanh": _one("TANH"),
    "sigmoid": _one("LOGISTIC"),
    "softmax": _one("SOFTMAX"),
    "silu": _gated,
    "swish": _gated,
    "hard_silu": _one("HARD_SWISH", 4),
    "hard_swish": _one("HARD_SWISH", 4),
    "hard_sigmoid": _hard_sigmoid,
    "softsign": _softsign,
    "softplus": _softplus,
    "exponential": _one("EXP"),
    "gelu": _one("GELU"),
    "elu": lambda call, tensor: in_float(call, "ELU", tensor, call.shape),
    # Made of several operators, some of which a board cannot run whatever they take: one stands for
    # all.
    **{name: _one(name.upper()) for name in ("selu", "celu", "mish", "log_sigmoid")},
}
