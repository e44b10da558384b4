"""The files of labs in a workspace: a folder a lab, `labs/<id>/lab.json`, found again by id or as
the latest.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pydantic

from eyetune._files import write_text
from eyetune.errors import LabNotFoundError, WorkspaceError
from eyetune.records.lab import LabRecord

FILE_NAME = "lab.json"
LATEST = "latest"


def write(folder: Path, record: LabRecord) -> Path:
    """Write a lab into its folder, which is made, and return the file; it is there whole or not at
    all.

    Raises:
        WorkspaceError: It cannot be written.
    """
    path = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, record.model_dump_json(indent=1) + "\n")
    except OSError as error:
        raise WorkspaceError(
            f"{path} cannot be written.",
            received=error.strerror or error,
            fix="Make room or check the folder's permissions, then try again.",
        ) from None
    return path


def read(path: Path) -> LabRecord:
    """Read a lab's file.

    Raises:
        WorkspaceError: It is damaged, or of another version.
    """
    try:
        return LabRecord.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:  # of which pydantic's errors are one kind
        raise WorkspaceError(
            f"The lab in {path} cannot be read.",
            expected="a lab that this version of eyetune wrote",
            received=_reason(error),
            fix=f"Restore the file from a copy, or move {path.parent} away: the lab's runs are kept elsewhere, so "
            "`eyetune lab` with the same words writes it anew without training again.",
        ) from None


def read_all(folder: Path) -> list[LabRecord]:
    """Return the labs in a folder of labs, oldest first; none where there is no such folder.

    Raises:
        WorkspaceError: A file is damaged.
    """
    return sorted(
        (read(path) for path in _paths(folder)), key=lambda record: (record.created_at, record.id)
    )


def find(folder: Path, reference: str) -> LabRecord:
    """Return the lab that a user means, by id, the beginning of an id, or "latest".

    One that is named is read alone, so that another's damaged file does no harm.

    Raises:
        LabNotFoundError: No lab or several match.
        WorkspaceError: A file is damaged.
    """
    ids = [path.parent.name for path in _paths(folder)]
    if reference == LATEST and ids:
        return _newest(folder)
    matching = [one for one in ids if one == reference] or [
        one for one in ids if reference and one.startswith(reference)
    ]
    if len(matching) == 1:
        return read(folder / matching[0] / FILE_NAME)
    raise _not_found(folder, reference, ids, matching)


def _newest(folder: Path) -> LabRecord:
    """Return the newest lab that can be read: an older one that is damaged does no harm."""
    labs, damaged = [], []
    for path in _paths(folder):
        try:
            labs.append(read(path))
        except WorkspaceError as error:
            damaged.append(error)
    if not labs:
        raise damaged[0]
    return max(labs, key=lambda record: (record.created_at, record.id))


def _not_found(
    folder: Path, reference: str, ids: Sequence[str], matching: Sequence[str]
) -> LabNotFoundError:
    if matching:
        return LabNotFoundError(
            f"Several labs match {reference}.",
            matches=matching,
            expected="the id of one lab",
            received=", ".join(matching),
            fix="Give more of the id.",
        )
    if not ids:
        return LabNotFoundError(
            f"There is no lab in {folder.parent} yet.", received=reference, fix="eyetune lab"
        )
    return LabNotFoundError(
        f"No lab matches {reference!r} in {folder.parent}.",
        expected=f"an id or its beginning, or {LATEST}",
        received=reference,
        fix=f"There are: {', '.join(ids[-5:])}.",
    )


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*/{FILE_NAME}"))


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, pydantic.ValidationError):
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return f"{f'{where}: ' if where else ''}{first['msg']}"
    return str(error.strerror if isinstance(error, OSError) and error.strerror else error)
