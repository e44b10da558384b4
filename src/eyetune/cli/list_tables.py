"""The lists of runs, labs and studies in a terminal: one line for each, as wide as the terminal."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.constrain import Constrain
from rich.text import Text

from eyetune.cli.tables import plain_table, styled_state
from eyetune.records.run_lines import LAB, STUDY, USER, RunGroup, group_of
from eyetune.report.console import escape
from eyetune.values.display import one_line
from eyetune.values.numbers import count_text, percentage

if TYPE_CHECKING:
    from rich.console import JustifyMethod, RenderableType

    from eyetune.records import RunRecord
    from eyetune.records.lab import LabRecord
    from eyetune.records.study import StudyRecord

DEFAULT_LIMIT = 20
WIDE = 110  # columns from which on a list shows more about each run
_FLEXIBLE = ("data", "name and recipe")  # columns of runs that give way where there is no room


def fold_runs(runs: Sequence[RunRecord]) -> list[RunRecord | RunGroup]:
    """Return the lines of a list: runs, and groups of runs of the same lab or study.

    A group stands where the first of its runs would.
    """
    members: dict[tuple[str, str], list[RunRecord]] = {}
    for run in runs:
        members.setdefault(_maker(run), []).append(run)
    lines: list[RunRecord | RunGroup] = []
    for (kind, maker_id), group in members.items():
        if kind == USER:
            lines += group
        else:
            lines.append(group_of(kind, maker_id, group))
    return lines


def _maker(run: RunRecord) -> tuple[str, str]:
    """Return what made a run: "lab" or "study" and its id; each run of the user has its own key."""
    if run.lab_id is not None:
        return LAB, run.lab_id
    if run.study_id is not None:
        return STUDY, run.study_id
    return USER, run.id


def runs_table(
    lines: Sequence[RunRecord | RunGroup],
    study_names: Mapping[str, str],
) -> list[RenderableType]:
    """Return a table of runs, and notes below it.

    Args:
        lines: Runs and groups of runs, in their order.
        study_names: Names of the studies by their ids.
    """
    is_wide = terminal_width() >= WIDE
    table = plain_table()
    for name, justify in _run_columns(is_wide=is_wide):
        table.add_column(name, justify=justify, no_wrap=name not in _FLEXIBLE)
    for line in lines:
        cells = _cells(line, study_names)
        table.add_row(*(cells[name] for name, _ in _run_columns(is_wide=is_wide)))
    parts: list[RenderableType] = [Constrain(table, terminal_width())]
    if any(_is_seen(line) for line in lines):
        parts.append(
            "[dim](...): it trained on its validation images too, so this is not ranked[/dim]"
        )
    return parts


def _run_columns(*, is_wide: bool) -> list[tuple[str, JustifyMethod]]:
    columns: list[tuple[str, JustifyMethod]] = [
        ("run", "left"), ("date", "left"), ("state", "left"), ("val.", "right"), ("test", "right"),
    ]  # fmt: skip
    if is_wide:
        columns += [
            ("epochs", "right"), ("parameters", "right"), ("time", "right"), ("data", "left"),
        ]  # fmt: skip
    return [*columns, ("name and recipe", "left")]


def _cells(line: RunRecord | RunGroup, study_names: Mapping[str, str]) -> dict[str, str | Text]:
    """Return the text of each column, by the column's name."""
    if isinstance(line, RunGroup):
        return _group_cells(line, study_names)
    return _run_cells(line)


def _run_cells(run: RunRecord) -> dict[str, str | Text]:
    validation = run.results.validation_accuracy if run.results else None
    test = run.results.test_accuracy if run.results else None
    return {
        "run": run.id,
        "date": date_text(run.created_at),
        "state": styled_state(run.state),
        "val.": f"({percentage(validation)})" if _is_seen(run) else percentage(validation),
        "test": percentage(test),
        "epochs": f"{run.num_epochs_done}/{run.num_epochs_planned}",
        "parameters": f"{run.network.parameters:,}",
        "time": f"{run.duration_seconds:,.0f} s",
        "data": _flexible(run.data.name),
        "name and recipe": _flexible(
            ": ".join(text for text in (_name_text(run), run.differences) if text)
        ),
    }


def _name_text(run: RunRecord) -> str:
    """Return the name of a run with its tags."""
    return " ".join([run.name, *(f"#{tag}" for tag in run.tags)]).strip()


def _group_cells(group: RunGroup, study_names: Mapping[str, str]) -> dict[str, str | Text]:
    name = study_names.get(group.id, group.id) if group.kind == STUDY else group.id
    return {
        "run": group.id,
        "date": date_text(group.created_at),
        "state": count_text(group.num_runs, "run"),
        "val.": percentage(group.best_accuracy),
        "test": "",
        "epochs": f"{group.num_epochs}",
        "parameters": "",
        "time": f"{group.seconds:,.0f} s",
        "data": _flexible(group.data),
        "name and recipe": _flexible(f"{group.kind} {name}", style="bold"),
    }


def _is_seen(line: RunRecord | RunGroup) -> bool:
    """Return whether a line shows the accuracy on validation images that its run trained on."""
    return (
        not isinstance(line, RunGroup) and line.trained_on_validation and line.results is not None
    )


def labs_table(labs: Sequence[LabRecord]) -> RenderableType:
    """Return a table of labs.

    Args:
        labs: The labs, in their order.
    """
    table = plain_table()
    table.add_column("lab", no_wrap=True)
    table.add_column("date", no_wrap=True)
    table.add_column("data")
    for name in ("tried", "time", "test"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("best")
    for lab in labs:
        table.add_row(
            escape(lab.id),
            date_text(lab.created_at),
            _flexible(lab.data),
            f"{len(lab.techniques):,}",
            f"{lab.seconds:,.0f} s",
            f"{lab.final.test_accuracy:.1%}",
            _flexible(lab.final.label),
        )
    return Constrain(table, terminal_width())


def studies_table(studies: Sequence[StudyRecord], counts: Mapping[str, int]) -> RenderableType:
    """Return a table of studies.

    Args:
        studies: The studies, in their order.
        counts: How many trials each has, by its id.
    """
    table = plain_table()
    table.add_column("study")
    for name in ("id", "date", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("trials", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("ended because")
    for study in studies:
        table.add_row(
            _flexible(study.name),
            study.id,
            date_text(study.created_at),
            styled_state(study.state),
            f"{counts.get(study.id, 0):,}",
            f"{study.seconds:,.0f} s",
            _flexible(study.ending),
        )
    return Constrain(table, terminal_width())


def terminal_width() -> int:
    """Return how many columns a list may take: COLUMNS, or the terminal's, or 80 for a pipe."""
    return shutil.get_terminal_size((80, 24)).columns


def date_text(time: datetime) -> str:
    """Return a time as `ls` shows it, in local time: with the hour for this year, else the year.

    Args:
        time: The time, with its time zone.
    """
    local = time.astimezone()
    is_this_year = local.year == datetime.now().astimezone().year
    return f"{local:%d %b %H:%M}" if is_this_year else f"{local:%d %b  %Y}"


def _flexible(text: str, *, style: str = "") -> Text:
    """Return a cell that stays on one line, shortened where there is no room for it."""
    return Text(one_line(text), style=style, no_wrap=True, overflow="ellipsis")
