"""How the time of a study is divided: more trials, or a longer training of the best network.

A trial costs time, and the final training ends with a lower accuracy for it. Another trial is worth
this if the gain that can be expected of it is greater. Both are estimated from what the study has
measured; before that, from the portfolio's measurements and from what is usual.

- *The end of a trial* is predicted from its accuracy at its last rung, where its schedule has
  ended. The error falls with more epochs as it does for a network of the portfolio, in proportion.
  How many epochs the final training has depends on the time that an epoch of this trial takes.
- *The gain of another trial* is the expected improvement of Jones et al., 1998
  (https://doi.org/10.1023/A:1008306431147), for a trial drawn like those before. What varies by
  chance, since the validation images are few and short trainings predict long ones imperfectly,
  counts only in part.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from eyetune.analysis.metrics import standard_error
from eyetune.data import AnyDataset, Dataset
from eyetune.records.study import StudyRecord, StudySettings
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.space.hyperparameters import Values
from eyetune.space.portfolio import Entry, load_portfolio
from eyetune.tuning.final_training import MAX_FINAL_EPOCHS, OVERHEAD_SECONDS, final_trial
from eyetune.tuning.trials import next_trial_number

# What is assumed before the first results, and given the weight of this many trials: another point
# near a good recipe is a little worse than it, on average.
PRIOR_WEIGHT = 3.0
PRIOR_MEAN = -0.01  # of the accuracy, relative to the first recipe
PRIOR_DEVIATION = 0.01
# Share of the differences between short trials that long trainings confirm (see
# benchmarks/early_ranking.py).
RELIABILITY = 0.6
# The final training gets at least this share of the time.
MIN_FINAL_SHARE = 0.4

# Whose curves predict the end of trainings of other recipes
USUAL_PORTFOLIO = "images"

# From a number of epochs to the accuracy of a whole training of that length, 0 to 1
Curve = Callable[[float], float]


@dataclass(frozen=True)
class ShortTraining:
    """What a trial has shown so far.

    Attributes:
        trial: Number of the trial.
        epochs: Epochs at its last rung, 1 or more.
        accuracy: Validation accuracy there, 0 to 1.
        epoch_seconds: Time of an epoch in seconds, with all cores.
    """

    trial: int
    epochs: int
    accuracy: float
    epoch_seconds: float


@dataclass(frozen=True)
class Outlook:
    """What to expect of the time that is left.

    Attributes:
        trial: Number of the trial to train for the rest of the time; None for the first recipe,
            before any trial has a result.
        epochs: Number of epochs that there is time for.
        accuracy: Validation accuracy that is expected at their end, 0 to 1.
        gain: Accuracy that another trial is expected to gain.
        loss: Accuracy that the time of another trial costs.
    """

    trial: int | None
    epochs: float
    accuracy: float
    gain: float
    loss: float

    @property
    def explores(self) -> bool:
        """Whether another trial is worth its time."""
        return self.gain > self.loss

    def __str__(self) -> str:
        which = "the first recipe" if self.trial is None else f"trial {self.trial}"
        return (
            f"Training {which} for the rest of the time, about {self.epochs:.0f} epochs: "
            f"{self.accuracy:.1%} is expected. Another trial would gain "
            f"{100 * self.gain:.2f} points and cost {100 * self.loss:.2f}."
        )


def predict_accuracy(curve: Curve, training: ShortTraining, epochs: float) -> float:
    """Return the accuracy that a trial's network is expected to reach in a longer training.

    Args:
        curve: Accuracy of a known network by number of epochs.
        training: What the trial has shown.
        epochs: Epochs of the longer training, above 0.

    Example:
        >>> curve = lambda epochs: 1 - 0.4 / epochs
        >>> round(predict_accuracy(curve, ShortTraining(0, 2, 0.6, 1.0), 4), 2)
        0.8
    """
    error = 1 - curve(training.epochs)
    if error <= 0:
        return training.accuracy
    return max(0.0, 1 - (1 - training.accuracy) * (1 - curve(epochs)) / error)


def outlook(
    trainings: Sequence[ShortTraining],
    curve: Curve,
    *,
    seconds_left: float,
    next_seconds: float,
    max_epochs: int,
    num_validation: int,
) -> Outlook:
    """Return what to expect of the time that is left, from at least one training.

    Args:
        trainings: The trials with results, at least one.
        curve: Accuracy of a known network by number of epochs.
        seconds_left: Time that is left for all trainings, in seconds.
        next_seconds: Time that the next trial, or the next part of one, would take in seconds.
        max_epochs: Most epochs of the final training.
        num_validation: Number of validation images.
    """

    def reached(training: ShortTraining, seconds: float) -> float:
        epochs = min(max(seconds, 0.0) / training.epoch_seconds, max_epochs)
        return predict_accuracy(curve, training, epochs) if epochs >= 1 else 0.0

    ends = {training.trial: reached(training, seconds_left) for training in trainings}
    noise = standard_error(statistics.fmean(ends.values()), num_validation) ** 2
    mean, deviation = _distribution([*ends.values()])
    share = deviation**2 / (deviation**2 + noise) if deviation else 0.0
    believed = {trial: mean + share * (end - mean) for trial, end in ends.items()}
    best = max(trainings, key=lambda training: believed[training.trial])
    spread = RELIABILITY * deviation * math.sqrt(share)
    gain = _expected_improvement(mean - believed[best.trial], spread)
    loss = ends[best.trial] - reached(best, seconds_left - next_seconds)
    return Outlook(
        best.trial,
        min(seconds_left / best.epoch_seconds, max_epochs),
        believed[best.trial],
        gain,
        loss,
    )


def first_outlook(
    curve: Curve, *, epoch_seconds: float, seconds_left: float, next_seconds: float, max_epochs: int
) -> Outlook:
    """Return what to expect before any trial has a result, for the first recipe of a portfolio.

    Args:
        curve: Its measured accuracy by number of epochs.
        epoch_seconds: Expected time of its epochs in seconds, with all cores.
        seconds_left: Time that is left for all trainings, in seconds.
        next_seconds: Time that a first trial would take in seconds.
        max_epochs: Most epochs of the final training.
    """

    def reached(seconds: float) -> float:
        epochs = min(max(seconds, 0.0) / epoch_seconds, max_epochs)
        return curve(epochs) if epochs >= 1 else 0.0

    gain = _expected_improvement(PRIOR_MEAN, RELIABILITY * PRIOR_DEVIATION)
    accuracy = reached(seconds_left)
    loss = accuracy - reached(seconds_left - next_seconds)
    return Outlook(None, min(seconds_left / epoch_seconds, max_epochs), accuracy, gain, loss)


def look_ahead(
    settings: StudySettings,
    trials: Sequence[TrialRecord],
    dataset: AnyDataset,
    *,
    num_workers: int,
    seconds: float,
) -> Outlook | None:
    """Return what to expect of the time that a study has left; None where nothing is known yet.

    Args:
        settings: The study's settings, with a time limit and a final training.
        trials: Its trials.
        dataset: Its images.
        num_workers: Number of concurrent trainings; together they use all cores.
        seconds: Its wall time so far, in seconds.
    """
    limit = settings.budget.seconds
    assert limit is not None
    seconds_left = limit - seconds - OVERHEAD_SECONDS
    failed = _failed_values(trials)
    shorts = [
        ShortTraining(
            trial.number,
            trial.rungs[-1].epochs,
            trial.rungs[-1].values[0],
            trial.seconds / (trial.epochs_trained - trial.lost_epochs) / num_workers,
        )
        for trial in trials
        if trial.rungs and trial.seconds and not trial.is_final and trial.values not in failed
    ]
    if not shorts:
        start = _first_start(settings, trials)
        if start is None or not isinstance(dataset, Dataset):
            return None
        return _first_look(settings, start, dataset, seconds_left)
    best = max(shorts, key=lambda training: training.accuracy)
    view = outlook(
        shorts,
        _curve(settings, _values(trials, best.trial)),
        seconds_left=seconds_left,
        next_seconds=_next_epochs(settings)
        * statistics.median(training.epoch_seconds for training in shorts),
        max_epochs=MAX_FINAL_EPOCHS,
        num_validation=settings.int8_images or len(dataset.validation or ()),
    )
    # Where not even one epoch fits, a final training is impossible: the trials take all the time.
    is_short = 1 <= view.epochs < MAX_FINAL_EPOCHS
    must_end = is_short and seconds_left < MIN_FINAL_SHARE * limit
    return replace(view, gain=0.0) if must_end else view


def planned_final(
    record: StudyRecord, trials: Sequence[TrialRecord], view: Outlook
) -> TrialRecord | None:
    """Return the final training of a study; None if the time that is left would change nothing.

    Args:
        record: The study, with its wall time so far.
        trials: Its trials.
        view: What to expect of the time that is left.
    """
    assert record.settings.budget.seconds is not None
    seconds = record.settings.budget.seconds - record.seconds - OVERHEAD_SECONDS
    before = max((trial.final_seconds for trial in trials if trial.is_over), default=0.0)
    if seconds <= before or view.epochs < 1:
        return None
    if view.trial is None:
        start = _first_start(record.settings, trials)
    else:
        start = _values(trials, view.trial)
    return None if start is None else final_trial(next_trial_number(trials), start, seconds)


def _values(trials: Sequence[TrialRecord], number: int) -> Values:
    return next(trial.values for trial in trials if trial.number == number)


def _failed_values(trials: Sequence[TrialRecord]) -> list[Values]:
    """Return the values that could not be trained, or not to the end of the final training."""
    states = (TrialState.INFEASIBLE, TrialState.FAILED)
    return [trial.values for trial in trials if trial.state in states]


def _first_start(settings: StudySettings, trials: Sequence[TrialRecord]) -> Values | None:
    """Return the first recipe of the study's portfolio that is not known to fail, if any."""
    starts = settings.starts if settings.portfolio else ()
    failed = _failed_values(trials)
    return next((values for values in starts if values not in failed), None)


def _next_epochs(settings: StudySettings) -> int:
    """Return the epochs that the next trial takes, or the next part of one."""
    schedule = settings.schedule
    epochs = schedule.max_epochs if schedule.name == "full" else schedule.min_epochs
    return epochs * schedule.executions


def _first_look(
    settings: StudySettings, start: Values, dataset: Dataset, seconds_left: float
) -> Outlook:
    """Return what to expect of the first recipe of the study's portfolio."""
    entry = _entry(settings.portfolio, start)
    epoch_seconds = 1.0 / entry.epochs_in(1.0, len(dataset.train), dataset.image_shape)
    return first_outlook(
        entry.accuracy_after,
        epoch_seconds=epoch_seconds,
        seconds_left=seconds_left,
        next_seconds=_next_epochs(settings) * epoch_seconds,
        max_epochs=MAX_FINAL_EPOCHS,
    )


def _curve(settings: StudySettings, values: Values) -> Curve:
    return _entry(settings.portfolio or USUAL_PORTFOLIO, values).accuracy_after


def _entry(portfolio: str, values: Values) -> Entry:
    """Return the portfolio's entry with the network of some values, or else its first one."""
    entries = load_portfolio(portfolio).entries
    same = [entry for entry in entries if entry.values.get("model") == values.get("model")]
    return (same or list(entries))[0]


def _distribution(ends: Sequence[float]) -> tuple[float, float]:
    """Return mean and deviation of where trials end, with the prior for the first of them."""
    first, others = ends[0], ends[1:]
    prior = first + PRIOR_MEAN
    mean = (PRIOR_WEIGHT * prior + sum(others)) / (PRIOR_WEIGHT + len(others))
    squares = PRIOR_WEIGHT * (PRIOR_DEVIATION**2 + (prior - mean) ** 2)
    squares += sum((end - mean) ** 2 for end in others)
    return mean, math.sqrt(squares / (PRIOR_WEIGHT + len(others)))


def _expected_improvement(difference: float, deviation: float) -> float:
    """Return the expectation of the positive part of a normally distributed difference."""
    if deviation <= 0:
        return max(difference, 0.0)
    z = difference / deviation
    normal = statistics.NormalDist()
    return deviation * (normal.pdf(z) + z * normal.cdf(z))
