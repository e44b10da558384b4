"""Drop-in replacements for KerasTuner's tuners, for example `et.Hyperband` for `kt.Hyperband`.

They take the same arguments and return the same values as KerasTuner's. Behind each is a study that
is searched in parallel and recorded, so running the script again resumes it. `directory` is the
workspace, `project_name` the study's name.

See https://keras.io/keras_tuner/api/tuners/.
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
from eyetune.tuning.schedulers.plans import hyperband_brackets

UNTITLED = "untitled_project"


class Tuner:
    """The base class of the four tuners.

    Args:
        hypermodel: A `build_model(hp)` or a `keras_tuner.HyperModel`.
        objective: A metric's name, a `keras_tuner.Objective`, or a list of them (a Pareto front,
            not their sum).
        hyperparameters: A `keras_tuner.HyperParameters` whose entries replace those of the same
            name.
        tune_new_entries: Whether to search hyperparameters that are not in `hyperparameters`.
        max_model_size: Largest number of parameters of a network.
        directory: The workspace. Default: `./eyetune-workspace`, or EYETUNE_WORKSPACE.
        project_name: Name of the study.
        overwrite: Delete a study of this name, with its runs.
        workers: Number of parallel trainings. Default: one per core, as far as memory allows.
        seed: Random seed of suggestions and trainings. Default: 0.
        settings: Options of `tune`: sampler, scheduler and their own options.
        others: Other arguments of KerasTuner, which must have no effect.

    Raises:
        UsageError: An argument is unknown or not supported.
    """

    def __init__(  # noqa: PLR0913 (those of KerasTuner's)
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
        max_retries_per_trial: int = 0,  # noqa: ARG002 (a trial whose worker died is retried anyway)
        max_consecutive_failed_trials: int = 3,  # noqa: ARG002 (a study ends when its first trials all fail)
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
                fix="Give the hyperparameters to tune, too.",
            )
        self.project_name = project_name or UNTITLED
        self.workspace: Workspace = workspace_of(directory)
        self._given = preset(hypermodel, hyperparameters, tune_new_entries=tune_new_entries)
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
        """The `keras_tuner.HyperModel`, whose `build(hp)` makes a network."""
        from eyetune.models.model_function import keep, load

        if isinstance(self._given, str | Path | type):
            return load(keep(self._given, self.workspace.folder / "functions")).hypermodel
        return as_hypermodel(self._given)

    @cached_property
    def space(self) -> Space:
        """The space, as discovered from the model function before the search."""
        from eyetune.models.model_function import discover, keep
        from eyetune.training.backend import start_keras

        start_keras()
        return discover(keep(self._given, self.workspace.folder / "functions"))

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
        """Search, or resume the search of this name; arguments are those of Keras's `fit`.

        Args:
            x: Images as an array: uint8 of 0 to 255, or floating point of 0 to 1.
            y: Labels: one-hot rows or whole numbers.
            epochs: Epochs of each trial; Hyperband uses its `max_epochs`, as KerasTuner's does.
            batch_size: Images per step. Default: Keras's 32.
            validation_split: Share of the last images to validate on. Default: 0.
            validation_data: Images and labels to validate on instead.
            verbose: 0 shows nothing.
            fit_arguments: Callbacks, class_weight and others; each trial gets a copy.

        Raises:
            StudyChangedError: The study of this name was a different search.
            TrainingError: Every trial failed.
            EyetuneError: The data cannot be used.
        """
        if x is None or y is None:
            raise UsageError(
                "A search needs images and labels.",
                expected="arrays, as in search(x_train, y_train, ...)",
                fix="Collect those of a tf.data.Dataset or a generator with NumPy.",
            )
        self._check(fit_arguments)
        known = _named(self.workspace, self.project_name)
        settings = {**self._settings, **self._length(epochs)}
        if known is not None and self._is_done(known, settings):
            self._study = Study(self.workspace, known)
            print(f"The search {self.project_name} is complete; overwrite=True starts it again.")
            return
        if known is not None:
            print(f"Resuming the search {self.project_name}; overwrite=True starts it again.")
        num_images = len(x) if validation_data is not None else int(len(x) * (1 - validation_split))
        batch_size = max(1, min(batch_size or 32, num_images))  # as Keras does
        section = {"fit.epochs": settings["max_epochs"], "fit.batch_size": batch_size}
        given = {name: value for name, value in fit_arguments.items() if value is not None}
        try:
            self._study = tune(
                self._given,
                (x, y),
                recipe=Recipe().with_(section),
                fit_arguments=given,
                validation_data=validation_data,
                validation_split=validation_split,
                name=self.project_name,
                resume=known is not None,
                workspace=self.workspace,
                progress=verbose != 0,
                **self._options,
                **settings,
            )
        except StudyChangedError as error:
            raise self._changed(error.received or error.message) from None
        _ = self._study.best_trial  # raises where every trial failed

    def _check(self, fit_arguments: Mapping[str, Any]) -> None:
        """Raise UsageError for arguments that Keras's `fit` does not have."""
        import keras
        import keras_tuner

        if "initial_epoch" in fit_arguments:
            raise UsageError(
                "Each trial starts with its first epoch.",
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
        """Return the number of epochs of a trial and, for a complete grid, the number of trials."""
        length = {} if "max_epochs" in self._settings else {"max_epochs": epochs}
        is_whole_grid = self._settings["sampler"] == "grid" and self._settings["trials"] is None
        return length | ({"trials": self.space.size()} if is_whole_grid else {})

    def _is_done(self, known: StudyRecord, settings: Mapping[str, Any]) -> bool:
        """Return whether a study is complete and has as many trials as requested.

        Raises:
            StudyChangedError: It was a different search.
        """
        if known.state is not StudyState.COMPLETE:
            return False
        options = TuneOptions(**self._options, **settings)
        changed = [
            *known.settings.space.difference(self.space),
            *differences(known.settings, options),
        ]
        if changed:
            raise self._changed("; ".join(changed))
        trials = self.workspace.studies.trials(known.id)
        most, tried = (
            settings.get("trials"),
            sum(trial.state is not TrialState.INFEASIBLE for trial in trials),
        )
        return most is None or most == known.settings.budget.trials or most <= tried

    def _changed(self, changes: str) -> StudyChangedError:
        return StudyChangedError(
            f"The search {self.project_name} had other settings.",
            received=changes,
            fix="Choose another project_name, or start again with overwrite=True.",
        )

    @property
    def study(self) -> Study:
        """The study of eyetune, with its trials, figures and report.

        Raises:
            StudyNotFoundError: There was no search yet.
        """
        if self._study is None:
            self.reload()
        assert self._study is not None
        return self._study

    def reload(self) -> None:
        """Read the study from the workspace.

        Raises:
            StudyNotFoundError: There was no search yet.
        """
        self._study = open_study(self.project_name, workspace=self.workspace)

    @property
    def remaining_trials(self) -> int | None:
        """Number of remaining trials; None if it is not limited."""
        most = self._settings.get("trials")
        known = _named(self.workspace, self.project_name)
        tried = self.workspace.studies.count_trials().get(known.id, 0) if known else 0
        return None if most is None else max(0, most - tried)

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[Any]:
        """Return the `keras_tuner.HyperParameters` of the best trials, the best first."""
        space = self.study.record.space
        return [
            hyperparameters_of(space, self._values(trial)) for trial in self.study.best(num_trials)
        ]

    def _values(self, trial: TrialRecord) -> dict[str, Any]:
        plan = {
            "tuner/epochs": trial.epochs_granted,
            "tuner/initial_epoch": 0,
        }  # scripts train for as many epochs again
        return {
            **trial.all_values,
            **(plan if self._settings.get("scheduler") == "hyperband" else {}),
        }

    def get_best_models(self, num_models: int = 1) -> list[Any]:
        """Return the Keras models of the best trials, with the weights of their best epochs.

        Trials that were stopped early have no network and are skipped, unless one of them is the
        best.

        Args:
            num_models: Number of networks, 1 to 10.

        Raises:
            UsageError: Fewer networks are kept. Kept are those of the 10 best trials that were
                trained to the end, and that of the best trial.
        """
        from eyetune.values.run_files import MODEL_FILE

        networks: list[Run] = []
        for trial in self.study.best(len(self.study.trials)):
            if trial.run is None or len(networks) == num_models:
                continue
            run = self.study.run(trial)
            if (run.folder / MODEL_FILE).exists():
                networks.append(run)
            elif trial.state is TrialState.COMPLETE:
                break
        if len(networks) < num_models:
            raise UsageError(
                f"Study {self.study.name} keeps fewer networks.",
                expected=f"at most {len(networks)} networks"
                if networks
                else "a search with a result",
                received=f"num_models={num_models}",
                fix="get_best_hyperparameters has the values of all; build and train one of them.",
            )
        return [run.model() for run in networks]

    def search_space_summary(self, extended: bool = False) -> None:
        """Print the search space.

        Args:
            extended: Whether to print the conditions too.
        """
        space = self._study.record.space if self._study else self.space  # which may have grown
        print("Search space summary")
        print(f"Default search space size: {len(space)}")
        for one in space.distributions:
            print(f"{one.name}: {describe(one)} (default {one.default})")
            for condition in one.conditions if extended else ():
                print(f"  while {condition.parent} is {' or '.join(map(str, condition.values))}")

    def results_summary(self, num_trials: int = 10) -> None:
        """Print the best trials.

        Args:
            num_trials: Largest number of trials to print.
        """
        objectives = self.study.record.settings.objectives
        print("Results summary")
        print(f"Results in {self.study.folder}")
        print(f"Showing {num_trials} best trials")
        for trial in self.study.best(num_trials):
            print(f"\nTrial {trial.number} summary: {trial.epochs} epochs, {trial.state}")
            for name, value in trial.all_values.items():
                print(f"{name}: {value}")
            for one, value in zip(objectives, trial.objectives or (), strict=True):
                print(f"{one.name}: {value:.6g}")


class Hyperband(Tuner):
    """A drop-in replacement for KerasTuner's Hyperband that trains no epoch twice.

    Args:
        hypermodel: A `build_model(hp)` or a `keras_tuner.HyperModel`.
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them.
        max_epochs: Epochs of a trial that is promoted to the last round. Default: 100.
        factor: One trial in `factor` is promoted to the next round. Default: 3.
        hyperband_iterations: How often all brackets are run. Default: 1.
        others: The other arguments of `Tuner`.

    Source: Li et al. 2018, https://jmlr.org/papers/v18/16-558.html;
        https://keras.io/keras_tuner/api/tuners/hyperband/

    Example:
        >>> tuner = Hyperband(lambda hp: ..., objective="val_accuracy", max_epochs=10, factor=3)
        >>> tuner.search(x, y, epochs=50, validation_split=0.2)  # doctest: +SKIP
        >>> tuner.get_best_hyperparameters()[0].values           # doctest: +SKIP
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_epochs: int = 100,
        factor: float = 3,
        hyperband_iterations: int = 1,
        **others: Any,
    ) -> None:
        if not isinstance(hyperband_iterations, int) or hyperband_iterations < 1:
            raise UsageError(
                "hyperband_iterations is out of its range.",
                expected="1 or more",
                received=f"hyperband_iterations={hyperband_iterations}",
                fix='To limit the time: eyetune.tune(..., scheduler="hyperband", seconds=3600)',
            )
        settings: dict[str, Any] = {"scheduler": "hyperband", "sampler": "random"}
        settings |= {"max_epochs": max_epochs, "factor": factor}
        if hyperband_iterations > 1:
            once = sum(plan.places[0] for plan in hyperband_brackets(max_epochs, factor))
            settings["trials"] = hyperband_iterations * once
        super().__init__(hypermodel, objective, settings, **others)


class RandomSearch(Tuner):
    """A drop-in replacement for KerasTuner's RandomSearch.

    Args:
        hypermodel: A `build_model(hp)` or a `keras_tuner.HyperModel`.
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them.
        max_trials: Number of trials. Default: 10.
        others: The other arguments of `Tuner`.

    Source: https://keras.io/keras_tuner/api/tuners/random/
    """

    def __init__(
        self, hypermodel: Any = None, objective: Any = None, max_trials: int = 10, **others: Any
    ) -> None:
        super().__init__(
            hypermodel, objective, {"sampler": "random", "trials": max_trials}, **others
        )


class BayesianOptimization(Tuner):
    """A drop-in replacement for KerasTuner's BayesianOptimization: a Gaussian process.

    Args:
        hypermodel: A `build_model(hp)` or a `keras_tuner.HyperModel`.
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them.
        max_trials: Number of trials. Default: 10.
        others: The other arguments of `Tuner`.

    Source: https://keras.io/keras_tuner/api/tuners/bayesian/
    """

    def __init__(
        self, hypermodel: Any = None, objective: Any = None, max_trials: int = 10, **others: Any
    ) -> None:
        super().__init__(hypermodel, objective, {"sampler": "gp", "trials": max_trials}, **others)


class GridSearch(Tuner):
    """A drop-in replacement for KerasTuner's GridSearch; infinite ranges need a step.

    Args:
        hypermodel: A `build_model(hp)` or a `keras_tuner.HyperModel`.
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them.
        max_trials: Number of trials. Default: every combination.
        others: The other arguments of `Tuner`.

    Source: https://keras.io/keras_tuner/api/tuners/grid/
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int | None = None,
        **others: Any,
    ) -> None:
        super().__init__(hypermodel, objective, {"sampler": "grid", "trials": max_trials}, **others)


def _named(workspace: Workspace, name: str) -> StudyRecord | None:
    """Return the study with exactly this name."""
    return next((one for one in workspace.studies.all() if one.name == name), None)


def _delete(workspace: Workspace, name: str) -> None:
    """Delete a study and the runs of its trials for good."""
    record = _named(workspace, name)
    if record is None:
        return
    runs = [trial.run for trial in workspace.studies.trials(record.id) if trial.run is not None]
    workspace.studies.purge(record.id)
    for run in runs:
        workspace.runs.purge(run)
