"""The search of a tuner whose trials are trained in worker processes: a study of eyetune.

The arguments of `search` are those of Keras's `fit`. A script that runs again resumes its search.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eyetune.api.study import Study
from eyetune.api.tune import tune
from eyetune.compat.keras_tuner.arguments import differences
from eyetune.data.array_store import GivenData
from eyetune.data.batches import is_batched
from eyetune.errors import EyetuneWarning, StudyChangedError, UsageError, nearest
from eyetune.recipe import Recipe
from eyetune.records.study import StudyRecord, StudyState
from eyetune.records.trial import TrialState
from eyetune.tuning.options import TuneOptions
from eyetune.values.samples import leaves

if TYPE_CHECKING:
    from eyetune.compat.keras_tuner.tuner import Tuner

DATA = ("x", "y")


def search_with_workers(
    tuner: Tuner, positional: tuple[Any, ...], named: Mapping[str, Any]
) -> Study:
    """Run or resume the search of a tuner in worker processes.

    Args:
        tuner: The tuner.
        positional: Arguments of `search` by position, in the order of `fit`.
        named: Arguments of it by name.

    Raises:
        UsageError: An argument is missing, or `fit` does not have it.
        StudyChangedError: The study of this name is a different search.
        FatalTrialError: The user's code ended the search.
        EyetuneError: The data cannot be used.
    """
    tuner.on_search_begin()
    study = _searched(tuner, **_by_name(tuner, positional, named))
    tuner.on_search_end()
    return study


def _searched(
    tuner: Tuner,
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
) -> Study:
    """Return the study of a search, which it runs or resumes unless it is complete.

    Args:
        tuner: The tuner.
        x: Inputs, exactly as the network gets them: an array with a sample in each row, of any
            shape and type, or tuples, lists and dictionaries of arrays; or a source of batches: a
            `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator with a length.
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
    _check(tuner, fit_arguments)
    recorded = tuner.recorded_study()
    options = _with_length(tuner, tuner.tune_options(epochs))
    if recorded is not None:
        if _is_done(tuner, recorded.record, options):
            print(f"The search {recorded.name} is complete; overwrite=True starts it again.")
            return recorded
        print(f"Resuming the search {recorded.name}; overwrite=True starts it again.")
    edits: dict[str, Any] = {"fit.epochs": options["max_epochs"]}
    if not is_batched(x):
        shape = getattr(next(leaves(x), None), "shape", None) or (0,)  # refused later
        num_samples = int(shape[0])
        if validation_data is None:
            num_samples = int(num_samples * (1 - validation_split))
        edits["fit.batch_size"] = max(1, min(batch_size or 32, num_samples))  # as Keras does
        _report_steps(fit_arguments, math.ceil(num_samples / edits["fit.batch_size"]))
    passed = {name: value for name, value in fit_arguments.items() if value is not None}
    try:
        return tune(
            tuner.model_function,
            x if is_batched(x) and y is None else GivenData(x, y, sample_weight),
            recipe=Recipe().with_(edits),
            fit_arguments=passed,
            validation_data=validation_data,
            validation_split=validation_split,
            name=tuner.project_name,
            resume=recorded is not None,
            workspace=tuner.workspace,
            progress=verbose != 0,
            **options,
        )
    except StudyChangedError as error:
        raise tuner.changed(error.received or error.message) from None


def _by_name(tuner: Tuner, positional: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `search` by name: those by position in the order of `fit`.

    Raises:
        UsageError: There are too many by position, or one is given twice.
    """
    names: tuple[str, ...] = DATA
    if len(positional) > len(DATA):
        names = _names_by_position(tuner)
    if len(positional) > len(names):
        raise UsageError(
            "There are more arguments by position than `fit` takes.",
            expected=f"at most {len(names)}: {', '.join(names)}",
            received=f"{len(positional)} arguments",
            fix="Pass them by name, as in search(x, y, epochs=5).",
        )
    by_position = dict(zip(names, positional, strict=False))
    twice = [name for name in by_position if name in named]
    if twice:
        raise UsageError(
            f"The argument {twice[0]} is given twice, by position and by name.",
            received=twice[0],
            fix="Give it once.",
        )
    return {**by_position, **named}


def _names_by_position(tuner: Tuner) -> tuple[str, ...]:
    """Return the arguments that `fit` takes by position, the data first."""
    import keras

    names = list(inspect.signature(keras.Model.fit).parameters)[1:]
    parameters = list(inspect.signature(tuner.hypermodel.fit).parameters.values())[2:]
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    own = [parameter.name for parameter in parameters if parameter.kind in by_position]
    passes_on = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
    names = [*own, *names[len(own) :]] if passes_on else own
    return (*DATA, *names[len(DATA) :])


def _check(tuner: Tuner, fit_arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that Keras's `fit` does not have, unless the HyperModel has its own."""
    import keras
    import keras_tuner

    if "initial_epoch" in fit_arguments:
        raise UsageError(
            "Each trial starts at its first epoch.", received="initial_epoch", fix="Leave it out."
        )
    names = inspect.signature(keras.Model.fit).parameters
    unknown = [name for name in fit_arguments if name not in names]
    if unknown and type(tuner.hypermodel).fit is keras_tuner.HyperModel.fit:
        raise UsageError(
            f"Keras's fit has no argument {unknown[0]}.",
            received=unknown[0],
            fix=nearest(unknown[0], names),
        )


def _report_steps(fit_arguments: Mapping[str, Any], num_batches: int) -> None:
    """Warn if an epoch has another number of steps than there are batches in the arrays."""
    steps = fit_arguments.get("steps_per_epoch")
    if steps is not None and steps != num_batches:
        warnings.warn(
            f"Each epoch takes {steps} of {num_batches} batches of a new order of the samples. "
            "Keras continues where the last epoch ended. To train on all samples in each epoch, "
            "leave steps_per_epoch out.",
            EyetuneWarning,
            stacklevel=2,
        )


def _with_length(tuner: Tuner, options: dict[str, Any]) -> dict[str, Any]:
    """Return options with the number of trials, where all combinations of values are tried.

    Raises:
        UsageError: There are infinitely many combinations.
    """
    if options.get("scheduler") == "hyperband" or options["trials"] is not None:
        return options
    num_combinations = tuner.space.size()
    if num_combinations is None and options["sampler"] != "grid":
        raise UsageError(
            "max_trials=None asks for all combinations of values, and there are too many.",
            expected="a number of trials",
            received="max_trials=None",
            fix="Pass max_trials, or give each range a step.",
        )
    return options | {"trials": num_combinations}


def _is_done(tuner: Tuner, record: StudyRecord, options: Mapping[str, Any]) -> bool:
    """Return whether a study is complete and has as many trials as the options demand.

    Raises:
        StudyChangedError: It is a different search.
    """
    if record.state is not StudyState.COMPLETE:
        return False
    changes = [
        *record.settings.space.difference(tuner.space),
        *differences(record.settings, TuneOptions(**options)),
    ]
    if changes:
        raise tuner.changed("; ".join(changes))
    num_trials = options.get("trials")
    if num_trials is None or num_trials == record.settings.budget.trials:
        return True
    trials = tuner.workspace.studies.trials(record.id)
    num_tried = sum(trial.state is not TrialState.INFEASIBLE for trial in trials)
    return bool(num_trials <= num_tried)
