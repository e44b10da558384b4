"""The records as JSON, under the names that the command line uses with --json."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
        chosen = answer(
            lambda: choose_runs(
                list(live.runs().records.values()),
                where,
                sort,
                descending=descending,
                with_trials=trials,
            )
        )
        if isinstance(chosen, Response):
            return chosen
        begin, count = max(0, start), min(max(0, limit), MAX_LIMIT)
        shown = chosen[begin : begin + count]
        return json_response(
            {"runs": [_without_recipe(run) for run in shown], "total": len(chosen)}
        )

    @routes.get("/runs/{run_id}")
    def show_run(run_id: str) -> Response:
        """Show a run with its history and its verdict."""
        found = answer(lambda: Run(live.workspace, live.workspace.runs.find(run_id)).to_json())
        return found if isinstance(found, Response) else json_response(found)

    @routes.get("/studies")
    def list_studies() -> Response:
        """List the studies, the newest first."""

        def values() -> list[dict[str, Any]]:
            counts = live.workspace.studies.count_trials()
            return [
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

        found = answer(values)
        return found if isinstance(found, Response) else json_response({"studies": found})

    @routes.get("/studies/{study_id}/trials")
    def list_trials(study_id: str, start: int = 0, limit: int = 100) -> Response:
        """List the trials of a study in the order of their numbers."""

        def values() -> dict[str, Any]:
            study = live.workspace.studies.find(study_id)
            trials = live.trials(study.id)
            begin, count = max(0, start), min(max(0, limit), MAX_LIMIT)
            shown = trials[begin : begin + count]
            objectives = study.settings.objectives
            listed = [trial_json(trial, objectives) for trial in shown]
            return {"trials": listed, "total": len(trials)}

        found = answer(values)
        return found if isinstance(found, Response) else json_response(found)

    return routes


def _without_recipe(run: RunRecord) -> dict[str, Any]:
    value = run.to_json()
    value.pop("recipe")
    return value


def answer(read: Callable[[], Any]) -> Any:
    """Return a value, or the response for an error."""
    try:
        return read()
    except EyetuneError as error:
        status = 404 if isinstance(error, NotFoundError) else 400
        content = {
            "error": {"type": type(error).__name__, "message": error.message, **error.details()}
        }
        return JSONResponse(content, status_code=status)


def json_response(value: Any, status: int = 200) -> Response:
    """Return a response with a value as JSON."""
    return Response(json_text(value), status, media_type="application/json")
