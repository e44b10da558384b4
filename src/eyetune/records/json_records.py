"""Records that are files: JSON of a pydantic model, one file for each record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from eyetune._files import make_private_folder, write_text
from eyetune.errors import WorkspaceError
from eyetune.inputs.damage import explaining_damage
from eyetune.inputs.limits import JSON_BYTES
from eyetune.inputs.regular_file import read_text
from eyetune.records.folders import unwritable
from eyetune.values.json_text import json_value

_Record = TypeVar("_Record", bound=BaseModel)
_Key = TypeVar("_Key")


def write_record(path: Path, record: BaseModel, workspace: Path) -> None:
    """Write a record, in place of an earlier one.

    Args:
        path: Its file.
        record: The record.
        workspace: The folder of its workspace, which is made private to this user if it is new.

    Raises:
        WorkspaceError: It cannot be written.
    """
    try:
        make_private_folder(workspace)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, record.model_dump_json(indent=1) + "\n")
    except OSError as error:
        raise unwritable(path, error) from None


def read_record(path: Path, model: type[_Record], *, what: str, fix: str) -> _Record:
    """Read a record.

    Args:
        path: Its file.
        model: What it contains.
        what: What it is, such as "a check".
        fix: What the user can do if it is damaged.

    Raises:
        WorkspaceError: It is damaged, too large, or of another version.
    """

    def damaged(reason: str) -> WorkspaceError:
        return WorkspaceError(
            f"The record {path} cannot be read.",
            expected=f"{what} that this version of eyetune wrote",
            received=reason,
            fix=fix,
        )

    with explaining_damage(damaged):
        return model.model_validate(json_value(read_text(path, JSON_BYTES)))


def read_each(
    keys: Iterable[_Key], read: Callable[[_Key], _Record]
) -> tuple[list[_Record], list[WorkspaceError]]:
    """Return the records that can be read, and the errors of the others.

    Args:
        keys: What tells the records apart, such as their files.
        read: Reads one of them, and raises a WorkspaceError if it is damaged.
    """
    records, errors = [], []
    for key in keys:
        try:
            records.append(read(key))
        except WorkspaceError as error:
            errors.append(error)
    return records, errors
