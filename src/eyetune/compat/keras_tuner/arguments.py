"""The arguments of KerasTuner's tuners: their translation for `tune`, and refusals."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from inspect import Parameter
from typing import Any

from eyetune.errors import ArgumentTypeError, UsageError, nearest
from eyetune.records.study import Constraint, StudySettings
from eyetune.tuning.declared_options import texts_of
from eyetune.tuning.objectives import (
    BEFORE_TRAINING,
    INT8_ACCURACY,
    SECONDS,
    constraints_of,
    read_objective,
)
from eyetune.tuning.options import TuneOptions

FIT_ARGUMENTS = (
    "batch_size",
    "callbacks",
    "class_weight",
    "epochs",
    "sample_weight",
    "shuffle",
    "steps_per_epoch",
    "validation_data",
    "validation_split",
    "verbose",
)
HINTS = {
    "max_epochs": "Pass epochs to search, or use Hyperband.",
    "max_trials": "Hyperband plans its trials from max_epochs, factor and hyperband_iterations. "
    'For another number: eyetune.tune(..., scheduler="hyperband", trials=20).',
}
ONE_DEVICE = (
    "Leave it out: each trial trains on one device, and trials run side by side (workers=2)."
)
WITHOUT_OBJECTIVE = "default_objective"  # KerasTuner's name for the number that `fit` returns


def refuse_unknown(kind: type, unknown: Mapping[str, Any]) -> None:
    """Raise UsageError for arguments that a tuner does not have.

    Args:
        kind: Class of the tuner.
        unknown: Arguments by name.

    Raises:
        UsageError: There is one; the error suggests what to do.
    """
    for name, value in unknown.items():
        fix = HINTS.get(name)
        if name in FIT_ARGUMENTS:
            fix = f"Pass it to search: tuner.search(..., {name}=...)."
        raise UsageError(
            f"{kind.__name__} has no argument {name}.",
            received=f"{name}={value!r:.60}",
            fix=fix or nearest(name, argument_names(kind)),
        )


def argument_names(kind: type) -> list[str]:
    """Return the arguments of a tuner by name: its own, then those of its base classes.

    Example:
        >>> from eyetune.compat.keras_tuner.tuners import GridSearch
        >>> argument_names(GridSearch)[:3]
        ['hypermodel', 'objective', 'max_trials']
    """
    names: list[str] = []
    for ancestor in kind.__mro__:
        function = vars(ancestor).get("__init__")
        if inspect.isfunction(function):
            parameters = list(inspect.signature(function).parameters.values())[1:]
            named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
            names += [parameter.name for parameter in parameters if parameter.kind in named]
    has_own_oracle = "objective" in names
    return [name for name in dict.fromkeys(names) if name != "oracle" or not has_own_oracle]


def check_strategy(strategy: Any) -> None:
    """Refuse a distribution strategy that changes how a trial is trained.

    A worker trains on the first device, as a strategy with this device alone does.

    Args:
        strategy: A `tf.distribute.Strategy`, or None.

    Raises:
        UsageError: It has several devices, or another one.
    """
    if strategy is None:
        return
    extended = getattr(strategy, "extended", None)
    devices = [str(device) for device in getattr(extended, "worker_devices", ())]
    if extended is None or not devices:
        raise ArgumentTypeError(
            "distribution_strategy must be a tf.distribute.Strategy.",
            received=f"{strategy!r:.60}",
            fix=ONE_DEVICE,
        )
    if len(devices) > 1 or getattr(strategy, "num_replicas_in_sync", 1) > 1:
        raise UsageError(
            "Workers cannot train a trial on several devices.",
            expected="a strategy with one device",
            received=", ".join(devices),
            fix=ONE_DEVICE,
        )
    if devices[0].upper().rpartition("DEVICE:")[2] != _first_device():
        raise UsageError(
            "Workers train on the first device that TensorFlow sees.",
            expected=_first_device(),
            received=devices[0],
            fix="Leave distribution_strategy out, and choose the device with the environment "
            "variable CUDA_VISIBLE_DEVICES; an empty one leaves the processor.",
        )


def _first_device() -> str:
    import tensorflow as tf  # the user of a strategy has imported it

    return "GPU:0" if tf.config.list_physical_devices("GPU") else "CPU:0"


def check_not_distributed(environment: Mapping[str, str]) -> None:
    """Refuse to be one of the processes of KerasTuner's distributed search.

    Raises:
        UsageError: The environment says that this process is one.
    """
    names = ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
    given = [name for name in names if environment.get(name)]
    if given:
        raise UsageError(
            "eyetune does not take part in KerasTuner's distributed search.",
            received=", ".join(given),
            fix="Run the script once, without these variables: one process trains as many trials "
            "at a time as it has workers (workers=4). On a cluster: eyetune.tune(..., "
            'executor="ray").',
        )


def objective_texts(objective: Any) -> tuple[str, ...]:
    """Return an objective of KerasTuner as texts for `tune`.

    Args:
        objective: A name, a `keras_tuner.Objective`, or a list of them; None for the number that
            `HyperModel.fit` returns.

    Raises:
        UsageError: It is none of these, or its direction is unknown.

    Example:
        >>> objective_texts(["val_loss", "parameters"])
        ('val_loss:min', 'parameters:min')
    """
    if objective is None:
        return (f"{WITHOUT_OBJECTIVE}:min",)
    objectives = objective if isinstance(objective, list | tuple) else [objective]
    if not objectives:
        raise UsageError("The objectives are empty.", expected="one or more names or objectives")
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
        "executions": (options.executions or 1, recorded.schedule.executions),
        "initial_points": (options.initial_points, recorded.sampling.initial_points),
        "gp_alpha": (options.gp_alpha, recorded.sampling.alpha),
        "gp_beta": (options.gp_beta, recorded.sampling.beta),
        "constraints": (_texts(constraints_of(options, "")), _texts(recorded.constraints)),
    }
    return [
        f"{name}: {_text(old)} became {_text(new)}"
        for name, (new, old) in compared.items()
        if new != old
    ]


def _texts(constraints: Iterable[Constraint]) -> tuple[str, ...]:
    return tuple(map(str, constraints))


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
