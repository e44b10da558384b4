"""What a tuner of KerasTuner's is told, in our words; and what it may be told there and not here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eyetune.errors import UsageError, nearest
from eyetune.records.study import StudySettings
from eyetune.tuning.objectives import BEFORE_TRAINING, SECONDS

COMPILE = "Compile the model in build_model with it."
INSTEAD = {
    "optimizer": COMPILE,
    "loss": COMPILE,
    "metrics": COMPILE,
    "distribution_strategy": "Trials run side by side: workers=2.",
    "tuner_id": "Trials run side by side: workers=2.",
    "logger": "Everything is recorded: `eyetune study`, or `tuner.study`.",
    "num_initial_points": "Leave it out: the sampler chooses it.",
    "alpha": "Leave it out: the sampler learns how noisy the objective is.",
    "beta": "Leave it out: the sampler weighs what is unknown itself.",
    "allow_new_entries": "Leave it out; tune_new_entries=False keeps new hyperparameters at their defaults.",
    "executions_per_trial": "Leave it out. To see how much chance does: tuner.study.retrain(seed=1), seed=2, ...",
}


def refuse(others: Mapping[str, Any]) -> None:
    """Refuse arguments of a tuner that are none, or that mean nothing here, and say what to do
    instead.

    Raises:
        UsageError: One of them is; a value that changes nothing is not.
    """
    neutral = {"executions_per_trial": 1, "allow_new_entries": True, "alpha": 1e-4, "beta": 2.6}
    for name, value in others.items():
        if name not in INSTEAD:
            known = (
                "objective",
                "max_trials",
                "max_epochs",
                "directory",
                "project_name",
                "overwrite",
                "workers",
            )
            raise UsageError(
                f"A tuner has no argument {name}.", received=name, fix=nearest(name, known)
            )
        if value is not None and value != neutral.get(name):
            raise UsageError(
                f"{name} means nothing here.", received=f"{name}={value!r:.60}", fix=INSTEAD[name]
            )


def objective_words(objective: Any) -> tuple[str, ...]:
    """Return an objective of KerasTuner's in the words of `tune`.

    Args:
        objective: A name, a `keras_tuner.Objective`, or a list of them.

    Raises:
        UsageError: There is none, or its direction is not known.

    Example:
        >>> objective_words(["val_loss", "parameters"])
        ('val_loss:min', 'parameters:min')
    """
    if objective is None:
        raise UsageError(
            "A tuner needs an objective.",
            expected='objective="val_accuracy", a keras_tuner.Objective, or a list of them',
            fix='Let a HyperModel.fit of your own return {"my_score": value}, and name it: '
            'keras_tuner.Objective("my_score", "min").',
        )
    several = objective if isinstance(objective, list | tuple) else [objective]
    return tuple(_objective(one) for one in several)


def _objective(one: Any) -> str:
    if hasattr(one, "name") and hasattr(one, "direction"):
        return f"{one.name}:{one.direction}"
    if not isinstance(one, str):
        raise UsageError(
            "An objective cannot be used.",
            expected="a name or a keras_tuner.Objective",
            received=f"{one!r:.60}",
        )
    if one in (*BEFORE_TRAINING, SECONDS):
        return f"{one}:min"
    if ":" in one:
        return one
    from keras_tuner.engine.metrics_tracking import infer_metric_direction

    direction = infer_metric_direction(one)
    if direction is None:
        raise UsageError(
            f"Whether {one} is better high or low is not known.",
            received=one,
            fix=f'keras_tuner.Objective("{one}", direction="max"), or "min".',
        )
    return f"{one}:{direction}"


def differences(before: StudySettings, asked: Mapping[str, Any]) -> list[str]:
    """Say in words where a search is asked for otherwise than it was, its space and its images left
    aside.

    Args:
        before: The settings of the study.
        asked: Words of `tune`.
    """
    seed = asked["seed"]
    compared = {
        "objective": (
            asked["objective"],
            tuple(f"{one.name}:{one.direction}" for one in before.objectives),
        ),
        "sampler": (asked["sampler"], before.sampler),
        "schedule": (asked.get("schedule", "full"), before.schedule.name),
        "epochs": (asked["max_epochs"], before.schedule.max_epochs),
        "factor": (asked.get("factor", before.schedule.factor), before.schedule.factor),
        "seed": (0 if seed is None else seed, before.seed),
    }
    return [
        f"{name}: {_shown(old)} became {_shown(new)}"
        for name, (new, old) in compared.items()
        if new != old
    ]


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
