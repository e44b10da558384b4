"""Changes by programs: `POST` below /api, as JSON; errors are as in `http_api`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from eyetune.api.run import Run
from eyetune.api.study import Study
from eyetune.dashboard.http_api import answer
from eyetune.dashboard.services import Services
from eyetune.recipe import Recipe

_ACCEPTED = 202  # it happens soon, in another process


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Training(_Body):
    """A training to start: a recipe as TOML, the name of its run, and its seed."""

    recipe: str
    name: str = ""
    seed: int = 0


class Annotation(_Body):
    """A note or tags for a run; what is missing stays."""

    note: str | None = None
    tags: list[str] | None = None


class TrialByHand(_Body):
    """Hyperparameters that a study is to try next."""

    values: dict[str, Any]


def run_changes(services: Services) -> APIRouter:
    """Return the routes that change runs, or start one."""
    workspace = services.live.workspace
    routes = APIRouter(prefix="/api/runs")

    @routes.post("")
    def start_training(training: Training) -> Response:
        """Start a training in a process of its own."""

        def start() -> dict[str, Any]:
            recipe = Recipe.from_toml(training.recipe)
            job = services.jobs.train(recipe, training.name, training.seed)
            return {"name": job.name}

        return answer(start, status=_ACCEPTED)

    @routes.post("/{run_id}/annotation")
    def annotate_run(run_id: str, annotation: Annotation) -> Response:
        """Write a note on a run, or give it tags."""

        def annotate() -> dict[str, Any]:
            run = Run(workspace, workspace.runs.find(run_id))
            record = run.annotate(note=annotation.note, tags=annotation.tags).record
            return {"run": record.id, "note": record.note, "tags": list(record.tags)}

        return answer(annotate)

    @routes.post("/{run_id}/trash")
    def delete_run(run_id: str) -> Response:
        """Move a run to the trash."""

        def delete() -> dict[str, Any]:
            run = workspace.runs.find(run_id)
            workspace.runs.delete(run.id)
            return {"deleted": [run.id]}

        return answer(delete)

    return routes


def study_changes(services: Services) -> APIRouter:
    """Return the routes that control studies."""
    workspace = services.live.workspace
    routes = APIRouter(prefix="/api/studies")

    def study_of(study_id: str) -> Study:
        return Study(workspace, workspace.studies.find(study_id))

    @routes.post("/{study_id}/pause")
    def pause_study(study_id: str) -> Response:
        """Ask a running study to pause."""
        return answer(lambda: study_of(study_id).pause(), status=_ACCEPTED)

    @routes.post("/{study_id}/stop")
    def stop_study(study_id: str) -> Response:
        """Ask a running study to end with the results so far."""
        return answer(lambda: study_of(study_id).stop(), status=_ACCEPTED)

    @routes.post("/{study_id}/resume")
    def resume_study(study_id: str) -> Response:
        """Resume a study in a process of its own."""

        def resume() -> None:
            services.jobs.resume_study(study_of(study_id).record)

        return answer(resume, status=_ACCEPTED)

    @routes.post("/{study_id}/trials")
    def enqueue_trial(study_id: str, trial: TrialByHand) -> Response:
        """Let a study try values next."""
        return answer(
            lambda: {"enqueued": study_of(study_id).enqueue_trial(trial.values)}, status=_ACCEPTED
        )

    return routes
