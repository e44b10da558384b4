"""TensorFlow Lite's file format, read with the schema module inside TensorFlow.

The schema module (`tensorflow.lite.python.schema_py_generated`) is private to TensorFlow and used
in this module only; tests/device/estimate/test_tflite_schema.py names the version of TensorFlow
that it was checked with. The format:
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

IDENTIFIER = b"TFL3"  # at bytes 4 to 7 of every file
# The name of the metadata with offsets of tensors in memory, and the values before the offsets
# (version, number of the subgraph, number of tensors); all are int32. See "Offline planned tensor
# allocations" in
# https://github.com/tensorflow/tflite-micro/blob/main/tensorflow/lite/micro/docs/memory_management.md.
MEMORY_PLAN = b"OfflineMemoryAllocation"
MEMORY_PLAN_VERSION = 1
MEMORY_PLAN_HEADER = 3
PLANNED_AT_START = -1  # the offset of a tensor that the interpreter places
_MODULE = "tensorflow.lite.python.schema_py_generated"


def root(content: bytes) -> Any:
    """Return the root table of a .tflite file, which reads from the content on demand."""
    return _schema().Model.GetRootAs(content, 0)


def unpack(content: bytes) -> Any:
    """Return a .tflite file as objects that can be changed; `Pack` of the result writes them."""
    return _schema().ModelT.InitFromPackedBuf(content, 0)


def operator_kinds(model: Any) -> list[str]:
    """Return the names of the operator codes of an unpacked model, in their order."""
    names = operator_names()
    return [
        names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes
    ]


def memory_plan(offsets: Sequence[int | None], buffer: int) -> tuple[Any, Any]:
    """Return the metadata and the buffer that place tensors in memory.

    Args:
        offsets: Offset of each tensor in bytes; None if the interpreter chooses it.
        buffer: The number that the buffer will have in the file.
    """
    schema = _schema()
    chosen = [PLANNED_AT_START if offset is None else offset for offset in offsets]
    values = (MEMORY_PLAN_VERSION, 0, len(offsets), *chosen)
    data = struct.pack(f"<{len(values)}i", *values)
    return schema.MetadataT(MEMORY_PLAN, buffer), schema.BufferT(np.frombuffer(data, np.uint8))


def convolution_options(kind: str, operator: Any) -> Any | None:
    """Return the options of a convolution, which hold its strides and its dilation.

    Args:
        kind: The operator's name.
        operator: The operator in the file.

    Returns:
        The options; None if the operator is no convolution or has no options.
    """
    schema = _schema()
    classes = {
        "CONV_2D": schema.Conv2DOptions,
        "DEPTHWISE_CONV_2D": schema.DepthwiseConv2DOptions,
    }
    table = operator.BuiltinOptions() if kind in classes else None
    if table is None:
        return None
    options = classes[kind]()
    options.Init(table.Bytes, table.Pos)
    return options


@cache
def operator_names() -> dict[int, str]:
    """Return the names of the builtin operators by their codes.

    Example:
        >>> operator_names()[3]
        'CONV_2D'
    """
    return _names(_schema().BuiltinOperator)


@cache
def type_names() -> dict[int, str]:
    """Return the names of the element types by their codes.

    Example:
        >>> type_names()[9]
        'INT8'
    """
    return _names(_schema().TensorType)


def _names(codes: Any) -> dict[int, str]:
    return {code: name for name, code in vars(codes).items() if name.isupper()}


@cache
def _schema() -> Any:
    """Return the schema module, loaded without TensorFlow, which takes seconds to import."""
    package = importlib.util.find_spec("tensorflow")
    locations = package.submodule_search_locations if package else None
    for folder in locations or ():
        file = f"{folder}/lite/python/schema_py_generated.py"
        spec = importlib.util.spec_from_file_location("eyetune_tflite_schema", file)
        if spec is None or spec.loader is None:
            continue
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except FileNotFoundError:
            continue
        return module
    return importlib.import_module(_MODULE)
