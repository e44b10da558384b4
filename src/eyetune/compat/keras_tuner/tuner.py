"""The base class of the tuners: KerasTuner's interface to a study.

`directory` is the workspace, `project_name` the name of the study. Running a script again resumes
its search.
"""

from __future__ import annotations

import inspect
import os
import shutil
import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from eyetune.api.preparing import workspace_of
from eyetune.api.run import Run
from eyetune.api.study import Study, open_study
from eyetune.api.tune import tune
from eyetune.compat.keras_tuner.arguments import (
    check_not_distributed,
    check_strategy,
    differences,
    refuse_unknown,
)
from eyetune.compat.keras_tuner.compile_arguments import recompiled
from eyetune.compat.keras_tuner.hyperparameters import (
    as_hypermodel,
    hyperband_values,
    hyperparameters_of,
    preset,
)
from eyetune.compat.keras_tuner.oracle import Oracle
from eyetune.compat.keras_tuner.search_here import reason_to_stay, search_here, space_here
from eyetune.compat.keras_tuner.trial_methods import (
    TrialMethods,
    check_overrides,
    overrides,
    overrides_load_model,
)
from eyetune.compat.keras_tuner.tuner_checks import (
    check_hypermodel,
    check_objective,
    check_oracle,
    check_ranges,
    size_limit,
)
from eyetune.data.array_store import GivenData
from eyetune.data.batches import is_batched
from eyetune.errors import (
    EyetuneWarning,
    FatalTrialError,
    StudyChangedError,
    UsageError,
    nearest,
)
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import (
    Objective,
    StudyRecord,
    StudyState,
    TrialRecord,
    TrialState,
)
from eyetune.records.trash import runs_of_study
from eyetune.space.space import Space
from eyetune.tuning.objectives import objectives_of
from eyetune.tuning.options import TuneOptions
from eyetune.values.samples import leaves

DEFAULT_NAME = "untitled_project"
DEFAULT_TUNER_ID = "tuner0"
FIXED = (
    "max_model_size",
    "optimizer",
    "loss",
    "metrics",
    "distribution_strategy",
    "executions_per_trial",
    "directory",
    "project_name",
    "oracle",
)


class Tuner(TrialMethods):
    """Searches with an oracle; RandomSearch and the other tuners have one of their own.

    A subclass may override `run_trial` and the other methods of a trial. Then trials run in this
    process, one after the other, and a warning says so.

    Args:
        oracle: What to optimize, and how values are suggested: one of `eyetune.compat.keras_tuner`.
        hypermodel: A `build_model(hp)` or a `keras_tuner.HyperModel`.
        max_model_size: Largest number of trainable parameters of a network; a larger one is not
            trained. Default: no limit.
        optimizer: Optimizer that each network is compiled with. Default: that of the model
            function.
        loss: Loss that each network is compiled with. Default: that of the model function.
        metrics: Metrics that each network is compiled with. Default: those of the model function.
        distribution_strategy: A `tf.distribute.Strategy` with the first device only, which changes
            nothing. Default: none.
        directory: The workspace. Default: see `train`.
        project_name: Name of the study. Default: untitled_project.
        logger: Has no effect, in KerasTuner 1.4 neither, and warns of that. Default: none.
        tuner_id: Name of the tuner, for the script. Default: the environment variable
            KERASTUNER_TUNER_ID, or tuner0.
        overwrite: Whether to delete a study of this name, with its runs. Default: False.
        executions_per_trial: Number of trainings of each trial with different seeds, 1 or more. The
            mean of their results counts, and the network is that of the best one. Default: 1.
        workers: Number of parallel trainings; 0 trains in this process. Default: one per core that
            has enough memory.
        unknown: Arguments that no tuner has; they are refused.

    Raises:
        UsageError: An argument is unknown or cannot be used.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (KerasTuner's arguments)
        self,
        oracle: Oracle,
        hypermodel: Any = None,
        max_model_size: int | None = None,
        optimizer: Any = None,
        loss: Any = None,
        metrics: Any = None,
        distribution_strategy: Any = None,
        directory: str | Path | None = None,
        project_name: str | None = None,
        logger: Any = None,
        tuner_id: str | None = None,
        overwrite: bool = False,
        executions_per_trial: int = 1,
        *,
        workers: int | None = None,
        **unknown: Any,
    ) -> None:
        refuse_unknown(type(self), unknown)
        check_overrides(type(self), workers)
        check_oracle(oracle)
        if "run_trial" not in overrides(self):
            check_hypermodel(hypermodel)
            check_objective(hypermodel, oracle)
        check_strategy(distribution_strategy)
        check_not_distributed(os.environ)
        if logger is not None:
            warnings.warn(
                "logger has no effect: everything is recorded (`eyetune study`, tuner.study).",
                DeprecationWarning,
                stacklevel=3,
            )
        self._settings = oracle.tune_options()
        self.workspace: Workspace = workspace_of(directory)
        self.oracle = oracle
        self.max_model_size = max_model_size
        self.optimizer = optimizer
        self.loss = loss
        self.metrics = metrics
        self.distribution_strategy = distribution_strategy
        self.directory = str(self.workspace.folder)
        self.project_name = project_name or DEFAULT_NAME
        self.logger = logger
        self.tuner_id = tuner_id or os.environ.get("KERASTUNER_TUNER_ID", DEFAULT_TUNER_ID)
        self.executions_per_trial = executions_per_trial
        self._given_hypermodel = hypermodel
        self._build_model: Any = None
        if hypermodel is not None:
            known = preset(
                hypermodel,
                oracle.given_hyperparameters,
                tune_new_entries=oracle.tune_new_entries,
                allow_new_entries=oracle.allow_new_entries,
            )
            compiled = {"optimizer": optimizer, "loss": loss, "metrics": metrics}
            self._build_model = recompiled(known, compiled)
        self._options: dict[str, Any] = {
            "constraints": size_limit(max_model_size),
            "tune_new_entries": oracle.tune_new_entries and oracle.allow_new_entries,
            "workers": workers,
            "executions": executions_per_trial,
        }
        self._study: Study | None = None
        check_ranges(TuneOptions(**self._options, **self._settings))
        oracle.serve(self)
        if overwrite:
            _delete(self.workspace, self.project_name)
            shutil.rmtree(self._project_folder, ignore_errors=True)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED and name in vars(self):
            raise UsageError(
                f"The {name} of a tuner cannot be changed.",
                received=f"{name}={value!r:.60}",
                fix=f"Create the tuner with another {name}.",
            )
        super().__setattr__(name, value)

    @property
    def hypermodel(self) -> Any:
        """The `keras_tuner.HyperModel` whose `build(hp)` returns a network; None: there is none."""
        from eyetune.models.model_function import keep, load

        given = self._given_hypermodel
        if given is None:
            return None
        if isinstance(given, str | Path | type):
            return load(keep(given, self.workspace.folder / "functions")).hypermodel
        return as_hypermodel(given)

    @cached_property
    def reason_to_stay(self) -> str:
        """Why its trials have to run in this process; "" if workers can train them."""
        return reason_to_stay(self)

    @property
    def model_function(self) -> Any:
        """The model function with the arguments of the tuner, such as preset hyperparameters."""
        return self._build_model

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """The objectives of its trials."""
        return objectives_of(self.options(1))

    def options(self, max_epochs: int) -> TuneOptions:
        """Return the options of `eyetune.tune` that the tuner stands for.

        Args:
            max_epochs: Epochs of a trial, where the oracle does not plan them.
        """
        return TuneOptions(**self._options, **{"max_epochs": max_epochs, **self._settings})

    @cached_property
    def space(self) -> Space:
        """The search space, as discovered from the model function before the search."""
        from eyetune.models.model_function import discover, keep
        from eyetune.training.backend import start_keras

        start_keras()
        if self.reason_to_stay:
            return space_here(self)
        return discover(keep(self._build_model, self.workspace.folder / "functions"))

    @property
    def searched_space(self) -> Space:
        """The search space with hyperparameters that appeared during the search."""
        record = _study_named(self.workspace, self.project_name)
        return self.space if record is None else record.space

    def search(self, *args: Any, **kwargs: Any) -> None:
        """Search, or resume the search of this name.

        Args:
            args: Positional arguments of Keras's `fit`: training data.
            kwargs: Other arguments of `fit`, such as epochs, batch_size, validation_data and
                callbacks. A tuner with a `run_trial` of its own gets all of them as they are.

        Raises:
            UsageError: An argument is missing, or `fit` does not have it.
            StudyChangedError: The study of this name is a different search.
            FatalError: The user's code raised this error of KerasTuner, or a kind of it.
            TrainingError: Every trial failed, or too many in a row.
            EyetuneError: The data cannot be used.
        """
        try:
            if self.reason_to_stay:
                self._study = search_here(self, args, kwargs)
                _ = self._study.best_trial  # raises an error if every trial failed
            else:
                self.on_search_begin()
                self._search_with_workers(*args, **kwargs)
                self.on_search_end()
        except FatalTrialError as error:
            raise _fatal_error(error) from error
        self._report_random_order()

    def _report_random_order(self) -> None:
        """Warn if the trials are a part of a grid: KerasTuner takes the first ones of it."""
        num_trials = self._settings.get("trials")
        if self._settings["sampler"] != "grid" or num_trials is None:
            return
        size = self.study.record.space.size()
        if size is None or num_trials < size:
            warnings.warn(
                "The trials are combinations of values in random order, spread over the whole "
                "space; those of KerasTuner begin with the defaults. For all of them: "
                "max_trials=None.",
                EyetuneWarning,
                stacklevel=3,
            )

    def _search_with_workers(
        self,
        x: Any = None,
        y: Any = None,
        *,
        epochs: int = 1,
        batch_size: int | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        sample_weight: Any = None,
        verbose: int | str = "auto",
        **fit_arguments: Any,
    ) -> None:
        """Search by a study whose trials workers train.

        Args:
            x: Inputs, exactly as the network gets them: an array with a sample in each row, of any
                shape and type, or tuples, lists and dictionaries of arrays; or a source of batches:
                a `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator with a length.
            y: Targets, as Keras takes them. Default: none, for a source of batches.
            epochs: Epochs of each trial; Hyperband uses its own `max_epochs`. Default: 1.
            batch_size: Samples per step. Default: 32.
            validation_split: Share of the samples, the last ones, to validate on. Default: 0.
            validation_data: (x, y), (x, y, sample_weight) or a source of batches to validate on
                instead. Default: none.
            sample_weight: Weights of the samples. Default: all are equal.
            verbose: 0 shows no progress. Default: "auto".
            fit_arguments: Other arguments of `fit`, such as callbacks; each trial gets a copy.
        """
        if x is None:
            raise UsageError(
                "A search needs data.",
                expected="arrays or batches, as in search(x, y, ...) or search(dataset, ...)",
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
        edits: dict[str, Any] = {"fit.epochs": settings["max_epochs"]}
        if not is_batched(x):
            shape = getattr(next(leaves(x), None), "shape", None) or (0,)  # refused later
            num_samples = int(shape[0])
            if validation_data is None:
                num_samples = int(num_samples * (1 - validation_split))
            edits["fit.batch_size"] = max(1, min(batch_size or 32, num_samples))  # as Keras does
        passed = {name: value for name, value in fit_arguments.items() if value is not None}
        try:
            self._study = tune(
                self._build_model,
                x if is_batched(x) and y is None else GivenData(x, y, sample_weight),
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
            raise self.changed(error.received or error.message) from None
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
        """Return the epochs of a trial and, for all combinations of values, their number.

        Raises:
            UsageError: There are infinitely many combinations.
        """
        length = {} if "max_epochs" in self._settings else {"max_epochs": epochs}
        has_plan = self._settings.get("scheduler") == "hyperband"
        if has_plan or self._settings["trials"] is not None:
            return length
        num_combinations = self.space.size()
        if num_combinations is None and self._settings["sampler"] != "grid":
            raise UsageError(
                "max_trials=None asks for all combinations of values, and there are too many.",
                expected="a number of trials",
                received="max_trials=None",
                fix="Pass max_trials, or give each range a step.",
            )
        return length | {"trials": num_combinations}

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
            raise self.changed("; ".join(changes))
        num_trials = settings.get("trials")
        if num_trials is None or num_trials == record.settings.budget.trials:
            return True
        trials = self.workspace.studies.trials(record.id)
        num_tried = sum(trial.state is not TrialState.INFEASIBLE for trial in trials)
        return bool(num_trials <= num_tried)

    def changed(self, changes: str) -> StudyChangedError:
        """Return the error of a search that differs from the study of its name."""
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

    def recorded_study(self) -> Study | None:
        """Return the study as it is recorded now; None if there is none."""
        record = _study_named(self.workspace, self.project_name)
        return None if record is None else Study(self.workspace, record)

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
        found = [
            hyperparameters_of(space, self._values(trial)) for trial in self.study.best(num_trials)
        ]
        if not self.oracle.tune_new_entries and self.hypermodel is not None:
            for hyperparameters in found:
                self.hypermodel.build(hyperparameters)  # adds those that keep their defaults
        return found

    def _values(self, trial: TrialRecord) -> dict[str, Any]:
        if self._settings.get("scheduler") != "hyperband":
            return dict(trial.all_values)
        return {**trial.all_values, **hyperband_values(trial)}

    def get_best_models(self, num_models: int = 1) -> list[Any]:
        """Return the best trials' networks as Keras models with the weights of their best epochs.

        Trials that were stopped early have no network and are skipped, except for the best one.

        Args:
            num_models: Number of networks, 1 to 10. Default: 1.

        Raises:
            UsageError: There are fewer networks: only those of the best trial and of the 10 best
                trials that were trained to the end are kept.
        """
        if self.reason_to_stay or overrides_load_model(self):
            trials = self.oracle.get_best_trials(num_models)
            return [self.load_model(trial) for trial in trials]
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
        runs: list[Run] = []
        for trial in self.study.best(len(self.study.trials)):
            if trial.run is None or len(runs) == num_models:
                continue
            run = self.study.run(trial)
            if run.has_network:
                runs.append(run)
            elif trial.state is TrialState.COMPLETE:
                break
        return runs

    def load_model(self, trial: Any) -> Any:
        """Return the network of a trial as a Keras model with the weights of its best epoch.

        Args:
            trial: A trial of `tuner.oracle`.

        Raises:
            UsageError: Its network is not kept: only those of the best trial and of the 10 best
                trials that were trained to the end are.
        """
        if self.reason_to_stay:
            from eyetune.compat.keras_tuner.trial_training import trained_model

            return trained_model(self, trial)
        record = self.study.trials[int(trial.trial_id)]
        if record.run is None or not self.study.run(record).has_network:
            raise UsageError(
                f"The network of trial {trial.trial_id} is not kept.",
                expected="a trial that is among the best and was trained to the end",
                received=f"trial {trial.trial_id}: {record.state}",
                fix="Build and train it again: tuner.hypermodel.build(trial.hyperparameters).",
            )
        return self.study.run(record).model()

    @property
    def _project_folder(self) -> Path:
        name = quote(self.project_name, safe="").replace(".", "%2E")
        return self.workspace.folder / "projects" / name

    @property
    def project_dir(self) -> str:
        """Path of a folder for a script's own files, which is created.

        eyetune keeps its records elsewhere in the workspace: see `tuner.study.folder`.
        """
        self._project_folder.mkdir(parents=True, exist_ok=True)
        return str(self._project_folder)

    def get_trial_dir(self, trial_id: str) -> str:
        """Return the path of a folder for a script's own files about a trial, which is created.

        Args:
            trial_id: Id of the trial.
        """
        folder = self._project_folder / f"trial_{trial_id}"
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def save(self) -> None:
        """Do nothing: everything is recorded in the workspace as it happens."""

    def get_state(self) -> dict[str, Any]:
        """Return the state of the tuner beside its records: none, as in KerasTuner."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Accept an empty state, the only one that a tuner has.

        Raises:
            UsageError: The state is not empty.
        """
        if state:
            raise UsageError(
                "A tuner has no state beside its records.",
                received=f"{state!r:.60}",
                fix="Keep the script's own state in a file in tuner.project_dir.",
            )

    def search_space_summary(self, extended: bool = False) -> None:  # noqa: ARG002
        """Print the search space.

        Args:
            extended: Changes nothing, as in KerasTuner. Default: False.
        """
        entries = self.oracle.get_space().space
        print("Search space summary")
        print(f"Default search space size: {len(entries)}")
        for entry in entries:
            config = entry.get_config()
            print(f"{config.pop('name')} ({type(entry).__name__})")
            print(config)

    def results_summary(self, num_trials: int = 10) -> None:
        """Print the best trials, and after them those without a result, such as failed ones.

        Args:
            num_trials: Largest number of trials. Default: 10.
        """
        print("Results summary")
        print(f"Results in {self.study.folder}")
        print(f"Showing {num_trials} best trials")
        print(self.oracle.objective)
        for trial in self.oracle.get_best_trials(num_trials):
            print()
            trial.summary()


def _fatal_error(error: FatalTrialError) -> Exception:
    """Return the error of KerasTuner by which a user's code ended the search."""
    from keras_tuner import errors

    fatal: Exception = getattr(errors, error.kind)(error.message)
    return fatal


def _study_named(workspace: Workspace, name: str) -> StudyRecord | None:
    """Return the study of exactly this name; None if there is none."""
    return next((record for record in workspace.studies.all() if record.name == name), None)


def _delete(workspace: Workspace, name: str) -> None:
    """Delete a study and the runs of its trials permanently."""
    record = _study_named(workspace, name)
    if record is None:
        return
    runs = [
        *runs_of_study(workspace, record.id),
        *runs_of_study(workspace, record.id, deleted=True),
    ]
    workspace.studies.purge(record.id)
    for run in runs:
        workspace.runs.purge(run.id)
