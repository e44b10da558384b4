"""When a tuner has to run its trials in this process, and the search that does.

A user's subclass overrides what happens in a trial, or a hypermodel trains a model that is not
compiled: then only `run_trial` knows what a trial is. All other searches use worker processes.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eyetune.api.study import Study
from eyetune.compat.keras_tuner.arguments import differences
from eyetune.compat.keras_tuner.hyperparameters import as_hypermodel
from eyetune.compat.keras_tuner.trial_methods import overrides
from eyetune.errors import EyetuneWarning, UsageError
from eyetune.records.study import StudyState
from eyetune.space.space import Space
from eyetune.tracking.follow import follow
from eyetune.tuning.declared_options import budget_of
from eyetune.tuning.options import TuneOptions

if TYPE_CHECKING:
    from eyetune.compat.keras_tuner.tuner import Tuner

COSTS = (
    "This means: one trial at a time, without a limit on its memory; a crash ends the search, and "
    "an interrupted trial starts again."
)


def reason_to_stay(tuner: Tuner) -> str:
    """Return why a tuner has to run its trials in this process; "" if it need not."""
    names = overrides(tuner)
    if names:
        return f"{type(tuner).__name__} overrides {', '.join(names)}"
    if _trains_uncompiled_model(tuner):
        return "HyperModel.fit trains a model that is not compiled"
    return ""


def _trains_uncompiled_model(tuner: Tuner) -> bool:
    import keras_tuner

    hypermodel = tuner.hypermodel
    if type(hypermodel).fit is keras_tuner.HyperModel.fit:
        return False
    given = tuner.oracle.given_hyperparameters
    model = hypermodel.build(keras_tuner.HyperParameters() if given is None else given.copy())
    return getattr(model, "compiled", True) is False


def space_here(tuner: Tuner) -> Space:
    """Return the space of a tuner that runs its trials itself, as far as it is known before."""
    from eyetune.models.model_function import discover_in, space_of

    if tuner.model_function is not None:
        return discover_in(as_hypermodel(tuner.model_function))
    given = tuner.oracle.given_hyperparameters
    return Space() if given is None else space_of(given)


def search_here(tuner: Tuner, positional: tuple[Any, ...], named: Mapping[str, Any]) -> Study:
    """Run or resume the search of a tuner in this process.

    Args:
        tuner: The tuner, with its `reason_to_stay`.
        positional: Arguments of `search` by position, for `run_trial`.
        named: Arguments of it by name.

    Raises:
        StudyChangedError: The study of this name is a different search.
        UsageError: A trial returned something else than metrics with the objective.
        TrainingError: Too many trials failed, or all of them.
    """
    from eyetune.compat.keras_tuner.own_trials import (
        ENGINE,
        Arguments,
        create_study,
        own_limits,
        search_own_trials,
    )
    from eyetune.report.progress.study_progress import StudyDisplay
    from eyetune.training.backend import start_keras

    if tuner.options(1).workers:
        raise UsageError(
            f"{tuner.reason_to_stay}, which needs the process of the tuner.",
            expected="workers=0",
            received=f"workers={tuner.options(1).workers}",
            fix="Leave workers out.",
        )
    start_keras()
    options = tuner.options(int(named.get("epochs") or 1))
    workspace = tuner.workspace
    workspace.prepare()
    recorded = tuner.recorded_study()
    if recorded is not None:
        changes = differences(recorded.record.settings, options)
        changes += recorded.record.settings.space.difference(tuner.space)
        if recorded.record.settings.engine != ENGINE:
            changes.append("its trials were trained in worker processes")
        if changes:
            raise tuner.changed("; ".join(changes))
        if _is_done(recorded, options):
            print(f"The search {recorded.name} is complete; overwrite=True starts it again.")
            return recorded
        print(f"Resuming the search {recorded.name}; overwrite=True starts it again.")
        settings = recorded.record.settings.model_copy(
            update={"budget": budget_of(options), "limits": own_limits(tuner)}
        )
        record = recorded.record.model_copy(update={"settings": settings})
    else:
        record = create_study(tuner, options, tuner.space)
    warnings.warn(
        f"{tuner.reason_to_stay}, so the trials run in this process. {COSTS}",
        EyetuneWarning,
        stacklevel=3,
    )
    with follow(workspace, options.trackers), workspace.studies.claim(record.id):
        trials = workspace.studies.trials(record.id)
        with StudyDisplay(record, trials, enabled=named.get("verbose", 1) != 0) as display:
            record = search_own_trials(tuner, record, Arguments(positional, named), display)
    return Study(workspace, record)


def _is_done(study: Study, options: TuneOptions) -> bool:
    """Return whether a study is complete and has as many trials as the tuner asks for."""
    if study.record.state is not StudyState.COMPLETE:
        return False
    return options.trials is None or options.trials <= len(study.trials)
