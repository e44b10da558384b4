"""Files that a check of data moves aside: into a folder beside the source, and back."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyetune._files import OutsideError, path_inside, write_text
from eyetune.analysis.data_findings import FindingKind
from eyetune.data.dataset import readable
from eyetune.data.load import folder_of
from eyetune.data.sources.folder import survey
from eyetune.errors import DataError, UsageError
from eyetune.inputs.damage import explaining_damage
from eyetune.inputs.limits import JSON_BYTES
from eyetune.inputs.regular_file import read_text

SUFFIX = "-set-aside"
LIST_FILE = "set-aside.json"


@dataclass(frozen=True)
class SetAside:
    """Files that were moved, aside or back.

    Attributes:
        folder: The folder beside the source.
        moved: Paths of the moved files below the source.
        kept: Paths of files that stayed: moved aside, their class would have no picture; moved
            back, another file has their place.
    """

    folder: Path
    moved: tuple[str, ...]
    kept: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the moves as plain JSON values."""
        return {"folder": str(self.folder), "moved": list(self.moved), "kept": list(self.kept)}


def set_aside(
    root: Path, files: Mapping[str, tuple[Path, str]], moves: Mapping[str, FindingKind]
) -> SetAside:
    """Move files of a folder of images into a folder beside it.

    The list of what is moved is written first, so that an interrupted move can be undone.

    Args:
        root: The folder of images.
        files: Every file with its class, by its name.
        moves: What is moved and why, by name. The last file of a class stays.

    Raises:
        DataError: The folder cannot be written, or a file cannot be moved.
    """
    folder = _folder_beside(root)
    remaining = Counter(label for _, label in files.values())
    moved: dict[str, str] = {}
    kept = []
    for name, kind in moves.items():
        path, label = files[name]
        relative = path.relative_to(root).as_posix()
        if remaining[label] == 1:
            kept.append(relative)
        else:
            remaining[label] -= 1
            moved[relative] = kind.value
    if not moved:
        return SetAside(folder, (), tuple(kept))
    try:
        folder.mkdir(exist_ok=True)
        listed = _listed(folder) if (folder / LIST_FILE).exists() else {}
        _write_list(folder, {**listed, **moved})
        for relative in moved:
            _move(root / relative, folder / relative)
    except OSError as error:
        raise _unmovable(folder, error) from None
    return SetAside(folder, tuple(moved), tuple(kept))


def set_aside_files(source: str | Path, moves: Mapping[str, FindingKind]) -> SetAside:
    """Move files of a folder of images that were chosen by hand into the folder beside it.

    Args:
        source: The folder.
        moves: Paths of files below it, and why each is moved. The last file of a class stays.

    Raises:
        UsageError: The source is not a folder, or a file is not one of its images.
        DataError: A file cannot be moved.
    """
    root = _root_of(source)
    files = {
        readable(path.relative_to(root).as_posix()): (path, f"{split}/{label}")
        for split, path, label in survey(root, for_training=False).all_files
    }
    missing = [name for name in moves if name not in files]
    if missing:
        raise UsageError(
            f"{len(missing):,} of the files are not there any more.",
            received=", ".join(missing[:3]),
            fix=f"Check the data again: eyetune data check {source}",
        )
    return set_aside(root, files, moves)


def undo_check(source: str | Path) -> SetAside:
    """Move all files back that checks of a folder have moved aside.

    Args:
        source: The folder of images.

    Raises:
        UsageError: Nothing was moved aside, or the source is not a folder.
        DataError: The list of what was moved is damaged, or a file cannot be moved.

    Example:
        >>> import eyetune as et
        >>> et.undo_check("photos")  # doctest: +SKIP
    """
    root = _root_of(source)
    folder = _folder_beside(root)
    if not (folder / LIST_FILE).exists():
        raise UsageError(
            f"Nothing of {root} was moved aside.",
            expected=f"{folder / LIST_FILE}",
            received="no such file",
        )
    moved, kept = [], []
    listed = _listed(folder)
    try:
        for relative in listed:
            back, aside = _inside(root, relative), _inside(folder, relative)
            if not os.path.lexists(aside):
                continue  # an interrupted move had not come to it, or it was undone before
            if os.path.lexists(back):
                kept.append(relative)
            else:
                _move(aside, back)
                moved.append(relative)
        if kept:
            _write_list(folder, {relative: listed[relative] for relative in kept})
        else:
            (folder / LIST_FILE).unlink()
            _remove_empty(folder)
    except OSError as error:
        raise _unmovable(folder, error) from None
    return SetAside(folder, tuple(moved), tuple(kept))


def _root_of(source: str | Path) -> Path:
    path = Path(source).expanduser()
    root = path.resolve() if path.is_dir() else folder_of(str(source))
    if root is None:
        raise UsageError(
            f"{source} is not a folder of images.", fix="Files are moved in folders only."
        )
    return root


def _folder_beside(root: Path) -> Path:
    return root.with_name(f"{root.name}{SUFFIX}")


def _inside(folder: Path, relative: str) -> Path:
    """Return the path of a file below a folder. The file itself may be a link.

    Raises:
        DataError: The path leads out of the folder.
    """
    path = Path(relative)
    try:
        if path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or "\0" in relative:
            raise OutsideError(relative)
        path_inside(folder, *path.parts[:-1])
    except OutsideError:
        raise DataError(
            f"The list of files in {folder} leads out of it.",
            expected="paths of files in class folders",
            received=relative,
            fix="Move the files back by hand.",
        ) from None
    return folder / path


def _listed(folder: Path) -> dict[str, str]:
    """Return the files that were moved, each with the reason."""
    path = folder / LIST_FILE

    def damaged(reason: str) -> DataError:
        return DataError(
            f"The list {path} cannot be read.",
            received=reason,
            fix="Move the files back by hand: their paths are those in the source.",
        )

    with explaining_damage(damaged):
        moved = json.loads(read_text(path, JSON_BYTES))["moved"]
        if not all(isinstance(kind, str) for kind in moved.values()):
            raise ValueError("a reason is not a text")
        return dict(moved)


def _write_list(folder: Path, moved: Mapping[str, str]) -> None:
    text = json.dumps({"moved": moved}, indent=1)
    write_text(folder / LIST_FILE, f"{text}\n")


def _move(source: Path, target: Path) -> None:
    if os.path.lexists(target):
        raise FileExistsError(17, "another file has its place", str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(source, target)


def _remove_empty(folder: Path) -> None:
    """Remove a folder and the folders below it, as far as they are empty."""
    for parent, _, _ in os.walk(folder, topdown=False):
        if not os.listdir(parent):  # noqa: PTH208 (a text from os.walk)
            os.rmdir(parent)  # noqa: PTH106


def _unmovable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"Files cannot be moved to or from {folder}.",
        received=f"{error.filename or ''}: {error.strerror or error}",
        fix="Correct it, then repeat the command; --undo moves back what was moved.",
    )
