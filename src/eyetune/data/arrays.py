"""Arrays in memory as a source: written into the workspace, for worker processes and resumes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from eyetune._files import replaced_file
from eyetune.data.sources.npz import as_images, as_labels
from eyetune.errors import DataError, UsageError, WorkspaceError
from eyetune.records import Workspace

MAX_LEVEL_ERROR = 0.01  # of 255 levels: what float16 and float32 round


def keep_arrays(
    workspace: Workspace,
    x: Any,
    y: Any,
    *,
    validation_data: tuple[Any, Any] | None = None,
    validation_split: float = 0.0,
    may_round: bool = True,
) -> Path:
    """Write images and labels into the workspace as an `.npz` file, named by its content.

    Args:
        workspace: The workspace.
        x: Images: uint8 from 0 to 255 or floating point from 0 to 1, shape (N, height, width) or
            (N, height, width, 1 or 3).
        y: Labels: integers of shape (N,) or (N, 1), or one-hot rows.
        validation_data: Validation images and labels.
        validation_split: Share of the last images that are used for validation instead, as in
            Keras; above 0 and below 1.
        may_round: Whether floating-point pixels may be rounded to 256 levels, as earlier versions
            did. Otherwise they must be such levels.

    Returns:
        The path of the file.

    Raises:
        UsageError: There are no validation images.
        DataError: The arrays are not images and labels, or would be rounded.
        WorkspaceError: The file cannot be written.
    """
    images, labels = _checked("x", x, "y", y, may_round=may_round)
    if validation_data is not None:
        x_validation, y_validation = _checked(
            "validation x",
            validation_data[0],
            "validation y",
            validation_data[1],
            may_round=may_round,
        )
    elif 0 < validation_split < 1:
        cut = int(len(images) * (1 - validation_split))
        x_validation, y_validation = images[cut:], labels[cut:]
        images, labels = images[:cut], labels[:cut]
    else:
        raise UsageError(
            "There are no validation images, which a search needs to compare trials.",
            expected="validation_data=(x, y), or validation_split between 0 and 1",
            received=f"validation_split={validation_split}",
        )
    arrays = {
        "x_train": images,
        "y_train": labels,
        "x_validation": x_validation,
        "y_validation": y_validation,
        "x_test": images[:0],  # the user keeps the test images
        "y_test": labels[:0],
    }
    digest = hashlib.sha256()
    for name, values in arrays.items():
        digest.update(f"{name} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values).data)
    path = workspace.path("arrays", f"{digest.hexdigest()[:16]}.npz")
    if not path.exists():
        _write(path, arrays)
    return path


def _checked(x_name: str, x: Any, y_name: str, y: Any, *, may_round: bool) -> tuple[Any, Any]:
    for name, values in ((x_name, x), (y_name, y)):
        if not hasattr(values, "__array__"):
            raise DataError(
                f"{name} is not an array.",
                expected="NumPy arrays of images and labels, or the name or path of a source",
                received=f"{type(values).__name__}",
                fix=(
                    "Collect a tf.data.Dataset with NumPy, or save its images as a folder or an "
                    ".npz file."
                ),
            )
    images, labels = as_images(np.asarray(x), x_name), as_labels(np.asarray(y), y_name)
    if not may_round:
        _check_levels(np.asarray(x), x_name)
    if len(images) != len(labels):
        raise DataError(
            f"{y_name} does not have one label for each image.",
            expected=f"{len(images)} labels",
            received=f"{len(labels)}",
        )
    return images, labels


def _check_levels(values: Any, name: str) -> None:
    """Refuse floating-point pixels that are not among the 256 levels of uint8.

    Raises:
        DataError: They would be rounded.
    """
    if values.dtype.kind != "f":
        return
    levels = values * 255
    if np.abs(levels - np.round(levels)).max(initial=0) > MAX_LEVEL_ERROR:
        raise DataError(
            f"A recipe is trained on pixels of 8 bits, and {name} has values between their levels.",
            expected="integers from 0 to 255, or these divided by 255",
            received=f"{values.dtype} values such as {values.flat[0]:g}",
            fix=f"Round them: (255 * {name}).round().astype('uint8'). A model function gets arrays "
            "as they are.",
        )


def _write(path: Path, arrays: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(path) as partial, partial.open("wb") as stream:
            np.savez(stream, **arrays)
    except OSError as error:
        raise WorkspaceError(
            f"{path} cannot be written.",
            received=error.strerror or error,
            fix="Free some space, then try again.",
        ) from None
