"""Stamps of rows: numbers that differ once a row has changed, without reading it as a record."""

from __future__ import annotations

from sqlalchemy import Connection, String, cast, select

from eyetune.records.run_lines import TOTALS
from eyetune.records.schema import runs, trials

_CHANGING = ("name", "state", "error", "failure", "keras_fit", "results", "note", "tags")


def run_stamps(connection: Connection) -> dict[str, int]:
    """Return a stamp of each run that is not in the trash, by its id, oldest first.

    That the process of a running one has died shows in no row, and so in no stamp.

    Args:
        connection: A connection to the database.
    """
    columns = [cast(runs.c[name], String) for name in _CHANGING]
    totals = (TOTALS["total_epochs"], TOTALS["total_seconds"])
    query = select(runs.c.id, *columns, *totals).where(runs.c.deleted_at.is_(None))
    rows = connection.execute(query.order_by(runs.c.created_at, runs.c.id))
    return {row[0]: hash(tuple(row)) for row in rows}


def trial_stamps(connection: Connection, study_id: str) -> dict[int, int]:
    """Return a stamp of each trial of a study, by its number.

    Args:
        connection: A connection to the database.
        study_id: Id of the study.
    """
    details = cast(trials.c.details, String)
    query = select(trials.c.number, trials.c.state, trials.c.run, details)
    rows = connection.execute(query.where(trials.c.study_id == study_id).order_by(trials.c.number))
    return {row[0]: hash(tuple(row)) for row in rows}
