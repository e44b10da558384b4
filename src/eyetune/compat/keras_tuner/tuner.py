"""The base class of the tuners: KerasTuner's interface to a study.

`directory` is the workspace, `project_name` the name of the study. Running a script again resumes
its search.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from eyetune.api.preparing import workspace_of
from eyetune.api.run import Run
from eyetune.api.study import Study, open_study
from eyetune.api.tune import tune
from eyetune.compat.keras_tuner.arguments import differences, objective_texts, refuse
from eyetune.compat.keras_tuner.hyperparameters import as_hypermodel, hyperparameters_of, preset
from eyetune.errors import StudyChangedError, UsageError, nearest
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import StudyRecord, StudyState, TrialRecord, TrialState
from eyetune.space.space import Space, describe
from eyetune.tuning.options import TuneOptions

DEFAULT_NAME = "untitled_project"


class Tuner:
    """The base class of the four tuners; use one of them.

    Args:
        hypermodel: A `build_model(hp)` or a `keras_tuner.HyperModel`.
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them. Several
            objectives are a Pareto front; KerasTuner adds them up.
        settings: The tuner's options of `tune`: sampler, scheduler and their own options.
        seed: Random seed of suggestions and trainings. Default: 0.
        hyperparameters: A `keras_tuner.HyperParameters` whose entries replace those of the same
            name. Default: none.
        tune_new_entries: Whether hyperparameters that are not among these are searched too.
            Default: True.
        max_model_size: Largest number of parameters of a network. Default: no limit.
        directory: The workspace. Default: see `train`.
        project_name: Name of the study. Default: untitled_project.
        overwrite: Whether to delete a study of this name, with its runs. Default: False.
        workers: Number of parallel trainings. Default: one per core that has enough memory.
        max_retries_per_trial: Ignored: a trial whose worker dies is tried again.
        max_consecutive_failed_trials: Ignored: a study ends when its first trials all fail.
        others: Other arguments of KerasTuner; they are refused unless they change nothing.

    Raises:
        UsageError: An argument is unknown or is not supported.
    """

    def __init__(  # noqa: PLR0913 (KerasTuner's arguments)
        self,
        hypermodel: Any,
        objective: Any,
        settings: Mapping[str, Any],
        *,
        seed: int | None = None,
        hyperparameters: Any = None,
        tune_new_entries: bool = True,
        max_model_size: int | None = None,
        directory: str | Path | None = None,
        project_name: str | None = None,
        overwrite: bool = False,
        workers: int | None = None,
        max_retries_per_trial: int = 0,  # noqa: ARG002
        max_consecutive_failed_trials: int = 3,  # noqa: ARG002
        **others: Any,
    ) -> None:
        refuse(others)
        if hypermodel is None:
            raise UsageError(
                "A tuner needs a model function.", expected="build_model(hp) or a HyperModel"
            )
        if hyperparameters is None and not tune_new_entries:
            raise UsageError(
                "tune_new_entries=False leaves nothing to tune.",
                fix="Pass hyperparameters too: those to tune.",
            )
        self.project_name = project_name or DEFAULT_NAME
        self.workspace: Workspace = workspace_of(directory)
        self._build_model = preset(hypermodel, hyperparameters, tune_new_entries=tune_new_entries)
        self._settings = dict(settings)
        self._options: dict[str, Any] = {
            "objective": objective_texts(objective),
            "max_parameters": max_model_size,
            "seed": seed,
            "workers": workers,
        }
        self._study: Study | None = None
        if overwrite:
            _delete(self.workspace, self.project_name)

    @property
    def hypermodel(self) -> Any:
        """The `keras_tuner.HyperModel` whose `build(hp)` returns a network."""
        from eyetune.models.model_function import keep, load

        if isinstance(self._build_model, str | Path | type):
            return load(keep(self._build_model, self.workspace.folder / "functions")).hypermodel
        return as_hypermodel(self._build_model)

    @cached_property
    def space(self) -> Space:
        """The search space, as discovered from the model function before the search."""
        from eyetune.models.model_function import discover, keep
        from eyetune.training.backend import start_keras

        start_keras()
        return discover(keep(self._build_model, self.workspace.folder / "functions"))

    def search(
        self,
        x: Any = None,
        y: Any = None,
        *,
        epochs: int = 1,
        batch_size: int | None = None,
        validation_split: float = 0.0,
        validation_data: tuple[Any, Any] | None = None,
        verbose: int | str = "auto",
        **fit_arguments: Any,
    ) -> None:
        """Search, or resume the search of this name; the arguments are those of Keras's `fit`.

        Args:
            x: Images, an array (images, height, width, channels): uint8 from 0 to 255, or floating
                point from 0 to 1.
            y: Labels, an array: one-hot rows, or one integer per image.
            epochs: Epochs of each trial; Hyperband uses its own `max_epochs`. Default: 1.
            batch_size: Images per step. Default: 32.
            validation_split: Share of the images, the last ones, to validate on. Default: 0.
            validation_data: Images and labels to validate on instead. Default: none.
            verbose: 0 shows no progress. Default: "auto".
            fit_arguments: Other arguments of `fit`, such as callbacks; each trial gets a copy.

        Raises:
            UsageError: An argument is missing, or `fit` does not have it.
            StudyChangedError: The study of this name is a different search.
            TrainingError: Every trial failed.
            EyetuneError: The data cannot be used.
        """
        if x is None or y is None:
            raise UsageError(
                "A search needs images and labels.",
                expected="arrays, as in search(x_train, y_train, ...)",
                fix="Convert a tf.data.Dataset or a generator to NumPy arrays.",
            )
        self._check(fit_arguments)
        record = _study_named(self.workspace, self.project_name)
        settings = {**self._settings, **self._length(epochs)}
        if record is not None and self._is_done(record, settings):
            self._study = Study(self.workspace, record)
            print(f"The search {self.project_name} is complete; overwrite=True starts it again.")
            return
        if record is not None:
            print(f"Resuming the search {self.project_name}; overwrite=True starts it again.")
        num_images = len(x) if validation_data is not None else int(len(x) * (1 - validation_split))
        batch_size = max(1, min(batch_size or 32, num_images))  # as Keras does
        edits = {"fit.epochs": settings["max_epochs"], "fit.batch_size": batch_size}
        passed = {name: value for name, value in fit_arguments.items() if value is not None}
        try:
            self._study = tune(
                self._build_model,
                (x, y),
                recipe=Recipe().with_(edits),
                fit_arguments=passed,
                validation_data=validation_data,
                validation_split=validation_split,
                name=self.project_name,
                resume=record is not None,
                workspace=self.workspace,
                progress=verbose != 0,
                **self._options,
                **settings,
            )
        except StudyChangedError as error:
            raise self._changed(error.received or error.message) from None
        _ = self._study.best_trial  # raises an error if every trial failed

    def _check(self, fit_arguments: Mapping[str, Any]) -> None:
        """Refuse arguments that Keras's `fit` does not have, unless the HyperModel has its own."""
        import keras
        import keras_tuner

        if "initial_epoch" in fit_arguments:
            raise UsageError(
                "Each trial starts at its first epoch.",
                received="initial_epoch",
                fix="Leave it out.",
            )
        names = inspect.signature(keras.Model.fit).parameters
        unknown = [name for name in fit_arguments if name not in names]
        if unknown and type(self.hypermodel).fit is keras_tuner.HyperModel.fit:
            raise UsageError(
                f"Keras's fit has no argument {unknown[0]}.",
                received=unknown[0],
                fix=nearest(unknown[0], names),
            )

    def _length(self, epochs: int) -> dict[str, Any]:
        """Return the epochs of a trial and, for a whole grid, the number of trials."""
        length = {} if "max_epochs" in self._settings else {"max_epochs": epochs}
        is_whole_grid = self._settings["sampler"] == "grid" and self._settings["trials"] is None
        return length | ({"trials": self.space.size()} if is_whole_grid else {})

    def _is_done(self, record: StudyRecord, settings: Mapping[str, Any]) -> bool:
        """Return whether a study is complete and has as many trials as the settings demand.

        Raises:
            StudyChangedError: It is a different search.
        """
        if record.state is not StudyState.COMPLETE:
            return False
        options = TuneOptions(**self._options, **settings)
        changes = [
            *record.settings.space.difference(self.space),
            *differences(record.settings, options),
        ]
        if changes:
            raise self._changed("; ".join(changes))
        num_trials = settings.get("trials")
        if num_trials is None or num_trials == record.settings.budget.trials:
            return True
        trials = self.workspace.studies.trials(record.id)
        num_tried = sum(trial.state is not TrialState.INFEASIBLE for trial in trials)
        return bool(num_trials <= num_tried)

    def _changed(self, changes: str) -> StudyChangedError:
        return StudyChangedError(
            f"The study {self.project_name} is a different search.",
            received=changes,
            fix="Choose another project_name, or start again with overwrite=True.",
        )

    @property
    def study(self) -> Study:
        """The study of eyetune, with its trials, curves, figures and report.

        Raises:
            StudyNotFoundError: There is no search of this name.
        """
        if self._study is None:
            self.reload()
        assert self._study is not None
        return self._study

    def reload(self) -> None:
        """Read the study from the workspace.

        Raises:
            StudyNotFoundError: There is no search of this name.
        """
        self._study = open_study(self.project_name, workspace=self.workspace)

    @property
    def remaining_trials(self) -> int | None:
        """The number of trials that are left; None if it is not limited."""
        num_trials: int | None = self._settings.get("trials")
        if num_trials is None:
            return None
        record = _study_named(self.workspace, self.project_name)
        num_tried = self.workspace.studies.count_trials().get(record.id, 0) if record else 0
        return max(0, num_trials - num_tried)

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[Any]:
        """Return the `keras_tuner.HyperParameters` of the best trials, the best first.

        Args:
            num_trials: Largest number of trials. Default: 1.
        """
        space = self.study.record.space
        return [
            hyperparameters_of(space, self._values(trial)) for trial in self.study.best(num_trials)
        ]

    def _values(self, trial: TrialRecord) -> dict[str, Any]:
        if self._settings.get("scheduler") != "hyperband":
            return dict(trial.all_values)
        # Scripts read from these how long to train the best network.
        return {
            **trial.all_values,
            "tuner/epochs": trial.epochs_granted,
            "tuner/initial_epoch": 0,
        }

    def get_best_models(self, num_models: int = 1) -> list[Any]:
        """Return the best trials' networks as Keras models with the weights of their best epochs.

        Trials that were stopped early have no network and are skipped, except for the best one.

        Args:
            num_models: Number of networks, 1 to 10. Default: 1.

        Raises:
            UsageError: There are fewer networks: only those of the best trial and of the 10 best
                trials that were trained to the end are kept.
        """
        runs = self._kept_runs(num_models)
        if len(runs) < num_models:
            raise UsageError(
                f"Study {self.study.name} does not keep that many networks.",
                expected=f"at most {len(runs)} networks" if runs else "a search with a result",
                received=f"num_models={num_models}",
                fix="get_best_hyperparameters has the values of all; build and train one of them.",
            )
        return [run.model() for run in runs]

    def _kept_runs(self, num_models: int) -> list[Run]:
        """Return the runs of the best trials whose networks are kept, at most `num_models`."""
        from eyetune.values.run_files import MODEL_FILE

        runs: list[Run] = []
        for trial in self.study.best(len(self.study.trials)):
            if trial.run is None or len(runs) == num_models:
                continue
            run = self.study.run(trial)
            if (run.folder / MODEL_FILE).exists():
                runs.append(run)
            elif trial.state is TrialState.COMPLETE:
                break
        return runs

    def search_space_summary(self, extended: bool = False) -> None:
        """Print the search space.

        Args:
            extended: Whether to print conditions too. Default: False.
        """
        # During a search, hyperparameters may be added to the space.
        space = self._study.record.space if self._study else self.space
        print("Search space summary")
        print(f"Default search space size: {len(space)}")
        for distribution in space.distributions:
            description = describe(distribution)
            print(f"{distribution.name}: {description} (default {distribution.default})")
            for condition in distribution.conditions if extended else ():
                values = " or ".join(map(str, condition.values))
                print(f"  while {condition.parent} is {values}")

    def results_summary(self, num_trials: int = 10) -> None:
        """Print the best trials.

        Args:
            num_trials: Largest number of trials. Default: 10.
        """
        objectives = self.study.record.settings.objectives
        print("Results summary")
        print(f"Results in {self.study.folder}")
        print(f"Showing {num_trials} best trials")
        for trial in self.study.best(num_trials):
            print(f"\nTrial {trial.number} summary: {trial.epochs} epochs, {trial.state}")
            for name, value in trial.all_values.items():
                print(f"{name}: {value}")
            for objective, value in zip(objectives, trial.objectives or (), strict=True):
                print(f"{objective.name}: {value:.6g}")


def _study_named(workspace: Workspace, name: str) -> StudyRecord | None:
    """Return the study of exactly this name; None if there is none."""
    return next((record for record in workspace.studies.all() if record.name == name), None)


def _delete(workspace: Workspace, name: str) -> None:
    """Delete a study and the runs of its trials permanently."""
    record = _study_named(workspace, name)
    if record is None:
        return
    runs = [trial.run for trial in workspace.studies.trials(record.id) if trial.run is not None]
    workspace.studies.purge(record.id)
    for run in runs:
        workspace.runs.purge(run)
