"""The base class of the tuners: KerasTuner's interface to a study.

`directory` is the workspace, `project_name` the name of the study. Running a script again resumes
its search.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from eyetune.api.preparing import workspace_of
from eyetune.api.study import Study, open_study
from eyetune.compat.keras_tuner.arguments import (
    check_not_distributed,
    check_strategy,
    refuse_unknown,
)
from eyetune.compat.keras_tuner.compile_arguments import recompiled
from eyetune.compat.keras_tuner.hyperparameters import as_hypermodel, preset
from eyetune.compat.keras_tuner.oracle import Oracle
from eyetune.compat.keras_tuner.search_here import reason_to_stay, search_here, space_here
from eyetune.compat.keras_tuner.search_with_workers import search_with_workers
from eyetune.compat.keras_tuner.trial_methods import (
    TrialMethods,
    check_overrides,
    names_of_eyetune,
    overrides,
    project_folder,
)
from eyetune.compat.keras_tuner.tuner_checks import (
    check_hypermodel,
    check_objective,
    check_oracle,
    check_ranges,
    size_limit,
)
from eyetune.compat.keras_tuner.tuner_results import (
    best_hyperparameters,
    best_models,
    model_of_trial,
    print_results,
    print_space,
)
from eyetune.errors import EyetuneWarning, FatalTrialError, StudyChangedError, UsageError
from eyetune.records import Workspace
from eyetune.records.study import Objective
from eyetune.records.trash import purge_study, runs_of_study
from eyetune.space.space import Space
from eyetune.tracking.tracker import Tracker
from eyetune.tuning.objectives import objectives_of
from eyetune.tuning.options import TuneOptions

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
    "workspace",
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
        trackers: Where to log the search, besides the workspace, for example
            `[eyetune.MlflowTracker("sqlite:///mlflow.db")]`. Default: nowhere.
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
        trackers: Sequence[Tracker] = (),
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
                "logger has no effect: everything is recorded (`eyetune study`, tuner.study). To "
                "log it elsewhere too: trackers=[eyetune.MlflowTracker(...)].",
                DeprecationWarning,
                stacklevel=3,
            )
        self.__settings = oracle.tune_options()
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
        self.__given_hypermodel = hypermodel
        self.__build_model: Any = None
        if hypermodel is not None:
            known = preset(
                hypermodel,
                oracle.given_hyperparameters,
                tune_new_entries=oracle.tune_new_entries,
                allow_new_entries=oracle.allow_new_entries,
            )
            compiled = {"optimizer": optimizer, "loss": loss, "metrics": metrics}
            self.__build_model = recompiled(known, compiled)
        self.__options: dict[str, Any] = {
            "constraints": size_limit(max_model_size),
            "tune_new_entries": oracle.tune_new_entries and oracle.allow_new_entries,
            "workers": workers,
            "executions": executions_per_trial,
            "trackers": trackers,
        }
        self.__study: Study | None = None
        check_ranges(TuneOptions(**self.__options, **self.__settings))
        oracle.serve(self)
        if overwrite:
            _delete(self.workspace, self.project_name)
            shutil.rmtree(project_folder(self), ignore_errors=True)

    def __setattr__(self, name: str, value: Any) -> None:
        if (name in FIXED and name in vars(self)) or name == "hypermodel":
            raise UsageError(
                f"The {name} of a tuner cannot be changed.",
                received=f"{name}={value!r:.60}",
                fix=f"Create the tuner with another {name}.",
            )
        if name in names_of_eyetune():
            raise UsageError(
                f"{name} is a name of eyetune's tuners.",
                received=f"{name}={value!r:.60}",
                fix="Choose another name for the attribute.",
            )
        super().__setattr__(name, value)

    @property
    def hypermodel(self) -> Any:
        """The `keras_tuner.HyperModel` whose `build(hp)` returns a network; None: there is none."""
        from eyetune.models.model_function import keep, load

        given = self.__given_hypermodel
        if given is None:
            return None
        if isinstance(given, str | Path | type):
            return load(keep(given, self.workspace.path("functions"))).hypermodel
        return as_hypermodel(given)

    @cached_property
    def reason_to_stay(self) -> str:
        """Why its trials have to run in this process; "" if workers can train them."""
        return reason_to_stay(self)

    @property
    def model_function(self) -> Any:
        """The model function with the arguments of the tuner, such as preset hyperparameters."""
        return self.__build_model

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """The objectives of its trials."""
        return objectives_of(self.options(1))

    def tune_options(self, max_epochs: int) -> dict[str, Any]:
        """Return the options of `eyetune.tune` that the tuner stands for, by name.

        Args:
            max_epochs: Epochs of a trial, where the oracle does not plan them.
        """
        return {**self.__options, "max_epochs": max_epochs, **self.__settings}

    def options(self, max_epochs: int) -> TuneOptions:
        """Return the options of `eyetune.tune` that the tuner stands for.

        Args:
            max_epochs: Epochs of a trial, where the oracle does not plan them.
        """
        return TuneOptions(**self.tune_options(max_epochs))

    @cached_property
    def space(self) -> Space:
        """The search space, as discovered from the model function before the search."""
        from eyetune.models.model_function import discover, keep
        from eyetune.training.backend import start_keras

        start_keras()
        if self.reason_to_stay:
            return space_here(self)
        return discover(keep(self.__build_model, self.workspace.path("functions")))

    @property
    def searched_space(self) -> Space:
        """The search space with hyperparameters that appeared during the search."""
        record = self.workspace.studies.named(self.project_name)
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
        search = search_here if self.reason_to_stay else search_with_workers
        try:
            self.__study = search(self, args, kwargs)
        except FatalTrialError as error:
            raise _fatal_error(error) from error
        _ = self.__study.best_trial  # raises an error if every trial failed
        _report_random_order(self)

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
        if self.__study is None:
            self.reload()
        assert self.__study is not None
        return self.__study

    def recorded_study(self) -> Study | None:
        """Return the study as it is recorded now; None if there is none."""
        record = self.workspace.studies.named(self.project_name)
        return None if record is None else Study(self.workspace, record)

    def reload(self) -> None:
        """Read the study from the workspace.

        Raises:
            StudyNotFoundError: There is no search of this name.
        """
        self.__study = open_study(self.project_name, workspace=self.workspace)

    @property
    def remaining_trials(self) -> int | None:
        """The number of trials that are left; None if it is not limited."""
        num_trials: int | None = self.__settings.get("trials")
        if num_trials is None:
            return None
        record = self.workspace.studies.named(self.project_name)
        num_tried = self.workspace.studies.count_trials().get(record.id, 0) if record else 0
        return max(0, num_trials - num_tried)

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[Any]:
        """Return the `keras_tuner.HyperParameters` of the best trials, the best first.

        Args:
            num_trials: Largest number of trials. Default: 1.
        """
        return best_hyperparameters(self, num_trials)

    def get_best_models(self, num_models: int = 1) -> list[Any]:
        """Return the best trials' networks as Keras models with the weights of their best epochs.

        Trials that were stopped early have no network and are skipped, except for the best one.

        Args:
            num_models: Number of networks, 1 to 10. Default: 1.

        Raises:
            UsageError: There are fewer networks: only those of the best trial and of the 10 best
                trials that were trained to the end are kept.
        """
        return best_models(self, num_models)

    def load_model(self, trial: Any) -> Any:
        """Return the network of a trial as a Keras model with the weights of its best epoch.

        Args:
            trial: A trial of `tuner.oracle`.

        Raises:
            UsageError: Its network is not kept: only those of the best trial and of the 10 best
                trials that were trained to the end are.
        """
        return model_of_trial(self, trial)

    def search_space_summary(self, extended: bool = False) -> None:  # noqa: ARG002
        """Print the search space.

        Args:
            extended: Changes nothing, as in KerasTuner. Default: False.
        """
        print_space(self)

    def results_summary(self, num_trials: int = 10) -> None:
        """Print the best trials, and after them those without a result, such as failed ones.

        Args:
            num_trials: Largest number of trials. Default: 10.
        """
        print_results(self, num_trials)


def _report_random_order(tuner: Tuner) -> None:
    """Warn if the trials are a part of a grid: KerasTuner takes the first ones of it."""
    options = tuner.tune_options(1)
    num_trials = options.get("trials")
    if options["sampler"] != "grid" or num_trials is None:
        return
    size = tuner.study.record.space.size()
    if size is None or num_trials < size:
        warnings.warn(
            "The trials are combinations of values in random order, spread over the whole space; "
            "those of KerasTuner begin with the defaults. For all of them: max_trials=None.",
            EyetuneWarning,
            stacklevel=3,
        )


def _fatal_error(error: FatalTrialError) -> Exception:
    """Return the error of KerasTuner by which a user's code ended the search."""
    from keras_tuner import errors

    fatal: Exception = getattr(errors, error.kind)(error.message)
    return fatal


def _delete(workspace: Workspace, name: str) -> None:
    """Delete a study and the runs of its trials permanently."""
    record = workspace.studies.named(name)
    if record is None:
        return
    runs = [
        *runs_of_study(workspace, record.id),
        *runs_of_study(workspace, record.id, deleted=True),
    ]
    purge_study(workspace, record.id, runs)
