"""What TensorFlow Lite Micro can run, as data, and what to use in place of what it cannot."""

from __future__ import annotations

# The builtin operators of its MicroMutableOpResolver, by their names in the schema, as of 2025:
# https://github.com/tensorflow/tflite-micro/blob/main/tensorflow/lite/micro/micro_mutable_op_resolver.h
SUPPORTED = frozenset(
    {
        *(
            "ABS",
            "ADD",
            "ADD_N",
            "ARG_MAX",
            "ARG_MIN",
            "ASSIGN_VARIABLE",
            "AVERAGE_POOL_2D",
            "BATCH_MATMUL",
        ),
        *(
            "BATCH_TO_SPACE_ND",
            "BROADCAST_ARGS",
            "BROADCAST_TO",
            "CALL_ONCE",
            "CAST",
            "CEIL",
            "CONCATENATION",
        ),
        *("CONV_2D", "COS", "CUMSUM", "DEPTH_TO_SPACE", "DEPTHWISE_CONV_2D", "DEQUANTIZE", "DIV"),
        *(
            "EMBEDDING_LOOKUP",
            "ELU",
            "EQUAL",
            "EXP",
            "EXPAND_DIMS",
            "FILL",
            "FLOOR",
            "FLOOR_DIV",
            "FLOOR_MOD",
        ),
        *("FULLY_CONNECTED", "GATHER", "GATHER_ND", "GREATER", "GREATER_EQUAL", "HARD_SWISH", "IF"),
        *(
            "L2_NORMALIZATION",
            "L2_POOL_2D",
            "LEAKY_RELU",
            "LESS",
            "LESS_EQUAL",
            "LOG",
            "LOGICAL_AND",
        ),
        *(
            "LOGICAL_NOT",
            "LOGICAL_OR",
            "LOGISTIC",
            "LOG_SOFTMAX",
            "MAXIMUM",
            "MAX_POOL_2D",
            "MIRROR_PAD",
            "MEAN",
        ),
        *(
            "MINIMUM",
            "MUL",
            "NEG",
            "NOT_EQUAL",
            "PACK",
            "PAD",
            "PADV2",
            "PRELU",
            "QUANTIZE",
            "READ_VARIABLE",
        ),
        *(
            "REDUCE_MAX",
            "REDUCE_MIN",
            "RELU",
            "RELU6",
            "RESHAPE",
            "RESIZE_BILINEAR",
            "RESIZE_NEAREST_NEIGHBOR",
        ),
        *(
            "REVERSE_V2",
            "ROUND",
            "RSQRT",
            "SELECT_V2",
            "SHAPE",
            "SIN",
            "SLICE",
            "SOFTMAX",
            "SPACE_TO_BATCH_ND",
        ),
        *(
            "SPACE_TO_DEPTH",
            "SPLIT",
            "SPLIT_V",
            "SQUEEZE",
            "SQRT",
            "SQUARE",
            "SQUARED_DIFFERENCE",
            "STRIDED_SLICE",
        ),
        *(
            "SUB",
            "SUM",
            "SVDF",
            "TANH",
            "TRANSPOSE_CONV",
            "TRANSPOSE",
            "UNPACK",
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
        ),
        *("VAR_HANDLE", "WHILE", "ZEROS_LIKE"),
    }
)
# Of those, the ones whose kernels take no int8:
# https://github.com/tensorflow/tflite-micro/tree/main/tensorflow/lite/micro/kernels
FLOAT_ONLY = frozenset(
    {
        *(
            "CEIL",
            "COS",
            "EXP",
            "FLOOR",
            "FLOOR_DIV",
            "FLOOR_MOD",
            "L2_POOL_2D",
            "LOG",
            "NEG",
            "ROUND",
            "SIN",
        ),
        *("SQRT", "SQUARE"),
    }
)

_ANOTHER_ACTIVATION = "the activation relu, or hard_swish which is as smooth"
# What to use in place of an operator, or of a layer that becomes one.
IN_PLACE_OF: dict[str, str] = {
    "GELU": _ANOTHER_ACTIVATION,
    "SELU": f"{_ANOTHER_ACTIVATION}, and batch normalization",
    "CELU": _ANOTHER_ACTIVATION,
    "MISH": _ANOTHER_ACTIVATION,
    "LOG_SIGMOID": _ANOTHER_ACTIVATION,
    "EXP": _ANOTHER_ACTIVATION,
    "LOG": _ANOTHER_ACTIVATION,
    "TILE": "Conv2DTranspose with strides in place of UpSampling2D",
    "NEG": "a subtraction the other way round",
    "SQUARE": "keras.layers.Multiply of the tensor with itself",
    "POW": "keras.layers.Multiply of the tensor with itself",
}
_ELSE = "another layer, or leave it out"


def runs(kind: str, element_bytes: int) -> bool:
    """Tell whether TensorFlow Lite Micro runs an operator on elements of so many bytes: 1 for int8,
    4 for float32.

    Example:
        >>> runs("CONV_2D", 1), runs("GELU", 1), runs("EXP", 1), runs("EXP", 4)
        (True, False, False, True)
    """
    return kind in SUPPORTED and not (kind in FLOAT_ONLY and element_bytes < 4)


def in_place_of(kind: str) -> str:
    """Return what to use in place of an operator that cannot be run.

    Example:
        >>> in_place_of("TILE")
        'Conv2DTranspose with strides in place of UpSampling2D'
    """
    return IN_PLACE_OF.get(kind, _ELSE)
