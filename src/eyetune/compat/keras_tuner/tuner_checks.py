"""What a tuner refuses when it is created, before anything is searched."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from eyetune.api.tune_arguments import check_arguments
from eyetune.compat.keras_tuner.oracle import SAMPLERS, Oracle
from eyetune.compat.keras_tuner.oracles import HyperbandOracle
from eyetune.errors import ArgumentTypeError, UsageError
from eyetune.records.study import SamplerSettings, SchedulerSettings
from eyetune.tuning.declared_options import budget_of, limits_of, recorded_section
from eyetune.tuning.options import TuneOptions
from eyetune.tuning.settings import check_options


def check_oracle(oracle: Any) -> None:
    """Refuse an oracle that is not one of eyetune's.

    Raises:
        ArgumentTypeError: It is not.
    """
    if isinstance(oracle, Oracle):
        return
    kind = type(oracle)
    fix = f"Pass one of {SAMPLERS} of eyetune.compat.keras_tuner.oracles."
    if kind.__module__.startswith("keras_tuner."):
        fix = f"Import {kind.__name__} from eyetune.compat.keras_tuner.oracles."
    raise ArgumentTypeError(
        "The oracle of a tuner must be one of eyetune's.",
        expected=SAMPLERS,
        received=f"{kind.__module__}.{kind.__name__}",
        fix=fix,
    )


def check_hypermodel(hypermodel: Any) -> None:
    """Refuse a missing model function.

    Raises:
        UsageError: There is none.
    """
    if hypermodel is None:
        raise UsageError(
            "A tuner needs a model function.", expected="build_model(hp) or a HyperModel"
        )


def check_objective(hypermodel: Any, oracle: Oracle) -> None:
    """Refuse to search without an objective, unless the user's `fit` returns it.

    Raises:
        UsageError: There is none, or trials are compared before `fit` returns it.
    """
    if oracle.has_objective:
        return
    if not _has_own_fit(hypermodel):
        raise UsageError(
            "A tuner needs an objective.",
            expected='objective="val_accuracy", a keras_tuner.Objective, or a list of them',
            fix="Name a metric. Or return one number, which is minimized, from HyperModel.fit.",
        )
    if isinstance(oracle, HyperbandOracle):
        raise UsageError(
            "Hyperband compares trials before their `fit` returns the objective.",
            expected='a metric of each epoch, as in objective="val_accuracy"',
            fix="Name a metric, or use RandomSearch.",
        )


def _has_own_fit(hypermodel: Any) -> bool:
    """Return whether a hypermodel has its own `fit`, whose result may be the objective."""
    if isinstance(hypermodel, str | Path) or not hasattr(hypermodel, "fit"):
        return False
    import keras_tuner

    kind = hypermodel if inspect.isclass(hypermodel) else type(hypermodel)
    return getattr(kind, "fit", None) is not keras_tuner.HyperModel.fit


def size_limit(max_model_size: int | None) -> str | None:
    """Return KerasTuner's limit on trainable parameters as a constraint; 0 is no limit, as there.

    Raises:
        UsageError: It is not a whole number, or negative.
    """
    if not max_model_size:
        return None
    is_whole = isinstance(max_model_size, int) and not isinstance(max_model_size, bool)
    if not is_whole or max_model_size < 0:
        raise UsageError(
            "max_model_size is out of its range.",
            expected="a whole number of parameters, 1 or more",
            received=repr(max_model_size),
        )
    return f"trainable_parameters <= {max_model_size}"


def check_ranges(options: TuneOptions) -> None:
    """Refuse values out of their range when a tuner is created, not when it searches.

    Raises:
        UsageError: There is one.
    """
    check_arguments(options)
    check_options(options)
    budget_of(options)
    limits_of(options)
    recorded_section(options, "schedule", SchedulerSettings)
    recorded_section(options, "sampling", SamplerSettings)
