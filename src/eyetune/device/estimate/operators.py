"""The operators that TensorFlow Lite Micro can run, and replacements for those that it cannot."""

from __future__ import annotations

# The builtin operators of its MicroMutableOpResolver, by their names in the schema, as of 2025:
# https://github.com/tensorflow/tflite-micro/blob/main/tensorflow/lite/micro/micro_mutable_op_resolver.h
_SUPPORTED = """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND
    BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM
    DEPTH_TO_SPACE DEPTHWISE_CONV_2D DEQUANTIZE DIV ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS
    FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER GREATER_EQUAL
    HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOG_SOFTMAX
    LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC MAX_POOL_2D MAXIMUM MEAN MINIMUM MIRROR_PAD MUL
    NEG NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_MAX REDUCE_MIN RELU RELU6
    RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN
    SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE
    SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM
    UNPACK VAR_HANDLE WHILE ZEROS_LIKE
"""
SUPPORTED = frozenset(_SUPPORTED.split())

# The supported operators whose kernels do not take int8:
# https://github.com/tensorflow/tflite-micro/tree/main/tensorflow/lite/micro/kernels
_FLOAT = "CEIL COS EXP FLOOR FLOOR_DIV FLOOR_MOD L2_POOL_2D LOG NEG ROUND SIN SQRT SQUARE"
_FLOAT_ONLY = frozenset(_FLOAT.split())

# The supported operators that keep a state, or whose kernels copy what they multiply.
_STATEFUL = "ASSIGN_VARIABLE CALL_ONCE READ_VARIABLE SVDF UNIDIRECTIONAL_SEQUENCE_LSTM VAR_HANDLE"
_OTHER_MEMORY = frozenset(f"{_STATEFUL} BATCH_MATMUL CUMSUM IF WHILE".split())

_OTHER_ACTIVATION = "the activation relu or hard_swish"
_OTHER_LAYER = "another layer, or leave it out"
_REPLACEMENTS = {
    "CELU": _OTHER_ACTIVATION,
    "EXP": _OTHER_ACTIVATION,
    "GELU": _OTHER_ACTIVATION,
    "LOG": _OTHER_ACTIVATION,
    "LOG_SIGMOID": _OTHER_ACTIVATION,
    "MISH": _OTHER_ACTIVATION,
    "NEG": "a subtraction with its operands exchanged",
    "POW": "keras.layers.Multiply of the tensor with itself",
    "SELU": f"{_OTHER_ACTIVATION}, and batch normalization",
    "SQUARE": "keras.layers.Multiply of the tensor with itself",
    "TILE": 'UpSampling2D(interpolation="bilinear"), or Conv2DTranspose with strides',
}


def is_supported(kind: str, element_bytes: int) -> bool:
    """Return whether TensorFlow Lite Micro can run an operator.

    Args:
        kind: The operator's name in the TensorFlow Lite schema.
        element_bytes: Size of the elements that it reads, in bytes: 1 for int8, 4 for float32.

    Example:
        >>> is_supported("CONV_2D", 1), is_supported("GELU", 1)
        (True, False)
        >>> is_supported("EXP", 1), is_supported("EXP", 4)
        (False, True)
    """
    if kind in _FLOAT_ONLY and element_bytes < 4:
        return False
    return kind in SUPPORTED


def takes_other_memory(kind: str) -> bool:
    """Return whether an operator takes memory that cannot be computed from its tensors.

    Example:
        >>> takes_other_memory("CONV_2D"), takes_other_memory("SVDF")
        (False, True)
    """
    return kind in _OTHER_MEMORY


def replacement_for(kind: str) -> str:
    """Return what to use in place of an operator that TensorFlow Lite Micro cannot run.

    Example:
        >>> replacement_for("TILE")
        'UpSampling2D(interpolation="bilinear"), or Conv2DTranspose with strides'
    """
    return _REPLACEMENTS.get(kind, _OTHER_LAYER)
