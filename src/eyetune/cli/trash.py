"""What the commands that delete and restore share: finding, asking, doing and reporting."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from eyetune.cli.common import Common, say
from eyetune.errors import NotFoundError
from eyetune.records import trash
from eyetune.report.console import escape
from eyetune.values.display import one_line

if TYPE_CHECKING:
    from eyetune.records import RunRecord, Workspace

NOTHING_DELETED = 1  # exit status after the answer no

Record = TypeVar("Record")


class _RunsOf(Protocol):
    def __call__(
        self, workspace: Workspace, maker_id: str, /, *, deleted: bool = False
    ) -> list[RunRecord]: ...


@dataclass(frozen=True)
class MakerKind:
    """Labs or studies, which make runs, and how they are deleted together with them.

    Attributes:
        noun: What to call one.
        plural: What to call several; also their command.
        runs_of: Returns the runs that one made.
        delete: Moves one to the trash with some of its runs, and returns these runs' ids.
        purge: Deletes one for good with some of its runs, and returns these runs' ids.
        restore: Brings one back, and returns the ids of the runs that come with it.
    """

    noun: str
    plural: str
    runs_of: _RunsOf
    delete: Callable[[Workspace, str, list[RunRecord]], list[str]]
    purge: Callable[[Workspace, str, list[RunRecord]], list[str]]
    restore: Callable[[Workspace, str], list[str]]


LABS = MakerKind(
    "lab", "labs", trash.runs_of_lab, trash.delete_lab, trash.purge_lab, trash.restore_lab
)
STUDIES = MakerKind(
    "study",
    "studies",
    trash.runs_of_study,
    trash.delete_study,
    trash.purge_study,
    trash.restore_study,
)


def find(lookup: Callable[..., Record], reference: str, *, also_deleted: bool) -> Record:
    """Return the record that a user means; one in the trash only where no other matches.

    Args:
        lookup: The `find` of a store.
        reference: What the user wrote.
        also_deleted: Whether records in the trash count.

    Raises:
        NotFoundError: No record or several match.
    """
    try:
        return lookup(reference)
    except NotFoundError as error:
        if error.is_ambiguous or not also_deleted:
            raise
        try:
            return lookup(reference, deleted=True)
        except NotFoundError:
            raise error from None


def confirm(question: str, *, assume_yes: bool) -> bool:
    """Ask a yes-or-no question and return the answer; without a terminal the answer is no.

    Args:
        question: The question.
        assume_yes: Whether to answer yes without asking (--yes).
    """
    if assume_yes:
        return True
    if not sys.stdin.isatty():
        say(f"{question} No: there is no terminal to ask. Use --yes to answer yes.")
        return False
    sys.stderr.write(f"{one_line(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def delete_makers(
    kind: MakerKind,
    labels: Mapping[str, str],
    workspace: Workspace,
    common: Common,
    *,
    purge: bool,
    with_runs: bool | None,
    assume_yes: bool,
) -> int:
    """Delete labs or studies, and return the exit status.

    Args:
        kind: Labs or studies.
        labels: Ids of those to delete, with what to call each.
        workspace: Where they are recorded.
        common: How to print the result.
        purge: Whether to delete them for good, after a question.
        with_runs: Whether to delete the runs that they made too; None: ask.
        assume_yes: Whether to answer yes to all questions.
    """
    runs = {maker_id: kind.runs_of(workspace, maker_id) for maker_id in labels}
    if purge:
        for maker_id in labels:
            runs[maker_id] += kind.runs_of(workspace, maker_id, deleted=True)
    subject = _subject(kind, labels)
    if purge and not confirm(f"Delete {subject} for good?", assume_yes=assume_yes):
        common.show({"deleted": [], "runs": [], "purged": purge}, "Nothing is deleted.")
        return NOTHING_DELETED
    num_runs = sum(len(members) for members in runs.values())
    if with_runs is None and num_runs:
        with_runs = confirm(f"Delete {_number_of_runs(num_runs)} too?", assume_yes=assume_yes)
    deleted_runs: list[str] = []
    for maker_id in labels:
        remove = kind.purge if purge else kind.delete
        deleted_runs += remove(workspace, maker_id, runs[maker_id] if with_runs else [])
    if not purge:
        say(f"To bring back: eyetune {kind.plural} restore {' '.join(labels)}")
    value = {"deleted": list(labels.values()), "runs": deleted_runs, "purged": purge}
    runs_text = f" and {_number_of_runs(len(deleted_runs))}" if deleted_runs else ""
    common.show(value, escape(f"Deleted {subject}{runs_text}."))
    return 0


def restore_makers(
    kind: MakerKind, labels: Mapping[str, str], workspace: Workspace, common: Common
) -> None:
    """Bring labs or studies back from the trash, with the runs that were deleted with them.

    Args:
        kind: Labs or studies.
        labels: Ids of those to restore, with what to call each.
        workspace: Where they are recorded.
        common: How to print the result.
    """
    runs: list[str] = []
    for maker_id in labels:
        runs += kind.restore(workspace, maker_id)
    runs_text = f" and {_number_of_runs(len(runs))}" if runs else ""
    value = {"restored": list(labels.values()), "runs": runs}
    common.show(value, escape(f"Restored {_subject(kind, labels)}{runs_text}."))


def _subject(kind: MakerKind, labels: Mapping[str, str]) -> str:
    noun = kind.noun if len(labels) == 1 else kind.plural
    return f"{noun} {', '.join(labels.values())}"


def _number_of_runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"
