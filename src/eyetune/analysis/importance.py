"""Importance of hyperparameters: how much each one mattered in a study."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eyetune.space.encoding import axes, numbers, quiet_optuna
from eyetune.space.hyperparameters import Values
from eyetune.space.space import Space

MIN_TRIALS = 10  # of a study: its best tenth is compared with all trials
MIN_TRIALS_WITH_VALUE = 5  # that use a hyperparameter

Trials = Sequence[tuple[Values, float]]


def importances(space: Space, trials: Trials) -> dict[str, float]:
    """Return how much each hyperparameter decided whether a trial is among the best tenth.

    This is Optuna's PED-ANOVA: how far the values of the best trials differ from those of all
    trials. Hyperparameters that only some trials use are weighted by the number of these.

    Source: Watanabe, Bansal and Hutter, 2023, PED-ANOVA (arXiv:2304.10255).

    Args:
        space: The hyperparameters.
        trials: For each finished trial the values that it used, and its objective, where higher is
            better (`Objective.oriented`).

    Returns:
        Shares that sum to 1, the largest first, without the hyperparameters that `left_out` names;
        empty if there are too few trials or all have the same objective.

    Example:
        >>> from eyetune.space.hyperparameters import Range
        >>> names = ("rate", "idle")
        >>> space = Space.make([Range(name=n, low=0.0, high=1.0, whole=False) for n in names])
        >>> values = [{"rate": i / 40, "idle": i * 7 % 40 / 40} for i in range(40)]
        >>> trials = [(value, -abs(value["rate"] - 0.5)) for value in values]
        >>> list(importances(space, trials))
        ['rate', 'idle']
    """
    import optuna

    encoded = _encoded(space, trials)
    unknown = left_out(space, trials)
    judged = [name for name in space.names if name not in unknown]
    if not judged or len({objective for _, objective in encoded}) < 2:
        return {}
    distributions = {name: axis.distribution() for name, axis in axes(space).items()}
    with quiet_optuna():
        study = optuna.create_study(direction="maximize")
        for params, objective in encoded:
            used = {name: distributions[name] for name in params}
            trial = optuna.create_trial(params=params, distributions=used, value=objective)
            study.add_trial(trial)
        shares = optuna.importance.get_param_importances(study, params=judged)
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def left_out(space: Space, trials: Trials) -> dict[str, str]:
    """Return the hyperparameters whose importance is unknown, each with the reason.

    Args:
        space: The hyperparameters.
        trials: For each finished trial its values and its objective, as in `importances`.

    Example:
        >>> from eyetune.space.hyperparameters import Choice
        >>> left_out(Space.make([Choice(name="units", values=(32,))]), [({"units": 32}, 0.5)] * 20)
        {'units': 'it has only one value'}
    """
    encoded = _encoded(space, trials)
    reasons: dict[str, str] = {}
    for name, axis in axes(space).items():
        num_using = sum(name in params for params, _ in encoded)
        if axis.low == axis.high:
            reasons[name] = "it has only one value"
        elif len(encoded) < MIN_TRIALS:
            reasons[name] = f"only {len(encoded)} trials are finished; {MIN_TRIALS} are needed"
        elif num_using < MIN_TRIALS_WITH_VALUE:
            reasons[name] = f"only {num_using} trials use it; {MIN_TRIALS_WITH_VALUE} are needed"
    return reasons


def _encoded(space: Space, trials: Trials) -> list[tuple[dict[str, int | float], float]]:
    """Return the trials as numbers, without those outside the space or without a finite result."""
    space_axes = axes(space)
    encoded = []
    for values, objective in trials:
        params = numbers(space, space_axes, values)
        if params is not None and math.isfinite(objective):
            encoded.append((params, objective))
    return encoded
