"""Studies that KerasTuner searched, earlier or for comparison, read from its project folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from eyetune.api.preparing import workspace_of
from eyetune.api.study import Study
from eyetune.compat.keras_tuner.projects import Known, Project, read_project
from eyetune.errors import UsageError, WorkspaceError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import Objective, StudyRecord, StudySettings, StudyState
from eyetune.tuning.objectives import read_objective

METRICS_FILE = "keras-tuner-metrics.json"
INTERRUPTED = "KerasTuner was interrupted"


def import_keras_tuner(
    directory: str | Path,
    *,
    name: str = "",
    objective: str | Sequence[str] | None = None,
    workspace: str | Path | Workspace | None = None,
) -> Study:
    """Import a project folder of KerasTuner as a study.

    The trials have no runs, because the networks stay in the project folder.

    A trial that Hyperband promoted becomes another rung of the trial that it continues.
    KerasTuner keeps the metrics of the best epoch only; see `keras_tuner_metrics`.

    Args:
        directory: The folder with oracle.json: `directory/project_name` of the search.
        name: Name of the study. Default: the name of the folder.
        objective: The objective, if the scores do not determine it. Several objectives, which
            KerasTuner added up, stay separate.
        workspace: Folder of the records. Default: see `train`.

    Raises:
        UsageError: It is not a project folder, its objective is unknown, or the name is taken.
        WorkspaceError: A file is damaged, or of another version of KerasTuner.

    Example:
        >>> import eyetune as et
        >>> study = et.import_keras_tuner("my_dir/my_project")  # doctest: +SKIP
        >>> study.best_values                                   # doctest: +SKIP
        {'conv_layers': 2, 'units': 96, 'learning_rate': 0.001}
    """
    folder = Path(directory).expanduser()
    words = (objective,) if isinstance(objective, str) else tuple(objective or ())
    objectives = tuple(read_objective(word) for word in words)
    project = read_project(folder, Known(objectives))
    _check_measured(objectives, project)
    workspace = workspace_of(workspace)
    record = workspace.studies.create(
        name or folder.resolve().name,
        _settings(project),
        data_name="unknown images",
        versions={"eyetune": version("eyetune")},
    )
    return record_project(
        workspace, record, project, INTERRUPTED if project.was_interrupted else ""
    )


def _check_measured(objectives: Sequence[Objective], project: Project) -> None:
    measured = {
        name: None
        for epochs in project.metrics.values()
        for _, figures in epochs
        for name in figures
    }
    missing = [one.name for one in objectives if measured and one.name not in measured]
    if missing:
        raise UsageError(
            f"KerasTuner measured no {missing[0]}.",
            expected=f"one of {', '.join(measured)}",
            received=missing[0],
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
    """Record the results of KerasTuner in a study that was created for them.

    Args:
        workspace: The workspace.
        record: The study.
        project: The results of KerasTuner.
        ending: Why it ended.
        seconds: Wall time of the search, where it is known.
    """
    workspace.studies.save_trials(record.id, project.trials)
    _write_metrics(workspace.studies.folder(record.id) / METRICS_FILE, project.metrics)
    update = {
        "state": StudyState.COMPLETE,
        "ending": ending,
        "space": project.space,
        "seconds": seconds,
    }
    workspace.studies.save(record.model_copy(update=update))
    return Study(workspace, workspace.studies.get(record.id))


def _write_metrics(path: Path, metrics: Mapping[int, list[tuple[int, dict[str, float]]]]) -> None:
    try:
        path.write_text(json.dumps(metrics), encoding="utf-8")
    except OSError as error:
        raise WorkspaceError(
            f"{path} cannot be written.", received=error.strerror or error
        ) from None


def keras_tuner_metrics(study: Study) -> dict[int, dict[int, dict[str, float]]]:
    """Return what KerasTuner measured in a study, by trial and number of epochs.

    For an imported project, that is the best epoch of each rung; for a search that eyetune started,
    every epoch.

    Args:
        study: From `import_keras_tuner` or `tune_with_keras_tuner`.

    Raises:
        UsageError: KerasTuner did not search the study.

    Example:
        >>> import eyetune as et
        >>> study = et.import_keras_tuner("my_dir/my_project")  # doctest: +SKIP
        >>> metrics = et.keras_tuner_metrics(study)  # doctest: +SKIP
    """
    path = study.folder / METRICS_FILE
    if not path.exists():
        raise UsageError(
            f"Study {study.name} was not searched by KerasTuner.",
            received=study.record.settings.engine,
        )
    trials: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {
        int(number): {int(epoch): figures for epoch, figures in epochs}
        for number, epochs in trials.items()
    }
