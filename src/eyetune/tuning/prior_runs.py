"""Runs that were trained by hand and that seed the search of a study."""

from __future__ import annotations

from dataclasses import dataclass

from eyetune.errors import EyetuneError
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.study import StudyRecord, StudySettings
from eyetune.space.hyperparameters import Values
from eyetune.space.presets import values_in
from eyetune.tuning.objectives import values_of, violations


@dataclass(frozen=True)
class Seed:
    """A run that was trained by hand: its values in the space, and its objectives."""

    values: Values
    objectives: tuple[float, ...]


def find_prior_runs(
    workspace: Workspace, settings: StudySettings, fingerprint: str
) -> tuple[str, ...]:
    """Return the ids of the runs that seed a new study.

    They are complete, are not trials, had no callbacks of the user, and match the study: they were
    trained on the same images, with the same seed and number of epochs, and with values of its
    space.

    Args:
        workspace: Workspace of the runs.
        settings: Settings of the study.
        fingerprint: Fingerprint of its images.
    """
    if settings.has_function:
        return ()
    run_ids = []
    for run in workspace.runs.all():
        is_comparable = (
            run.state is RunState.COMPLETE
            and run.study_id is None
            and not run.callbacks
            and run.data.fingerprint == fingerprint
            and run.seed == settings.seed
            and run.recipe.fit.total_epochs == settings.recipe.fit.total_epochs
        )
        if is_comparable and _seed(workspace, settings, run) is not None:
            run_ids.append(run.id)
    return tuple(run_ids)


def seeds_of(workspace: Workspace, record: StudyRecord) -> tuple[Seed, ...]:
    """Return the values and objectives of a study's prior runs; deleted runs are left out."""
    if not record.settings.seeds:
        return ()
    runs = {run.id: run for run in workspace.runs.all()}
    seeds = []
    for run_id in record.settings.seeds:
        seed = _seed(workspace, record.settings, runs[run_id]) if run_id in runs else None
        if seed is not None:
            seeds.append(seed)
    return tuple(seeds)


def _seed(workspace: Workspace, settings: StudySettings, run: RunRecord) -> Seed | None:
    values = values_in(run.recipe, settings.recipe, settings.space)
    costs = {
        "parameters": run.network.parameters,
        "macs": run.network.macs,
        "multiply_adds": run.network.macs,
    }
    if values is None or violations(settings.constraints, costs):
        return None
    history = workspace.runs.history(run.id)
    counted = run.recipe.fit.counted(history)
    try:
        objectives = values_of(settings.objectives, counted, costs, seconds=run.duration_seconds)
    except EyetuneError:  # the run did not measure an objective
        return None
    return Seed(values, objectives)
