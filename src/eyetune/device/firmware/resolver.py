"""From operators of TensorFlow Lite to the methods of tflite::MicroMutableOpResolver that add them.

https://github.com/tensorflow/tflite-micro/blob/main/tensorflow/lite/micro/micro_mutable_op_resolver.h
"""

from __future__ import annotations

from collections.abc import Iterable

from eyetune.device.estimate.operators import SUPPORTED, replacement_for
from eyetune.errors import UsageError

# Names that are not spelled word by word.
_SPELLED = {
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}


def add_methods(operators: Iterable[str]) -> tuple[str, ...]:
    """Return the methods that add these operators, each once, in the order in which they first
    come.

    Args:
        operators: Names of builtin operators, as in TensorFlow Lite's schema.

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
            expected="operators such as CONV_2D, FULLY_CONNECTED, SOFTMAX",
            received=name,
            fix=f"Use {replacement_for(name)}.",
        )
    return "Add" + _SPELLED.get(name, "".join(map(_capitalized, name.split("_"))))


def _capitalized(word: str) -> str:
    return word if word[0].isdigit() else word.capitalize()  # 2D, but MaxPool
