"""The records of checks of data: what was found, and what the user decided about each finding."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from eyetune._files import acquire_lock, make_private_folder
from eyetune.errors import NotFoundError, WorkspaceError
from eyetune.records.folders import unwritable, workspace_path
from eyetune.records.json_records import read_each, read_record, write_record
from eyetune.values.json_model import JsonModel

Decision = Literal["confirmed", "dismissed"]
_Thumbnail = Annotated[str, StringConstraints(pattern=r"^(data:image/jpeg;base64,[\w+/=]+)?$")]


class RecordedFinding(JsonModel):
    """A finding, with the keys that `eyetune data check --json` prints.

    Attributes:
        kind: Its kind, such as "likely-wrong-label".
        files: Names of the pictures or files that it is about; none for a whole class.
        splits: The split of each.
        labels: The class of each, or the classes that it is about.
        score: How sure or how large it is, 0 to 1.
        text: The finding in a sentence.
        surplus: Names of the files that would be moved aside.
        likelier_label: The class that is more likely than the label, if it is about a label.
        decision: What the user decided; None: nothing yet.
    """

    kind: str
    files: tuple[str, ...]
    splits: tuple[str, ...]
    labels: tuple[str, ...]
    score: float
    text: str
    surplus: tuple[str, ...] = ()
    likelier_label: str | None = None
    decision: Decision | None = None

    @property
    def key(self) -> str:
        """What tells it from all others, also in a later check of the same source."""
        parts = [self.kind, *(self.files or self.labels)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


class CheckRecord(JsonModel):
    """A check of a source; a later check of the same source takes its place.

    Attributes:
        source: A known name, or an absolute path.
        facts: Number of pictures, sizes and balance, as plain JSON values.
        findings: The findings, by importance.
        thumbnails: Some of the pictures as data URLs, by name.
        created_at: When it ended, in UTC.
    """

    source: str
    facts: dict[str, Any]
    findings: tuple[RecordedFinding, ...]
    thumbnails: dict[str, _Thumbnail] = Field(default_factory=dict)
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> str:
        """What its file is called: the same for each check of its source."""
        return check_key(self.source)


def check_key(source: str) -> str:
    """Return what the file of a source's check is called.

    Example:
        >>> len(check_key("photos/"))
        16
    """
    return hashlib.sha256(str(source).encode("utf-8", "surrogateescape")).hexdigest()[:16]


class CheckStore:
    """The checks of data in a workspace.

    Args:
        root: The folder of their files.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def save(self, record: CheckRecord) -> None:
        """Write a check; findings that an earlier one has, too, keep the user's decisions.

        Raises:
            WorkspaceError: It cannot be written.
        """
        decisions: dict[str, Decision | None] = {}
        with self._changing():
            if self._path(record.key).exists():
                earlier = self.get(record.key)
                decisions = {finding.key: finding.decision for finding in earlier.findings}
            self._write(_decided(record, decisions))

    def sources(self) -> list[str]:
        """Return the sources that were checked, the last one first; damaged checks are left out."""
        records, _ = read_each(self.root.glob("*.json"), _read)
        newest_first = sorted(records, key=lambda each: (each.created_at, each.key), reverse=True)
        return [each.source for each in newest_first]

    def damaged(self) -> list[WorkspaceError]:
        """Return an error for each file that is damaged."""
        return read_each(self.root.glob("*.json"), _read)[1]

    def get(self, key: str) -> CheckRecord:
        """Return the check of a key.

        Raises:
            NotFoundError: There is none.
            WorkspaceError: Its file is damaged.
        """
        path = self._path(key)
        if not path.is_file():
            raise NotFoundError(
                "There is no such check of data.",
                received=key,
                fix="eyetune data check SOURCE",
            )
        record = _read(path)
        if record.key != key:
            raise WorkspaceError(
                f"The record {path} is that of another source.",
                expected=f"a check whose source has the key {key}",
                received=f"{record.source}, {record.key}",
                fix=f"Move {path} away, and check the data again.",
            )
        return record

    def decide(self, key: str, finding_key: str, decision: Decision | None) -> CheckRecord:
        """Record what the user decided about a finding, and return the check.

        Raises:
            NotFoundError: There is no such check.
            WorkspaceError: Its file is damaged, or cannot be written.
        """
        with self._changing():
            return self._write(_decided(self.get(key), {finding_key: decision}))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Let others wait: a check that ends and a user's decision change the same file."""
        path = workspace_path(self.root.parent, self.root.name, "lock")
        try:
            make_private_folder(self.root.parent)
            self.root.mkdir(exist_ok=True)
            lock = acquire_lock(path, timeout_seconds=None)
        except OSError as error:
            raise unwritable(path, error) from None
        with lock:
            yield

    def _write(self, record: CheckRecord) -> CheckRecord:
        write_record(self._path(record.key), record, self.root.parent)
        return record

    def _path(self, key: str) -> Path:
        return workspace_path(self.root.parent, self.root.name, f"{key}.json")


def _decided(record: CheckRecord, decisions: dict[str, Decision | None]) -> CheckRecord:
    findings = tuple(
        finding.model_copy(update={"decision": decisions[finding.key]})
        if finding.key in decisions
        else finding
        for finding in record.findings
    )
    return record.model_copy(update={"findings": findings})


def _read(path: Path) -> CheckRecord:
    fix = f"Move {path} away, and check the data again."
    return read_record(path, CheckRecord, what="a check", fix=fix)
