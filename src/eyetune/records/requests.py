"""Requests to the process that searches a study: written by others, read and removed by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import delete, insert, select

from eyetune.records.database import Database
from eyetune.records.rows import reading_row, stored_columns, with_json
from eyetune.records.schema import requests
from eyetune.space.hyperparameters import Value


class RequestKind(StrEnum):
    """What a study is asked to do."""

    PAUSE = "pause"  # as Ctrl-C does
    STOP = "stop"  # end with the results so far
    TRIAL = "trial"  # try these values next


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        id: Its number; later requests have higher ones.
        kind: What is asked for.
        hyperparameters: Values of a TRIAL.
    """

    id: int
    kind: RequestKind
    hyperparameters: Mapping[str, Value]


_REQUEST = TypeAdapter(Request)


def request_of(row: Mapping[Any, Any]) -> Request:
    """Return the request of a row as it is stored.

    Raises:
        ValueError: The row is damaged.
    """
    return _REQUEST.validate_python(with_json(row, requests))


class RequestStore:
    """The requests to the studies of a workspace.

    Args:
        database: The workspace's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, study_id: str, kind: RequestKind, hyperparameters: Mapping[str, Any] = {}
    ) -> None:
        """Record a request to a study.

        Args:
            study_id: Id of the study.
            kind: What is asked for.
            hyperparameters: Values of a TRIAL.
        """
        row = {"study_id": study_id, "kind": kind, "hyperparameters": dict(hyperparameters)}
        with self._database.writing() as connection:
            connection.execute(insert(requests).values(row))

    def pending(self, study_id: str) -> list[Request]:
        """Return the requests to a study that it has not met yet, oldest first."""
        if not self._database.exists:
            return []
        is_chosen = requests.c.study_id == study_id
        query = select(*stored_columns(requests)).where(is_chosen).order_by(requests.c.id)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        with reading_row(f"the requests to study {study_id}", self._database.folder):
            return [request_of(row) for row in rows]

    def forget_orders(self, study_id: str) -> None:
        """Remove what an earlier process was asked to do; the trials by hand stay."""
        is_old = (requests.c.study_id == study_id) & (requests.c.kind != RequestKind.TRIAL)
        with self._database.writing() as connection:
            connection.execute(delete(requests).where(is_old))

    def remove(self, *met: Request) -> None:
        """Remove requests that have been met, or are not wanted any more."""
        with self._database.writing() as connection:
            ids = [request.id for request in met]
            connection.execute(delete(requests).where(requests.c.id.in_(ids)))
