"""Records searches of KerasTuner as studies."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from eyetune.api.preparing import workspace_of
from eyetune.api.study import Study
from eyetune.compat.keras_tuner.projects import (
    Project,
    SearchFacts,
    read_project,
)
from eyetune.errors import UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import Objective, StudyRecord, StudySettings, StudyState
from eyetune.records.trial_metrics import (
    METRICS_FILE,
    read_trial_metrics,
    write_trial_metrics,
)
from eyetune.tuning.objectives import read_objective

INTERRUPTED = "KerasTuner was interrupted"  # how such a study ended


def import_keras_tuner(
    directory: str | Path,
    *,
    name: str = "",
    objective: str | Sequence[str] | None = None,
    workspace: str | Path | Workspace | None = None,
) -> Study:
    """Import a project folder of KerasTuner as a study.

    A trial that Hyperband promoted becomes another rung of the trial that it continues. Trials have
    no runs: networks stay in the project folder. KerasTuner stores the metrics of the best epoch
    only; `keras_tuner_metrics` returns them.

    Args:
        directory: Folder with oracle.json: `directory/project_name` of the search.
        name: Name of the study. Default: the name of the folder.
        objective: Objective of the search, or several, if it does not follow from the scores.
            KerasTuner adds several objectives up; here each keeps its own values.
        workspace: Folder of the records. Default: see `train`.

    Returns:
        The study.

    Raises:
        UsageError: It is not a project folder, its objective is unknown, or the name is taken.
        WorkspaceError: A file is damaged or from another version of KerasTuner.

    Example:
        >>> import eyetune as et
        >>> study = et.import_keras_tuner("my_dir/my_project")  # doctest: +SKIP
        >>> study.best_values                                   # doctest: +SKIP
        {'conv_layers': 2, 'units': 96, 'learning_rate': 0.001}
    """
    folder = Path(directory).expanduser()
    texts = (objective,) if isinstance(objective, str) else tuple(objective or ())
    objectives = tuple(read_objective(text) for text in texts)
    project = read_project(folder, SearchFacts(objectives))
    _check_measured(objectives, project)
    workspace = workspace_of(workspace)
    record = workspace.studies.create(
        name or folder.resolve().name,
        _settings(project),
        data_name="unknown images",
        versions={"eyetune": version("eyetune")},
    )
    ending = INTERRUPTED if project.was_interrupted else ""
    return record_project(workspace, record, project, ending)


def _check_measured(objectives: Sequence[Objective], project: Project) -> None:
    """Refuse objectives that are not among the metrics of the project, if it has any."""
    measured: list[str] = []
    for epochs in project.metrics.values():
        for _, values in epochs:
            measured.extend(name for name in values if name not in measured)
    for objective in objectives:
        if measured and objective.name not in measured:
            raise UsageError(
                f"KerasTuner did not measure {objective.name}.",
                expected=f"one of {', '.join(measured)}",
                received=objective.name,
            )


def _settings(project: Project) -> StudySettings:
    return StudySettings(
        recipe=Recipe().with_({"fit.epochs": project.schedule.max_epochs}),
        space=project.space,
        objectives=project.objectives,
        sampler=project.sampler,
        schedule=project.schedule,
        seed=project.seed,
        engine="keras-tuner",
    )


def record_project(
    workspace: Workspace, record: StudyRecord, project: Project, ending: str, seconds: float = 0.0
) -> Study:
    """Record the trials of a project in a study, which is then complete.

    Args:
        workspace: Workspace of the study.
        record: The study.
        project: Content of KerasTuner's project folder.
        ending: Why the search ended; empty if it is unknown.
        seconds: Wall time of the search. Default: 0 for unknown.
    """
    workspace.studies.save_trials(record.id, project.trials)
    write_trial_metrics(workspace.studies.folder(record.id), project.metrics)
    update = {
        "state": StudyState.COMPLETE,
        "ending": ending,
        "space": project.space,
        "seconds": seconds,
    }
    workspace.studies.save(record.model_copy(update=update))
    return Study(workspace, workspace.studies.get(record.id))


def keras_tuner_metrics(study: Study) -> dict[int, dict[int, dict[str, float]]]:
    """Return the metrics that KerasTuner measured, by trial, by epochs trained, and by name.

    An imported project has the best epoch of each rung; a study of `tune_with_keras_tuner` has
    every epoch.

    Args:
        study: A study of `import_keras_tuner` or `tune_with_keras_tuner`, or of a tuner that runs
            its trials itself.

    Raises:
        UsageError: Another engine searched.

    Example:
        >>> import eyetune as et
        >>> study = et.import_keras_tuner("my_dir/my_project")  # doctest: +SKIP
        >>> metrics = et.keras_tuner_metrics(study)  # doctest: +SKIP
    """
    if not (study.folder / METRICS_FILE).exists():
        raise UsageError(
            f"Study {study.name} is not a search of KerasTuner.",
            expected="the engine keras-tuner",
            received=f"the engine {study.record.settings.engine}",
        )
    metrics = read_trial_metrics(study.folder)
    return {number: dict(epochs) for number, epochs in metrics.items()}
