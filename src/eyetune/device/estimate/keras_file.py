"""Load a .keras file, which may come from anywhere, and explain why one cannot be loaded."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eyetune.errors import UsageError
from eyetune.inputs.hdf5_file import check_heaps
from eyetune.inputs.limits import WEIGHTS_BYTES, LimitExceededError
from eyetune.inputs.zip_file import check_zip, open_zip
from eyetune.models.parameter_limit import limited_parameters

_WEIGHTS = "model.weights.h5"
_CONFIG = "config.json"  # in the archive: the layers of the model
_MAX_CONFIG_BYTES = 100_000_000
_MAX_SHOWN = 200  # characters of Keras's message in an error
_KERAS_PACKAGES = ("keras", "keras_hub", "keras_cv", "keras_nlp", "builtins")


def check_keras_file(path: Path) -> None:
    """Check that a path names a .keras file, without loading Keras.

    Raises:
        UsageError: The file is missing, or is not a zip archive.
    """
    if not path.is_file():
        raise UsageError(
            f"There is no file {path}.",
            expected="a .keras file",
            received=path,
            fix="Name an existing file.",
        )
    if not zipfile.is_zipfile(path):
        raise UsageError(
            "The .keras file is damaged.",
            expected="a file as written by model.save('network.keras'), a zip archive",
            received=path,
            fix="Save the model again.",
        )


def load_keras_file(path: Path, *, unsafe: bool = False) -> Any:
    """Load the model in a .keras file.

    Args:
        path: The file.
        unsafe: Whether code inside the file may run. It can do anything that the user can.
            Default: False.

    Raises:
        UsageError: The file cannot be loaded: it contains code and `unsafe` is not set, it needs a
            class that is not registered with Keras, or it is damaged.
    """
    import keras

    try:
        check_zip(path, WEIGHTS_BYTES)
        with open_zip(path, WEIGHTS_BYTES) as archive:
            if _WEIGHTS in archive.namelist():
                check_heaps(archive.read(_WEIGHTS))
        with limited_parameters():
            return keras.saving.load_model(path, compile=False, safe_mode=not unsafe)
    except LimitExceededError as error:
        raise UsageError(
            "The .keras file is too large.", received=f"{path}: {error}", fix=error.fix
        ) from None
    except Exception as error:  # damaged archives raise errors of zip, JSON, HDF5 and many others
        raise _explained(path, error, unsafe=unsafe) from None


def _explained(path: Path, error: Exception, *, unsafe: bool) -> UsageError:
    """Return an error that explains why Keras could not load a file.

    Keras raises ValueError and TypeError for many reasons. The reason is found in the file, not in
    Keras's message.
    """
    objects = list(_objects(_read_config(path)))
    message = " ".join(str(error).split())[:_MAX_SHOWN]
    received = f"{path}: {type(error).__name__}: {message}"
    if not unsafe and any(value["class_name"] == "__lambda__" for value in objects):
        return UsageError(
            "The .keras file contains code, which was not run.",
            expected="a model without Lambda layers, or permission to run them",
            received=received,
            fix="If you trust the author of the file, allow its code with --unsafe "
            "(unsafe=True). The code can do anything that you can.",
        )
    names = [value["class_name"] for value in objects if _is_unregistered(value)]
    if names:
        return UsageError(
            "The .keras file needs classes that are not registered with Keras.",
            expected="classes of Keras, or registered ones",
            received=f"{path}: {', '.join(dict.fromkeys(names))}"[: 2 * _MAX_SHOWN],
            fix="In Python, import the class, load the model and call eyetune.fit_check(model).",
        )
    return UsageError(
        "Cannot load the .keras file.",
        expected="a file as written by model.save('network.keras')",
        received=received,
        fix="Save the model again with the installed version of Keras.",
    )


def _read_config(path: Path) -> Any:
    """Return the description of the model in a .keras file; None if there is none."""
    try:
        with open_zip(path, WEIGHTS_BYTES) as archive, archive.open(_CONFIG) as stream:
            return json.loads(stream.read(_MAX_CONFIG_BYTES))
    except Exception:  # a damaged file: zipfile, zlib and JSON have many errors for it
        return None


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Yield all serialized objects in a description, such as layers and initializers.

    See https://keras.io/api/models/model_saving_apis/serialization_utils/ for their format.
    """
    remaining = [config]
    while remaining:
        value = remaining.pop()
        if isinstance(value, dict):
            if isinstance(value.get("class_name"), str):
                yield value
            remaining += value.values()
        elif isinstance(value, list):
            remaining += value


def _is_unregistered(value: dict[str, Any]) -> bool:
    """Return whether a serialized object is of a class that Keras cannot find."""
    import keras

    if "module" not in value or value["class_name"] == "__lambda__":
        return False
    package = str(value["module"]).split(".", maxsplit=1)[0]
    if package in _KERAS_PACKAGES:
        return False
    name = value.get("registered_name")
    return not isinstance(name, str) or keras.saving.get_registered_object(name) is None
