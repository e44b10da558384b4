"""A .tflite file of an int8 network with an input and an output in int8, as firmware has them.

Converters leave both float, or make them uint8, unless they are told otherwise: an operator at each
end then converts to int8 and from it. On a board, these would only cost time and memory.
"""

from __future__ import annotations

from pathlib import Path

from eyetune.device.estimate.tflite import Port, TfliteModel, read
from eyetune.device.sandbox import client
from eyetune.errors import BoardError, UsageError
from eyetune.inputs.limits import WEIGHTS_BYTES
from eyetune.inputs.regular_file import read_bytes

_CONVERTED = ("float32", "uint8")


def with_int8_ports(content: bytes) -> bytes:
    """Return a .tflite file that computes the same from int8 to int8.

    The content is returned as it is if its ports are int8, if more than a conversion lies between
    them and int8, or if it is no int8 network.

    Args:
        content: The content of a .tflite file; it may come from anyone.
    """
    try:
        file = read(content)
        if _has_int8_ports(file):
            return content
        changed = client.without_conversions(content)
        is_same = _computes_the_same(file, read(changed))
    except (UsageError, BoardError):  # it is explained where an int8 network is required
        return content
    return changed if is_same else content


def read_as_firmware(path: Path) -> tuple[TfliteModel, bytes]:
    """Read the .tflite file of an int8 model as firmware holds it, and its content then.

    Args:
        path: The file.

    Raises:
        UsageError: It cannot be read, or is no int8 model for a board.
    """
    file = read(path)
    content = read_bytes(path, WEIGHTS_BYTES)
    if _has_int8_ports(file):
        return file, content
    changed = with_int8_ports(content)
    return (file, content) if changed is content else (read(changed), changed)


def conversions_text(label: str, input_type: str, output_type: str) -> str:
    """Return a sentence about the operators that are left out; "" if both types are int8.

    Args:
        label: The file.
        input_type: Type of its input, such as "float32".
        output_type: Type of its output.
    """
    if input_type == output_type == "int8":
        return ""
    return (
        f"{label} takes {input_type} and returns {output_type}. Firmware works with int8 at both "
        "ends, so what converts from and to int8 is left out."
    )


def _has_int8_ports(file: TfliteModel) -> bool:
    return file.input.dtype == file.output.dtype == "int8"


def _computes_the_same(file: TfliteModel, changed: TfliteModel) -> bool:
    """Return whether both ports are int8 now, and stand for what they stood for."""
    pairs = ((file.input, changed.input), (file.output, changed.output))
    return all(_stands_for_the_same(before, after) for before, after in pairs)


def _stands_for_the_same(before: Port, after: Port) -> bool:
    is_conversion = before == after or (before.dtype in _CONVERTED and after.scale > 0)
    return is_conversion and after.dtype == "int8" and before.shape == after.shape
