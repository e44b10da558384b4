"""The arguments of KerasTuner's tuners: their translation for `tune`, and unsupported ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eyetune.errors import UsageError, nearest
from eyetune.records.study import StudySettings
from eyetune.tuning.declared_options import texts_of
from eyetune.tuning.objectives import BEFORE_TRAINING, INT8_ACCURACY, SECONDS, read_objective
from eyetune.tuning.options import TuneOptions

TUNER_ARGUMENTS = (
    "objective",
    "max_trials",
    "max_epochs",
    "directory",
    "project_name",
    "overwrite",
    "workers",
)
COMPILE = "Compile the model in build_model with it."
PARALLEL = "Trials are trained in parallel: workers=2."
INSTEAD = {
    "optimizer": COMPILE,
    "loss": COMPILE,
    "metrics": COMPILE,
    "distribution_strategy": PARALLEL,
    "tuner_id": PARALLEL,
    "logger": "Everything is recorded: `eyetune study`, or `tuner.study`.",
    "num_initial_points": "Leave it out: the sampler chooses it.",
    "alpha": "Leave it out: the sampler learns how noisy the objective is.",
    "beta": "Leave it out: the sampler chooses how much to explore.",
    "allow_new_entries": "Leave it out; tune_new_entries=False leaves new hyperparameters alone.",
    "executions_per_trial": "Leave it out. To see chance at work: tuner.study.retrain(seed=1)",
}


def refuse(others: Mapping[str, Any]) -> None:
    """Raise UsageError for arguments that no tuner has or that eyetune does not support.

    Args:
        others: Arguments by name. A value that changes nothing is accepted.

    Raises:
        UsageError: An argument is unknown or not supported; the error suggests what to do.
    """
    neutral = {"executions_per_trial": 1, "allow_new_entries": True, "alpha": 1e-4, "beta": 2.6}
    for name, value in others.items():
        if name not in INSTEAD:
            raise UsageError(
                f"A tuner has no argument {name}.",
                received=name,
                fix=nearest(name, TUNER_ARGUMENTS),
            )
        if value is not None and value != neutral.get(name):
            raise UsageError(
                f"eyetune does not support {name}.",
                received=f"{name}={value!r:.60}",
                fix=INSTEAD[name],
            )


def objective_texts(objective: Any) -> tuple[str, ...]:
    """Return an objective of KerasTuner as texts for `tune`.

    Args:
        objective: A name, a `keras_tuner.Objective`, or a list of them.

    Raises:
        UsageError: There is none, or its direction is unknown.

    Example:
        >>> objective_texts(["val_loss", "parameters"])
        ('val_loss:min', 'parameters:min')
    """
    if objective is None:
        raise UsageError(
            "A tuner needs an objective.",
            expected='objective="val_accuracy", a keras_tuner.Objective, or a list of them',
            fix='Return {"my_score": value} from HyperModel.fit, and name it: '
            'keras_tuner.Objective("my_score", "min").',
        )
    objectives = objective if isinstance(objective, list | tuple) else [objective]
    return tuple(_objective_text(single) for single in objectives)


def _objective_text(objective: Any) -> str:
    if hasattr(objective, "name") and hasattr(objective, "direction"):
        return f"{objective.name}:{objective.direction}"
    if not isinstance(objective, str):
        raise UsageError(
            "The objective is invalid.",
            expected="a name or a keras_tuner.Objective",
            received=f"{objective!r:.60}",
        )
    if objective in (*BEFORE_TRAINING, SECONDS, INT8_ACCURACY):
        return f"{objective}:{read_objective(objective).direction}"
    if ":" in objective:
        return objective
    from keras_tuner.engine.metrics_tracking import infer_metric_direction

    direction = infer_metric_direction(objective)
    if direction is None:
        raise UsageError(
            f"The direction of {objective} is unknown.",
            received=objective,
            fix=f'keras_tuner.Objective("{objective}", direction="max"), or "min".',
        )
    return f"{objective}:{direction}"


def differences(recorded: StudySettings, options: TuneOptions) -> list[str]:
    """Return the differences between a search and its record, except for space and images.

    Arguments that are not given have their defaults, as in KerasTuner.

    Args:
        recorded: Settings of the study.
        options: The requested options.
    """
    objectives = tuple(
        f"{objective.name}:{objective.direction}" for objective in recorded.objectives
    )
    factor = recorded.schedule.factor if options.factor is None else options.factor
    compared = {
        "objective": (texts_of("objective", options.objective), objectives),
        "sampler": (options.sampler, recorded.sampler),
        "scheduler": (options.scheduler or "full", recorded.schedule.name),
        "max_epochs": (options.max_epochs, recorded.schedule.max_epochs),
        "factor": (factor, recorded.schedule.factor),
        "seed": (options.seed or 0, recorded.seed),
    }
    return [
        f"{name}: {_text(old)} became {_text(new)}"
        for name, (new, old) in compared.items()
        if new != old
    ]


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
