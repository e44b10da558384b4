"""What a tuner returns and prints of its search: hyperparameters, networks and summaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eyetune.api.run import Run
from eyetune.compat.keras_tuner.hyperparameters import hyperparameters_of_trial
from eyetune.compat.keras_tuner.trial_methods import overrides_load_model
from eyetune.errors import UsageError
from eyetune.records.trial import TrialState

if TYPE_CHECKING:
    from eyetune.compat.keras_tuner.tuner import Tuner


def best_hyperparameters(tuner: Tuner, num_trials: int) -> list[Any]:
    """Return the `keras_tuner.HyperParameters` of the best trials; see `Tuner`."""
    from eyetune.compat.keras_tuner.recorded_trials import best_first

    study = tuner.study
    trials = best_first(study)[:num_trials]
    return [hyperparameters_of_trial(study.record, trial) for trial in trials]


def best_models(tuner: Tuner, num_models: int) -> list[Any]:
    """Return the networks of the best trials; see `Tuner`.

    Raises:
        UsageError: Fewer networks are kept.
    """
    if tuner.reason_to_stay or overrides_load_model(tuner):
        return [tuner.load_model(trial) for trial in tuner.oracle.get_best_trials(num_models)]
    runs = _kept_runs(tuner, num_models)
    if len(runs) < num_models:
        raise UsageError(
            f"Study {tuner.study.name} does not keep that many networks.",
            expected=f"at most {len(runs)} networks" if runs else "a search with a result",
            received=f"num_models={num_models}",
            fix="get_best_hyperparameters has the values of all; build and train one of them.",
        )
    return [run.model() for run in runs]


def _kept_runs(tuner: Tuner, num_models: int) -> list[Run]:
    """Return the runs of the best trials whose networks are kept, at most `num_models`."""
    runs: list[Run] = []
    for trial in tuner.study.best(len(tuner.study.trials)):
        if trial.run is None or len(runs) == num_models:
            continue
        run = tuner.study.run(trial)
        if run.has_network:
            runs.append(run)
        elif trial.state is TrialState.COMPLETE:
            break
    return runs


def model_of_trial(tuner: Tuner, trial: Any) -> Any:
    """Return the network of a trial of the oracle; see `Tuner.load_model`.

    Raises:
        UsageError: It is not kept.
    """
    if tuner.reason_to_stay:
        from eyetune.compat.keras_tuner.trial_training import trained_model

        return trained_model(tuner, trial)
    number = int(trial.trial_id)
    record = next(each for each in tuner.study.trials if each.number == number)
    if record.run is None or not tuner.study.run(record).has_network:
        raise UsageError(
            f"The network of trial {trial.trial_id} is not kept.",
            expected="a trial that is among the best and was trained to the end",
            received=f"trial {trial.trial_id}: {record.state}",
            fix="Build and train it again: tuner.hypermodel.build(trial.hyperparameters).",
        )
    return tuner.study.run(record).model()


def print_space(tuner: Tuner) -> None:
    """Print the search space as KerasTuner does."""
    entries = tuner.oracle.get_space().space
    print("Search space summary")
    print(f"Default search space size: {len(entries)}")
    for entry in entries:
        config = entry.get_config()
        print(f"{config.pop('name')} ({type(entry).__name__})")
        print(config)


def print_results(tuner: Tuner, num_trials: int) -> None:
    """Print the best trials as KerasTuner does, and after them those without a result."""
    print("Results summary")
    print(f"Results in {tuner.study.folder}")
    print(f"Showing {num_trials} best trials")
    print(tuner.oracle.objective)
    for trial in tuner.oracle.get_best_trials(num_trials):
        print()
        trial.summary()
