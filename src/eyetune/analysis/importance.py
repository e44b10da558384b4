"""How much each hyperparameter mattered in a study."""

from __future__ import annotations

from collections.abc import Sequence

from eyetune.space.encoding import axes, numbers, quiet_optuna
from eyetune.space.space import Space, Values

MIN_TRIALS = 10  # of a study; the best tenth of them is compared with all
MIN_TRIALS_OF_ONE = 5  # trials that have a hyperparameter

Trials = Sequence[tuple[Values, float]]


def importances(space: Space, trials: Trials) -> dict[str, float]:
    """Tell for each hyperparameter how much it had to do with being among the best tenth of the
    trials.

    This is PED-ANOVA, by Optuna: how far the values of the best differ from those of all trials.
    Hyperparameters that count in some trials only are weighed by how many these are.

    Args:
        space: The hyperparameters.
        trials: The values of each finished trial, and its objective, of which higher is better
            (`Objective.oriented`).

    Returns:
        Shares that sum to 1, the largest first, without those that `left_out` names; nothing where
        there are too few trials, or all came out the same.

    Reference:
        Watanabe, Bansal and Hutter, 2023, PED-ANOVA (arXiv:2304.10255).

    Example:
        >>> from eyetune.space.space import Range
        >>> space = Space.make([Range(name=name, low=0.0, high=1.0, whole=False) for name in ("rate", "idle")])
        >>> trials = [({"rate": i / 40, "idle": i * 7 % 40 / 40}, -abs(i / 40 - 0.5)) for i in range(40)]
        >>> list(importances(space, trials))
        ['rate', 'idle']
    """
    import optuna

    known = _placed(space, trials)
    judged = [one.name for one in space.distributions if one.name not in left_out(space, trials)]
    if not judged or len({objective for _, objective in known}) < 2:
        return {}
    distributions = {name: axis.distribution() for name, axis in axes(space).items()}
    with quiet_optuna():
        study = optuna.create_study(direction="maximize")
        for found, objective in known:
            here = {name: distributions[name] for name in found}
            study.add_trial(optuna.create_trial(params=found, distributions=here, value=objective))
        shares = optuna.importance.get_param_importances(study, params=judged)
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def left_out(space: Space, trials: Trials) -> dict[str, str]:
    """Say of each hyperparameter whose importance cannot be told why that is.

    Example:
        >>> from eyetune.space.space import Choice
        >>> left_out(Space.make([Choice(name="units", values=(32,))]), [({"units": 32}, 0.5)] * 20)
        {'units': 'it has one value only'}
    """
    known = _placed(space, trials)
    reasons: dict[str, str] = {}
    for name, axis in axes(space).items():
        having = sum(name in found for found, _ in known)
        if axis.low == axis.high:
            reasons[name] = "it has one value only"
        elif len(known) < MIN_TRIALS:
            reasons[name] = f"only {len(known)} trials are finished; {MIN_TRIALS} are needed"
        elif having < MIN_TRIALS_OF_ONE:
            reasons[name] = f"only {having} of the trials have it; {MIN_TRIALS_OF_ONE} are needed"
    return reasons


def _placed(space: Space, trials: Trials) -> list[tuple[dict[str, int | float], float]]:
    """Return the trials as numbers, without those that have a value beyond the space or came to no
    number.
    """
    known = axes(space)
    pairs = ((numbers(space, known, values), objective) for values, objective in trials)
    return [
        (found, objective)
        for found, objective in pairs
        if found is not None and _is_finite(objective)
    ]


def _is_finite(objective: float) -> bool:
    return abs(objective) < float("inf")  # NaN is not below anything
