"""Arrays in memory as a source: written into the workspace, where worker processes and later
sittings find them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from eyetune._files import replaced_file
from eyetune.data.sources.npz import as_images, as_labels
from eyetune.errors import DataError, UsageError, WorkspaceError
from eyetune.records import Workspace


def keep_arrays(
    workspace: Workspace,
    x: Any,
    y: Any,
    *,
    validation_data: tuple[Any, Any] | None = None,
    validation_split: float = 0.0,
) -> Path:
    """Write images and labels as an `.npz` file into the workspace, under a name that hangs on
    them, and return it.

    Args:
        workspace: The workspace.
        x: Images: uint8 of 0 to 255 or floating point of 0 to 1, shape (N, height, width) or (N,
            height, width, 1 or 3).
        y: Labels: whole numbers of shape (N,) or (N, 1), or one-hot rows.
        validation_data: Images and labels that validate.
        validation_split: Share of the last images that validate instead, as Keras takes them.

    Raises:
        UsageError: Nothing validates.
        DataError: The arrays hold no images or labels.
    """
    images, labels = _checked("x", x, "y", y)
    if validation_data is not None:
        x_validation, y_validation = _checked(
            "validation x", validation_data[0], "validation y", validation_data[1]
        )
    elif 0 < validation_split < 1:
        cut = int(len(images) * (1 - validation_split))
        x_validation, y_validation = images[cut:], labels[cut:]
        images, labels = images[:cut], labels[:cut]
    else:
        raise UsageError(
            "Nothing validates: a search needs images to choose on.",
            expected="validation_data=(x, y), or validation_split between 0 and 1",
            received=f"validation_split={validation_split}",
        )
    arrays = {
        "x_train": images,
        "y_train": labels,
        "x_validation": x_validation,
        "y_validation": y_validation,
    }
    arrays |= {
        "x_test": images[:0],
        "y_test": labels[:0],
    }  # the user's own test images are not ours to see
    digest = hashlib.sha256()
    for name, values in arrays.items():
        digest.update(f"{name} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values).data)
    path = workspace.folder / "arrays" / f"{digest.hexdigest()[:16]}.npz"
    if not path.exists():
        _write(path, arrays)
    return path


def _checked(x_name: str, x: Any, y_name: str, y: Any) -> tuple[Any, Any]:
    for name, values in ((x_name, x), (y_name, y)):
        if not hasattr(values, "__array__"):
            raise DataError(
                f"{name} is no array.",
                expected="NumPy arrays of images and labels, or the name or path of a source",
                received=f"{type(values).__name__}",
                fix="Of a tf.data.Dataset: collect it with NumPy, or save the images as a folder or an .npz file.",
            )
    images, labels = as_images(np.asarray(x), x_name), as_labels(np.asarray(y), y_name)
    if len(images) != len(labels):
        raise DataError(
            f"{y_name} has not one label an image.",
            expected=f"{len(images)}",
            received=f"{len(labels)}",
        )
    return images, labels


def _write(path: Path, arrays: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(path) as partial, partial.open("wb") as stream:
            np.savez(stream, **arrays)
    except OSError as error:
        raise WorkspaceError(
            f"{path} cannot be written.",
            received=error.strerror or error,
            fix="Make room, then try again.",
        ) from None
