"""The base class of the oracles: what a search optimizes, and a read-only view of its trials.

A study of eyetune suggests the values and records the trials. An oracle has KerasTuner's names for
them, so that `tuner.oracle.get_best_trials()` and the like work. What would change the study is
refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from eyetune.compat.keras_tuner.arguments import objective_texts
from eyetune.compat.keras_tuner.hyperparameters import hyperparameters_of
from eyetune.errors import ArgumentTypeError, UsageError

if TYPE_CHECKING:
    from eyetune.compat.keras_tuner.tuner import Tuner

SAMPLERS = "RandomSearchOracle, BayesianOptimizationOracle, GridSearchOracle or HyperbandOracle"


class Oracle:
    """The base class of the four oracles; use one of them.

    Each attribute has the name that it has in KerasTuner. They cannot be changed after the oracle
    was created.

    Args:
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them. Default: the
            number that `HyperModel.fit` returns, which is minimized.
        max_trials: Number of trials; None for all combinations. Default: None.
        hyperparameters: A `keras_tuner.HyperParameters` whose entries replace those of the same
            name. Default: none.
        allow_new_entries: Whether the model function may use hyperparameters that are not among
            these. Default: True.
        tune_new_entries: Whether such hyperparameters are searched too; otherwise they have their
            defaults. Default: True.
        seed: Random seed of suggestions and trainings. Default: 0.
        max_retries_per_trial: How often a trial that failed is tried again, with another seed. Of
            several executions, only the one that failed is repeated. Default: 0.
        max_consecutive_failed_trials: Number of trials that fail one after the other before the
            search ends. Default: 3.

    Raises:
        UsageError: An argument cannot be used, or a subclass changes how values are suggested.
    """

    def __init__(
        self,
        objective: Any = None,
        max_trials: int | None = None,
        hyperparameters: Any = None,
        allow_new_entries: bool = True,
        tune_new_entries: bool = True,
        seed: int | None = None,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
    ) -> None:
        _check_class(type(self))
        _check_entries(
            hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
        )
        self._tuner: Tuner | None = None
        self._objective = objective
        self._max_trials = max_trials
        self._given_hyperparameters = hyperparameters
        self._allow_new_entries = allow_new_entries
        self._tune_new_entries = tune_new_entries
        self._seed = seed
        self._max_retries_per_trial = max_retries_per_trial
        self._max_consecutive_failed_trials = max_consecutive_failed_trials

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and hasattr(type(self), name):
            raise UsageError(
                f"The {name} of an oracle cannot be changed.",
                received=f"{name}={value!r:.60}",
                fix=f"Create the tuner with another {name}. With the same project_name, its search "
                "continues where only max_trials differs.",
            )
        super().__setattr__(name, value)

    def tune_options(self) -> dict[str, Any]:
        """Return the options of `eyetune.tune` that this oracle stands for."""
        return {
            "objective": objective_texts(self._objective),
            "seed": self._seed,
            "trials": self._max_trials,
            "retries": self._max_retries_per_trial,
            "max_consecutive_failures": self._max_consecutive_failed_trials,
        }

    def serve(self, tuner: Tuner) -> None:
        """Show the trials of this tuner from now on. Internal: tuners call it."""
        self._tuner = tuner

    @property
    def given_hyperparameters(self) -> Any:
        """The `keras_tuner.HyperParameters` that the oracle was created with, or None."""
        return self._given_hyperparameters

    @property
    def objective(self) -> Any:
        """The objective as a `keras_tuner.Objective`; several of them as KerasTuner joins them."""
        import keras_tuner

        if self._objective is None:
            return keras_tuner.oracles.RandomSearchOracle().objective
        objectives = []
        for text in objective_texts(self._objective):
            name, _, direction = text.partition(":")
            objectives.append(keras_tuner.Objective(name, direction))
        if not isinstance(self._objective, list | tuple):
            return objectives[0]
        return keras_tuner.oracles.RandomSearchOracle(objective=objectives).objective

    @property
    def has_objective(self) -> bool:
        """Whether an objective is named, rather than returned as a number."""
        return self._objective is not None

    @property
    def max_trials(self) -> int | None:
        """The number of trials; None where it is not limited, or follows from Hyperband's plan."""
        return self._max_trials

    @property
    def seed(self) -> int:
        """The random seed of suggestions and trainings."""
        return self._seed or 0

    @property
    def allow_new_entries(self) -> bool:
        """Whether the model function may use hyperparameters that were not given."""
        return self._allow_new_entries

    @property
    def tune_new_entries(self) -> bool:
        """Whether hyperparameters that were not given are searched too."""
        return self._tune_new_entries

    @property
    def max_retries_per_trial(self) -> int:
        """How often a trial that failed is tried again."""
        return self._max_retries_per_trial

    @property
    def max_consecutive_failed_trials(self) -> int:
        """The number of trials that fail one after the other before the search ends."""
        return self._max_consecutive_failed_trials

    @property
    def directory(self) -> str | None:
        """The workspace of the tuner, or None."""
        return None if self._tuner is None else self._tuner.directory

    @property
    def project_name(self) -> str | None:
        """The name of the study, or None."""
        return None if self._tuner is None else self._tuner.project_name

    @property
    def tuner_ids(self) -> set[str]:
        """The name of the tuner."""
        return set() if self._tuner is None else {self._tuner.tuner_id}

    @property
    def multi_worker(self) -> bool:
        """Whether several processes train one trial: never."""
        return False

    @property
    def should_report(self) -> bool:
        """Whether this process reports results: always."""
        return True

    @property
    def verbose(self) -> int:
        """1: `search` has the argument `verbose`."""
        return 1

    @property
    def hyperparameters(self) -> Any:
        """The search space as a `keras_tuner.HyperParameters` with default values; a copy."""
        return self.get_space()

    def get_space(self) -> Any:
        """Return the search space as a `keras_tuner.HyperParameters` with default values.

        Before the search, it is discovered from the model function.
        """
        import keras_tuner

        if self._tuner is None:
            given = self._given_hyperparameters
            return keras_tuner.HyperParameters() if given is None else given.copy()
        space = self._tuner.searched_space
        return hyperparameters_of(space, space.defaults())

    @property
    def trials(self) -> dict[str, Any]:
        """All trials by their ids, as copies; see `get_trial`."""
        study = None if self._tuner is None else self._tuner.recorded_study()
        if study is None:
            return {}
        from eyetune.compat.keras_tuner.recorded_trials import recorded_trials

        trials = recorded_trials(study, self._max_trials)
        return {trial.trial_id: trial for trial in trials}

    @property
    def start_order(self) -> list[str]:
        """Ids of the trials in the order in which they started."""
        return list(self.trials)

    @property
    def end_order(self) -> list[str]:
        """Ids of the trials that ended, in the order in which they started."""
        return [trial_id for trial_id, trial in self.trials.items() if trial.status != "RUNNING"]

    @property
    def ongoing_trials(self) -> dict[str, Any]:
        """The trials that are being trained, by their ids."""
        return {
            trial_id: trial for trial_id, trial in self.trials.items() if trial.status == "RUNNING"
        }

    def get_trial(self, trial_id: str) -> Any:
        """Return a trial as a `keras_tuner.engine.trial.Trial` that cannot be changed.

        It has `score`, `status`, `metrics`, `hyperparameters`, `best_step`, `message`, `summary()`
        and `get_state()`. Its metrics are those of its best epoch, as in KerasTuner; all epochs are
        in `tuner.study.run(...)`.

        Args:
            trial_id: Its id.

        Raises:
            KeyError: There is no such trial.
        """
        return self.trials[trial_id]

    def get_best_trials(self, num_trials: int = 1) -> list[Any]:
        """Return the best trials, the best first; after them, trials without a result.

        Args:
            num_trials: Largest number of trials. Default: 1.
        """
        study = None if self._tuner is None else self._tuner.recorded_study()
        if study is None:
            return []
        from eyetune.compat.keras_tuner.recorded_trials import best_first, recorded_trials

        by_number = dict(enumerate(recorded_trials(study, self._max_trials)))
        return [by_number[trial.number] for trial in best_first(study)[:num_trials]]

    def remaining_trials(self) -> int | None:
        """Return the number of trials that are left; None if it is not limited."""
        if self._tuner is None:
            return self._max_trials
        return self._tuner.remaining_trials

    def get_state(self) -> dict[str, Any]:
        """Return the state of the search as values for JSON: its space, seed and trial ids."""
        return {
            "ongoing_trials": {trial_id: trial_id for trial_id in self.ongoing_trials},
            "hyperparameters": self.get_space().get_config(),
            "start_order": self.start_order,
            "end_order": self.end_order,
            "seed": self.seed,
        }

    def save(self) -> None:
        """Do nothing: everything is recorded in the workspace as it happens."""

    def reload(self) -> None:
        """Do nothing: every call reads the records."""

    def set_state(self, state: Any) -> NoReturn:  # noqa: ARG002
        """Refuse: the records are the state."""
        raise _refusal(
            "set_state", "Create a tuner with the project_name of the search to read, or import it."
        )

    def create_trial(self, tuner_id: str) -> NoReturn:  # noqa: ARG002
        """Refuse: the study creates its trials."""
        raise _refusal(
            "create_trial",
            "To try certain values: pass hyperparameters with Fixed entries to the tuner.",
        )

    def update_trial(self, trial_id: str, metrics: Any, step: int = 0) -> None:
        """Take the metrics of a step of a trial, while `run_trial` of a subclass runs it.

        Args:
            trial_id: Id of the trial.
            metrics: Values by name; those of the best step count.
            step: Number of the step.

        Raises:
            UsageError: The tuner does not run this trial itself.
        """
        if self._tuner is None or not self._tuner.takes_report(trial_id, metrics, step):
            raise _refusal("update_trial", "Return the metrics from HyperModel.fit or run_trial.")

    def end_trial(self, trial: Any) -> NoReturn:  # noqa: ARG002
        """Refuse: the study ends its trials."""
        raise _refusal(
            "end_trial",
            "Raise keras_tuner.errors.FailedTrialError in the trial to end it as failed.",
        )

    def populate_space(self, trial_id: str) -> NoReturn:  # noqa: ARG002
        """Refuse: a sampler of eyetune suggests the values."""
        raise _refusal("populate_space", _OTHER_SAMPLER)

    def score_trial(self, trial: Any) -> NoReturn:  # noqa: ARG002
        """Refuse: the objective is the score."""
        raise _refusal("score_trial", _OWN_SCORE)

    def update_space(self, hyperparameters: Any) -> NoReturn:  # noqa: ARG002
        """Refuse: the space follows from the model function."""
        raise _refusal(
            "update_space", "Pass hyperparameters to the tuner, or use more in the model function."
        )


_OTHER_SAMPLER = (
    f"Use one of {SAMPLERS}; eyetune.tune(..., sampler=...) has more samplers. To search with an "
    "algorithm of your own, keep KerasTuner for it and import its results: eyetune import."
)
_OWN_SCORE = (
    "Return the score from HyperModel.fit, as in {'my_score': value}, and name it: "
    'keras_tuner.Objective("my_score", "min").'
)
_READABLE = frozenset({"get_state", "save", "reload", "set_state"})


def _check_class(kind: type[Oracle]) -> None:
    """Refuse the base class, and classes that change what only a study can decide."""
    if kind is Oracle:
        raise UsageError("An oracle must suggest values.", expected=SAMPLERS, received="Oracle")
    for ancestor in kind.__mro__:
        if ancestor.__module__.startswith("eyetune."):
            return
        for name in vars(ancestor):
            if not name.startswith("_") and hasattr(Oracle, name) and name not in _READABLE:
                raise _overridden(kind, name)


def _overridden(kind: type[Oracle], name: str) -> UsageError:
    return UsageError(
        f"{kind.__name__} overrides {name}, which eyetune would never call.",
        expected=f"{SAMPLERS} as it is",
        received=f"{kind.__name__}.{name}",
        fix=_OWN_SCORE if name == "score_trial" else _OTHER_SAMPLER,
    )


def _check_entries(
    hyperparameters: Any, *, tune_new_entries: bool, allow_new_entries: bool
) -> None:
    if hyperparameters is not None and not hasattr(hyperparameters, "get_config"):
        raise ArgumentTypeError(
            "hyperparameters must be a keras_tuner.HyperParameters.",
            received=f"{hyperparameters!r:.60}",
        )
    flags = {"tune_new_entries": tune_new_entries, "allow_new_entries": allow_new_entries}
    for name, value in flags.items():
        if not value and hyperparameters is None:
            raise UsageError(
                f"{name}=False leaves nothing to tune.",
                fix="Pass hyperparameters too: those to tune.",
            )


def _refusal(name: str, fix: str) -> UsageError:
    return UsageError(
        f"tuner.oracle shows a search and cannot change it: {name} is not supported.", fix=fix
    )
