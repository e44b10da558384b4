"""From operators of TensorFlow Lite to the methods of tflite::MicroMutableOpResolver that add them.

https://github.com/tensorflow/tflite-micro/blob/main/tensorflow/lite/micro/micro_mutable_op_resolver.h
"""

from __future__ import annotations

from collections.abc import Iterable

from eyetune.device.estimate.operators import SUPPORTED, replacement_for
from eyetune.errors import UsageError

# Operators whose method is not simply the name in camel case.
_METHODS = {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}


def add_methods(operators: Iterable[str]) -> tuple[str, ...]:
    """Return the methods that add these operators, each once, in the order of first use.

    Args:
        operators: Names of builtin operators in TensorFlow Lite's schema.

    Raises:
        UsageError: TensorFlow Lite Micro has no such operator.

    Example:
        >>> add_methods(["CONV_2D", "MAX_POOL_2D", "CONV_2D", "SOFTMAX"])
        ('AddConv2D', 'AddMaxPool2D', 'AddSoftmax')
    """
    return tuple(dict.fromkeys(_method(name) for name in operators))


def _method(name: str) -> str:
    if name not in SUPPORTED:
        raise UsageError(
            "The network has an operator that TensorFlow Lite Micro cannot run.",
            expected="operators such as CONV_2D, FULLY_CONNECTED and SOFTMAX",
            received=name,
            fix=f"Use {replacement_for(name)}.",
        )
    if name in _METHODS:
        return _METHODS[name]
    return "Add" + "".join(_camel_case(part) for part in name.split("_"))


def _camel_case(part: str) -> str:
    return part if part[0].isdigit() else part.capitalize()  # 2D, but MaxPool
