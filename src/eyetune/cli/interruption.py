"""What commands say when Ctrl-C ends them while they search."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eyetune.cli.common import INTERRUPTED, Common, say

if TYPE_CHECKING:
    from eyetune.records import Workspace
    from eyetune.records.changes import Change


@contextmanager
def recorded_studies(workspace: Workspace) -> Iterator[list[str]]:
    """Yield the ids of the studies that this process records in the block, as it goes on."""
    from eyetune.records.changes import StudyChanged

    ids: list[str] = []

    def note(change: Change) -> None:
        if isinstance(change, StudyChanged):
            ids.append(change.study_id)

    with workspace.observed_by(note):
        yield ids


def say_how_to_resume(
    command: str,
    common: Common,
    workspace: Workspace,
    ids: list[str],
    *,
    resumed: str,
    options: Mapping[str, object],
    error: KeyboardInterrupt,
) -> int:
    """Say how to resume the study that was interrupted, and return the exit status.

    Args:
        command: The command: tune or deploy.
        common: The command's common options.
        workspace: The workspace.
        ids: Ids of the studies that the command has recorded.
        resumed: Name of the study that the command resumes, or "".
        options: Options of the command that a study does not record, by the names of their flags;
            those without a value are left out, and a tuple has several.
        error: What has interrupted it; it says so unless it was Ctrl-C.
    """
    name = workspace.studies.get(ids[-1]).name if ids else resumed
    if not name:
        say("Interrupted before anything was recorded.")
        return INTERRUPTED
    arguments = ["eyetune", command, "--resume", "--name", name, *_as_arguments(options)]
    arguments += common.workspace_arguments()
    reason = str(error) or "Interrupted"
    say(f"{reason}. Every whole epoch is recorded. To resume: {shlex.join(arguments)}")
    return INTERRUPTED


def _as_arguments(options: Mapping[str, object]) -> Iterator[str]:
    for name, value in options.items():
        for item in value if isinstance(value, tuple) else (value,):
            if item is not None:
                yield from (f"--{name.replace('_', '-')}", str(item))
