"""`eyetune doctor`: checks a workspace, and repairs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from eyetune.cli.common import Common

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from eyetune.records.findings import Diagnosis

PROBLEMS_LEFT = 1  # exit status
_MAX_FINDINGS = 20  # in the terminal; --json lists all
_NO_COMMON = Common()


def doctor(
    workspace: Annotated[Path | None, Parameter(show_default="the folder of --workspace")] = None,
    /,
    *,
    fix: Annotated[bool, Parameter(negative="")] = False,
    common: Common = _NO_COMMON,
) -> int:
    """Check a workspace, and repair it with --fix.

    The check covers the database, the files of runs and studies, links that lead out of the
    workspace, left-over files and processes, and permissions. It changes nothing.

    A repair loses nothing: the database is rebuilt from its readable rows and from the copies in
    the folders of runs and studies, the former database is kept, and rows that cannot be used are
    exported as JSON.

    The exit status is 0 if nothing is wrong, or nothing any more; otherwise it is 1.

    For example:

        eyetune doctor
        eyetune doctor eyetune-workspace --fix
        eyetune doctor --json

    Parameters
    ----------
    workspace
        Folder of the workspace.
    fix
        Repair what can be repaired.
    """
    from eyetune.records.doctor import check
    from eyetune.records.repair import repair

    folder = common.open_workspace().folder if workspace is None else workspace.expanduser()
    diagnosis = check(folder)
    done: Sequence[str] = ()
    if fix and any(finding.repair for finding in diagnosis.findings):
        done = repair(diagnosis)
    left = check(folder) if done else diagnosis
    value = {
        "workspace": str(diagnosis.folder),
        "runs": left.num_runs,
        "studies": left.num_studies,
        "found": [finding.to_json() for finding in diagnosis.findings],
        "repaired": list(done),
        "left": [finding.to_json() for finding in left.findings],
        "notes": list(left.notes),
    }
    common.show(value, *_lines(diagnosis, left, done))
    return PROBLEMS_LEFT if left.findings else 0


def _lines(diagnosis: Diagnosis, left: Diagnosis, done: Sequence[str]) -> list[RenderableType]:
    from eyetune.report.console import escape, escape_lines
    from eyetune.values.numbers import count_text

    runs = count_text(left.num_runs, "run")
    counts = f"{runs}, {count_text(left.num_studies, 'study', 'studies')}"
    lines: list[RenderableType] = [f"[bold]{escape(str(left.folder))}[/bold]: {counts}"]
    if done:
        lines += ["", f"[bold]Found[/bold] ({len(diagnosis.findings):,})"]
        lines += _findings(diagnosis)
        lines += ["", "[bold]Done[/bold]", *(f"  - {escape_lines(text)}" for text in done)]
    if left.findings:
        title = "Left" if done else "Found"
        lines += ["", f"[bold]{title}[/bold] ({len(left.findings):,})", *_findings(left)]
        if any(finding.repair for finding in left.findings):
            lines += ["", f"To repair it: eyetune doctor {escape(str(left.folder))} --fix"]
    else:
        lines += ["", "[green]Nothing is wrong.[/green]"]
    return [*lines, *(escape_lines(note) for note in left.notes)]


def _findings(diagnosis: Diagnosis) -> list[RenderableType]:
    from eyetune.report.console import escape_lines

    lines: list[RenderableType] = []
    for finding in diagnosis.findings[:_MAX_FINDINGS]:
        repair = f" With --fix it {finding.repair}." if finding.repair else f" {finding.advice}"
        lines.append(f"  - {escape_lines(finding.text + repair)}")
    num_others = len(diagnosis.findings) - _MAX_FINDINGS
    if num_others > 0:
        lines.append(f"  ... and {num_others:,} more: eyetune doctor --json")
    return lines
