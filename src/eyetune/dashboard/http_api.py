"""The records as JSON, under the names that the command line uses with --json."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from eyetune.analysis.trial_results import trial_json
from eyetune.api.run import Run
from eyetune.dashboard.live import Live
from eyetune.dashboard.rows import choose_runs
from eyetune.errors import EyetuneError, NotFoundError
from eyetune.records import RunRecord
from eyetune.values.json_text import json_text

MAX_LIMIT = 1_000
_Value = TypeVar("_Value")


def router(live: Live) -> APIRouter:
    """Return the routes below /api that read."""
    routes = APIRouter(prefix="/api")

    @routes.get("/runs")
    def list_runs(
        where: str = "",
        sort: str = "",
        descending: bool = True,
        trials: bool = False,
        limit: int = 100,
        start: int = 0,
    ) -> Response:
        """List runs, the newest first."""

        def values() -> dict[str, Any]:
            records = list(live.runs().records.values())
            chosen = choose_runs(records, where, sort, descending=descending, with_trials=trials)
            shown = _part(chosen, start, limit)
            return {"runs": [_without_recipe(run) for run in shown], "total": len(chosen)}

        return answer(values)

    @routes.get("/runs/{run_id}")
    def show_run(run_id: str) -> Response:
        """Show a run with its history and its verdict."""
        return answer(lambda: Run(live.workspace, live.workspace.runs.find(run_id)).to_json())

    @routes.get("/studies")
    def list_studies() -> Response:
        """List the studies, the newest first."""

        def values() -> dict[str, Any]:
            counts = live.workspace.studies.count_trials()
            listed = [
                {
                    "study": study.id,
                    "name": study.name,
                    "state": str(study.state),
                    "data": study.data_name,
                    "trials": counts.get(study.id, 0),
                    "seconds": study.seconds,
                }
                for study in reversed(live.studies())
            ]
            return {"studies": listed}

        return answer(values)

    @routes.get("/studies/{study_id}/trials")
    def list_trials(study_id: str, start: int = 0, limit: int = 100) -> Response:
        """List the trials of a study in the order of their numbers."""

        def values() -> dict[str, Any]:
            study = live.workspace.studies.find(study_id)
            trials = live.trials(study.id)
            shown = _part(trials, start, limit)
            objectives = study.settings.objectives
            listed = [trial_json(trial, objectives) for trial in shown]
            return {"trials": listed, "total": len(trials)}

        return answer(values)

    return routes


def _part(values: Sequence[_Value], start: int, limit: int) -> Sequence[_Value]:
    """Return the part of a list that a request asks for, at most `MAX_LIMIT` values."""
    begin, count = max(0, start), min(max(0, limit), MAX_LIMIT)
    return values[begin : begin + count]


def _without_recipe(run: RunRecord) -> dict[str, Any]:
    value = run.to_json()
    value.pop("recipe")
    return value


def answer(make: Callable[[], Mapping[str, Any] | None], *, status: int = 200) -> Response:
    """Return the response with an object as JSON, or the one for the error that making it raises.

    Args:
        make: Returns the object; None: an empty one.
        status: Status of the response without an error.
    """
    try:
        return Response(json_text(make() or {}), status, media_type="application/json")
    except EyetuneError as error:
        status = 404 if isinstance(error, NotFoundError) else 400
        content = {
            "error": {"type": type(error).__name__, "message": error.message, **error.details()}
        }
        return JSONResponse(content, status_code=status)
