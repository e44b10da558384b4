"""TensorFlow's private schema module: the parts that eyetune uses."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

from eyetune.device.estimate import tflite_schema


def test_tensorflow_has_the_schema_module() -> None:
    """TensorFlow 2.21.0; see `tflite_schema`."""
    assert metadata.version("tensorflow-cpu") == "2.21.0"
    operators, types = tflite_schema.operator_names(), tflite_schema.type_names()
    assert (operators[3], operators[9], operators[32]) == ("CONV_2D", "FULLY_CONNECTED", "CUSTOM")
    assert (types[0], types[9]) == ("FLOAT32", "INT8")


def test_schema_loads_without_tensorflow() -> None:
    code = (
        "import sys; from eyetune.device.estimate import tflite_schema; "
        "tflite_schema.operator_names(); "
        "print([name for name in ('keras', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
