"""Pictures that a user took with a camera, in a folder: with labels or without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eyetune.data.dataset import Labels
from eyetune.data.sources.folder import image_files, survey
from eyetune.data.sources.image_file import SUFFIXES, UNSUPPORTED_SUFFIXES, listed
from eyetune.errors import DataError, SourceError, UsageError

MAX_NAMED = 10  # classes in a message


@dataclass(frozen=True)
class CameraFiles:
    """The image files of a camera.

    Attributes:
        paths: The files.
        labels: Their class numbers; None where they are not in folders of classes.
        missing: Names of the classes without a picture; empty without labels.
    """

    paths: tuple[Path, ...]
    labels: Labels | None
    missing: tuple[str, ...] = ()

    def only(self, positions: Sequence[int], class_names: Sequence[str]) -> CameraFiles:
        """Return the files at some positions.

        Args:
            positions: The positions.
            class_names: Names of the classes that a network tells apart.
        """
        paths = tuple(self.paths[position] for position in positions)
        if self.labels is None:
            return CameraFiles(paths, None)
        labels = self.labels[list(positions)]
        present = set(labels.tolist())
        missing = [name for number, name in enumerate(class_names) if number not in present]
        return CameraFiles(paths, labels, tuple(missing))


def camera_files(folder: Path, class_names: Sequence[str]) -> CameraFiles:
    """List the pictures of a camera: in folders of classes, or all in one folder.

    Args:
        folder: The folder. If it has subfolders, each is a class.
        class_names: Names of the classes that a network tells apart.

    Raises:
        SourceError: There is no such folder.
        UsageError: The folder contains no images.
        DataError: The folders of classes cannot be used, or have names of other classes.
    """
    try:
        entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    except OSError as error:
        raise SourceError(
            f"The folder {folder} cannot be read.",
            expected="a folder of pictures, with one folder per class",
            received=error.strerror,
        ) from None
    if not any(path.is_dir() for path in entries):
        paths = image_files(folder, (*SUFFIXES, *UNSUPPORTED_SUFFIXES))
        if not paths:
            raise UsageError(
                f"The folder {folder} contains no images.",
                expected=f"files ending in {', '.join(SUFFIXES)}",
            )
        return CameraFiles(tuple(paths), None)
    listing = survey(folder)
    unknown = [name for name in listing.class_names if name not in class_names]
    if unknown:
        raise DataError(
            f"{folder} has classes that the network does not know.",
            expected=f"folders named {listed(class_names, MAX_NAMED)}",
            received=listed(unknown, MAX_NAMED),
            fix=(
                "Rename the folders. To compare properties only, put all pictures into one folder "
                "without subfolders."
            ),
        )
    numbers = [list(class_names).index(name) for name in listing.class_names]
    pairs = [(path, label) for _, path, label in listing.all_files]
    labels = np.array([numbers[label] for _, label in pairs], np.int64)
    missing = tuple(name for name in class_names if name not in listing.class_names)
    return CameraFiles(tuple(path for path, _ in pairs), labels, missing)
