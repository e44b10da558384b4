"""Finding the run, lab or study that a user means: by id, prefix of an id, name or "latest"."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eyetune.errors import LabNotFoundError, NotFoundError, RunNotFoundError, StudyNotFoundError
from eyetune.records.folders import record_names

LATEST = "latest"
MAX_LISTED = 5  # names in an error


@dataclass(frozen=True)
class RecordKind:
    """A kind of record that users refer to.

    Attributes:
        noun: What to call one.
        plural: What to call several; also the command that lists, deletes and restores them.
        error: The error for a reference that does not identify one record.
        first_command: A command that makes the first one.
    """

    noun: str
    plural: str
    error: type[NotFoundError]
    first_command: str


RUN = RecordKind("run", "runs", RunNotFoundError, "eyetune train --data digits")
LAB = RecordKind("lab", "labs", LabNotFoundError, "eyetune lab")
STUDY = RecordKind("study", "studies", StudyNotFoundError, "eyetune tune")


@dataclass(frozen=True)
class Candidate:
    """A record that a reference may mean: its id, and its name or ""."""

    id: str
    name: str = ""

    @property
    def label(self) -> str:
        """Its name, if it has one, and its id."""
        return f"{self.name} ({self.id})" if self.name and self.name != self.id else self.id


def resolve_reference(
    reference: str,
    kind: RecordKind,
    candidates: Sequence[Candidate],
    *,
    latest: Callable[[], str | None],
    folder: Path,
    deleted: Sequence[Candidate] = (),
    is_empty: bool | None = None,
) -> str:
    """Return the id of the record that a user means.

    A whole id or name comes first, then the beginning of an id, in upper or lower case.

    Args:
        reference: An id, the beginning of an id, a name, or "latest".
        kind: The kind of the records.
        candidates: The records to choose from, oldest first.
        latest: Returns the id that "latest" means; None if it means none of the candidates.
        folder: The workspace's folder, for the error.
        deleted: Records in the trash, which the error mentions if the reference means one of them.
        is_empty: Whether the database has no records of this kind at all. Default: whether there
            are no candidates and none in the trash.

    Raises:
        NotFoundError: The error of the kind: no record or several match.

    Example:
        >>> runs = [Candidate("3f2a77b0", "first"), Candidate("77b03f2a")]
        >>> resolve_reference("first", RUN, runs, latest=lambda: "77b03f2a", folder=Path())
        '3f2a77b0'
        >>> resolve_reference("latest", RUN, runs, latest=lambda: "77b03f2a", folder=Path())
        '77b03f2a'
    """
    if reference == LATEST:
        latest_id = latest()
        if latest_id is not None:
            return latest_id
    matches = _matching(reference, candidates)
    if len(matches) == 1:
        return matches[0].id
    if matches:
        raise kind.error(
            f"Several {kind.plural} match {reference}.",
            matches=[candidate.id for candidate in matches],
            expected=f"the id or name of one {kind.noun}",
            received=_listed(matches[::-1]),
            fix=f"Use the id of one, of the newest for example: {matches[-1].id}",
        )
    if is_empty is None:
        is_empty = not candidates and not deleted
    raise _no_match(reference, kind, candidates, folder, deleted, is_empty=is_empty)


def unrecorded_text(folder: Path, plural: str, count: int) -> str:
    """Return the sentence about folders whose records are missing in the database."""
    return f"The database of {folder} holds no {plural}, although there are folders of {count:,}."


def _matching(reference: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    if not reference:
        return []
    exact = []
    prefixed = []
    for candidate in candidates:
        if reference in (candidate.id, candidate.name):
            exact.append(candidate)
        if candidate.id.lower().startswith(reference.lower()):
            prefixed.append(candidate)
    return exact or prefixed


def _no_match(
    reference: str,
    kind: RecordKind,
    candidates: Sequence[Candidate],
    folder: Path,
    trash: Sequence[Candidate],
    *,
    is_empty: bool,
) -> NotFoundError:
    """Return the error for a reference that matches none of the candidates."""
    deleted = _matching(reference, trash)
    if len(deleted) == 1:
        return kind.error(
            f"The {kind.noun} {deleted[0].label} is in the trash.",
            received=reference,
            fix=f"eyetune {kind.plural} restore {deleted[0].id}",
        )
    if is_empty and kind is not LAB:
        names = record_names(folder, kind.plural)
        if names:
            return kind.error(
                unrecorded_text(folder, kind.plural, len(names)),
                received=reference,
                fix=f"Rebuild the database: eyetune doctor {folder}",
            )
    if not candidates and not is_empty and not trash:
        return kind.error(
            f"There are no {kind.plural} in the trash of {folder}.",
            received=reference,
            fix=f"`eyetune {kind.plural}` lists those that are not in the trash.",
        )
    if not candidates:
        return kind.error(
            f"There are no {kind.plural} in {folder} yet.",
            expected=f"a recorded {kind.noun}",
            received=reference,
            fix=kind.first_command,
        )
    if reference == LATEST:
        return kind.error(
            f"{folder} holds only {kind.plural} of labs and studies: none of them is the latest.",
            expected=f"a {kind.noun} of `eyetune train`, or a finished lab",
            received=reference,
            fix=f"Name one by its id: `eyetune {kind.plural} --all` lists them.",
        )
    similar = _similar(reference, candidates)
    if similar:
        hint = f"Did you mean {_listed(similar)}?"
    else:
        hint = f"The newest: {_listed(candidates[::-1])}."
    return kind.error(
        f"No {kind.noun} matches {reference!r} in {folder}.",
        expected=f"an id, the beginning of an id, a name, or {LATEST}",
        received=reference,
        fix=f"{hint} `eyetune {kind.plural}` lists them.",
    )


def _similar(reference: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates whose names or ids resemble a reference, the most similar first."""
    by_text: dict[str, Candidate] = {}
    for candidate in candidates:
        by_text[candidate.id] = candidate
        if candidate.name:
            by_text[candidate.name.lower()] = candidate
    texts = difflib.get_close_matches(reference.lower(), by_text, n=MAX_LISTED)
    return list(dict.fromkeys(by_text[text] for text in texts))


def _listed(candidates: Sequence[Candidate]) -> str:
    """Return the first candidates' labels, and how many others there are."""
    labels = [candidate.label for candidate in candidates[:MAX_LISTED]]
    num_others = len(candidates) - len(labels)
    return ", ".join(labels) + (f" and {num_others} others" if num_others else "")
