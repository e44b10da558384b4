"""The lines of a list of runs: runs of the user, and what labs and studies made in one line each.

They are grouped by the database. Only the runs that are shown are read as whole records: reading
20,000 of them takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, select

from eyetune.records.query import figures
from eyetune.records.run import RunRecord
from eyetune.records.schema import epochs, runs

LAB, STUDY, USER = "lab", "study", "user"

# Sums over the epochs of a run.
SUMS_OF_EPOCHS = {
    name: select(total).where(epochs.c.run_id == runs.c.id).correlate(runs).scalar_subquery()
    for name, total in {
        "total_epochs": func.count(epochs.c.epoch),
        "total_seconds": func.total(epochs.c.duration_seconds),
        "total_seconds_per_image": func.total(1.0 / epochs.c.images_per_second),
    }.items()
}
SUM_EPOCHS = (
    "update runs set (total_epochs, total_seconds, total_seconds_per_image) = ("
    "select count(*), total(duration_seconds), total(1.0 / images_per_second) "
    "from epochs where run_id = runs.id)"
)
# The same, from the row of the run where it holds them: there is no need to read its epochs.
TOTALS = {name: func.coalesce(runs.c[name], total) for name, total in SUMS_OF_EPOCHS.items()}


@dataclass(frozen=True)
class RunGroup:
    """The runs that a lab or a study made, which a list shows in one line.

    Attributes:
        kind: "lab" or "study".
        id: Id of the lab or study.
        num_runs: Number of its runs.
        created_at: When the newest one began, in UTC.
        num_epochs: Epochs of all of them together.
        seconds: Wall time of these epochs, in seconds.
        best_accuracy: Highest accuracy on validation images, 0 to 1, of those that did not train on
            them; None: there is none.
        data: Name of the data of the newest one.
    """

    kind: str
    id: str
    num_runs: int
    created_at: datetime
    num_epochs: int
    seconds: float
    best_accuracy: float | None
    data: str


def group_of(kind: str, maker_id: str, members: Sequence[RunRecord]) -> RunGroup:
    """Return a group of runs, one or more, from their records."""
    newest = max(members, key=lambda run: (run.created_at, run.id))
    accuracies = [figures(run)["validation_accuracy"] for run in members]
    return RunGroup(
        kind,
        maker_id,
        num_runs=len(members),
        created_at=newest.created_at,
        num_epochs=sum(run.num_epochs_done for run in members),
        seconds=sum(run.duration_seconds for run in members),
        best_accuracy=max((value for value in accuracies if value is not None), default=None),
        data=newest.data.name,
    )


def newest_lines(
    connection: Connection, is_chosen: ColumnElement[bool], limit: int, *, is_folded: bool
) -> tuple[list[str | RunGroup], int]:
    """Return the newest lines of a list, the newest first, and the number of all lines.

    A group stands where its newest run would.

    Args:
        connection: A connection to the database.
        is_chosen: Condition of the runs.
        limit: Number of lines; 0: all.
        is_folded: Whether the runs of a lab or a study share a line.

    Returns:
        Ids of runs, and groups of runs.
    """
    if not is_folded:
        count = connection.execute(select(func.count()).where(is_chosen)).scalar_one()
        newest = select(runs.c.id).where(is_chosen)
        newest = newest.order_by(runs.c.created_at.desc(), runs.c.id.desc())
        ids = connection.execute(newest.limit(limit) if limit else newest).scalars()
        return list(ids), count
    kind = case(
        (runs.c.lab_id.is_not(None), LAB), (runs.c.study_id.is_not(None), STUDY), else_=USER
    )
    maker = func.coalesce(runs.c.lab_id, runs.c.study_id, runs.c.id)
    accuracy = _part(runs.c.results, "$.validation_accuracy")
    trained_on = _part(runs.c.recipe, "$.data.train_on_validation")
    data_name = _part(runs.c.data, "$.name")
    newest_run = func.max(func.printf("%s|%s|%s", runs.c.created_at, runs.c.id, data_name))
    query = (
        select(
            kind.label("kind"),
            maker.label("maker"),
            func.count().label("num_runs"),
            func.total(TOTALS["total_epochs"]).label("num_epochs"),
            func.total(TOTALS["total_seconds"]).label("seconds"),
            func.max(case((func.coalesce(trained_on, 0) == 0, accuracy))).label("best_accuracy"),
            newest_run.label("newest"),
        )
        .where(is_chosen)
        .group_by("kind", "maker")
        .order_by(newest_run.desc())
    )
    rows = connection.execute(query).all()
    shown = rows[:limit] if limit else rows
    return [_line(row) for row in shown], len(rows)


def _part(column: ColumnElement[Any], path: str) -> ColumnElement[Any]:
    """Return a part of a JSON column; null where the column holds no JSON."""
    return case((func.json_valid(column) == 1, func.json_extract(column, path)))


def _line(row: Row[Any]) -> str | RunGroup:
    """Return the id of a run of the user, or a group of runs."""
    if row.kind == USER:
        return str(row.maker)
    created_at, _, data = row.newest.split("|", 2)
    return RunGroup(
        row.kind,
        row.maker,
        num_runs=row.num_runs,
        created_at=datetime.fromisoformat(created_at).replace(tzinfo=UTC),
        num_epochs=int(row.num_epochs),
        seconds=row.seconds,
        best_accuracy=None if row.best_accuracy is None else float(row.best_accuracy),
        data=data,
    )
