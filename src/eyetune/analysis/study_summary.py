"""Results and warnings of a study, computed from its records."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from eyetune.analysis.metrics import standard_error
from eyetune.analysis.ranking import rank_trials
from eyetune.analysis.trial_results import (
    is_share,
    metric_text,
    objectives_text,
    spread_text,
)
from eyetune.records.run import DataRecord, RunRecord
from eyetune.records.study import StudyRecord, StudyState
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.space.hyperparameters import setting_text
from eyetune.space.space import describe
from eyetune.values.history import Epoch, History
from eyetune.values.numbers import count_text

FindRun = Callable[[str], RunRecord | None]

MANY_FAILED = 0.1  # share of the trials; fewer failures are single unlucky configurations
# Share of the trials. Chance alone puts the best one into the last tenth in one study of ten.
LATE_SHARE = 0.1
MIN_TRIALS_TO_BE_LATE = 10  # trials with a result; with fewer, the last tenth says nothing
MIN_TRIALS_FOR_EDGES = 5  # trials with a result and the hyperparameter; fewer say nothing
MAX_JUDGED_TRIALS = 500  # more say the same about running averages
MIN_LAGGING_TRIALS = 3  # fewer trials at chance are single unlucky configurations
MAX_CHANCE_DEVIATIONS = 3  # standard deviations of the accuracy of guessing
BATCH_NORMALIZATION = "BatchNormalization"  # the layer's class in Keras
STATE_TEXTS = {
    TrialState.COMPLETE: "trained to the end",
    TrialState.STOPPED: "stopped early",
    TrialState.PAUSED: "paused",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
    TrialState.INFEASIBLE: "infeasible",
    TrialState.FAILED: "failed",
}
FINAL = "final training"
CUT_OFF = "cut off"  # where the study ended in the middle of a trial


def state_text(record: StudyRecord, trial: TrialRecord) -> str:
    """Return the state of a trial as text; the study's final training is named as such.

    Example:
        >>> from eyetune.testing.studies import fabricated_study
        >>> study = fabricated_study(4, failing=0, final_training=True)
        >>> state_text(study.record, study.trials[-1])
        'final training'
    """
    state = state_name(record, trial.state)
    if not trial.is_final:
        return state
    return FINAL if trial.state is TrialState.COMPLETE else f"{FINAL}, {state}"


def state_name(record: StudyRecord, state: TrialState) -> str:
    """Return a state as text: in a study that has ended, no trial is running."""
    has_ended = record.state is StudyState.COMPLETE
    is_running = state in (TrialState.RUNNING, TrialState.WAITING)
    return CUT_OFF if has_ended and is_running else STATE_TEXTS[state]


def search_trials(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials of the search, without the final training that followed it.

    A final training is better for being longer: it says nothing about hyperparameters.
    """
    return [trial for trial in trials if not trial.is_final]


@dataclass(frozen=True)
class Step:
    """A trial with a result, and the state of the study after it, in the order of suggestion.

    Attributes:
        trial: The trial.
        value: Its first objective.
        best: The best first objective of this trial and those before it (NaN: none is finite).
        epochs: Epochs trained in this trial and those before it.
        seconds: Seconds of training in this trial and those before it.
    """

    trial: TrialRecord
    value: float
    best: float
    epochs: int
    seconds: float


def best_so_far(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[Step]:
    """Return the best first objective after each trial, with the epochs and seconds so far.

    Trials without a result are not steps, but their epochs and seconds count. Results that are not
    finite are never the best.

    Args:
        record: The study.
        trials: All of its trials.
    """
    first = record.settings.objectives[0]
    steps: list[Step] = []
    epochs, seconds, best = 0, 0.0, math.nan
    for trial in sorted(trials, key=lambda trial: trial.number):
        epochs, seconds = epochs + trial.epochs_trained, seconds + trial.seconds
        if trial.objectives is None:
            continue
        value = trial.objectives[0]
        is_finite = all(math.isfinite(objective) for objective in trial.objectives)
        if is_finite and (math.isnan(best) or first.oriented(value) > first.oriented(best)):
            best = value
        steps.append(Step(trial, value, best, epochs, seconds))
    return steps


def num_trials(trials: Sequence[TrialRecord]) -> int:
    """Return the number of trials as KerasTuner counts them: one per rung that a trial reached.

    KerasTuner's Hyperband starts a new trial for each promotion, so that 22 configurations with 8
    promotions are 30 trials. Numbers that are compared with KerasTuner's are counted in the same
    way. Infeasible configurations cost nothing and are not counted; neither does KerasTuner count
    those that it finds too large.

    Example:
        >>> from eyetune.records.trial import Rung
        >>> rungs = tuple(Rung(epochs=epochs, values=(0.5,)) for epochs in (2, 4, 10))
        >>> promoted = TrialRecord(number=0, state=TrialState.COMPLETE, values={}, rungs=rungs)
        >>> num_trials([promoted, promoted.with_(number=1, state=TrialState.FAILED, rungs=())])
        4
    """
    return sum(
        max(1, len(trial.rungs)) for trial in trials if trial.state is not TrialState.INFEASIBLE
    )


def count_states(trials: Sequence[TrialRecord]) -> dict[TrialState, int]:
    """Return the number of trials in each state, without the states that no trial is in."""
    counted = Counter(trial.state for trial in trials)
    return {state: counted[state] for state in STATE_TEXTS if counted[state]}


def count_state_names(record: StudyRecord, trials: Sequence[TrialRecord]) -> dict[str, int]:
    """Return the number of trials by the name of their state, see `state_name`."""
    counted: Counter[str] = Counter()
    for state, count in count_states(trials).items():
        counted[state_name(record, state)] += count
    return dict(counted)


def summary_sentences(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[str]:
    """Return the result of a study, the states of its trials and why it ended, as sentences.

    Args:
        record: The study.
        trials: All of its trials.
    """
    if not trials:
        return [f"No trial has begun yet; {_ending(record)}"]
    order = rank_trials(record.settings.objectives, trials)
    result = _result(record, order[0], len(trials)) if order else "No trial has a result."
    return [result, f"{_states_text(record, trials)}; {_cost(record, trials)}; {_ending(record)}"]


def _result(record: StudyRecord, best: TrialRecord, count: int) -> str:
    objectives = record.settings.objectives
    name = f"The only trial is {best.number}"
    if count > 1:
        name = f"The best of {count:,} trials is trial {best.number}"
    if len(objectives) > 1:
        name += " (the best in the first objective)"
    text = f"{name}: {objectives_text(objectives, best)} after {count_text(best.epochs, 'epoch')}"
    settings = best.settings_text
    return f"{text}, with {settings}." if settings else f"{text}."


def _states_text(record: StudyRecord, trials: Sequence[TrialRecord]) -> str:
    (name, count), *others = count_state_names(record, trials).items()
    verb = "was " if count == 1 else "were "
    if name == STATE_TEXTS[TrialState.FAILED]:
        verb = ""
    if len(trials) == 1:
        return f"It {verb}{name}"
    parts = [f"{count:,} {verb}{name}", *(f"{number:,} {other}" for other, number in others)]
    return f"Of all trials, {_list(parts)}"


def _cost(record: StudyRecord, trials: Sequence[TrialRecord]) -> str:
    trained = sum(trial.epochs_trained for trial in trials)
    whole = epochs_without_stopping(record, trials)
    text = f"{count_text(trained, 'epoch')} {'was' if trained == 1 else 'were'} trained"
    if any(trial.is_final for trial in trials) or trained >= whole:
        return text
    return f"{text} of {whole:,} that it would have taken without stopping early"


def epochs_without_stopping(record: StudyRecord, trials: Sequence[TrialRecord]) -> int:
    """Return the epochs that it would have taken to train every trial to the end."""
    begun = sum(trial.epochs > 0 for trial in trials)
    scheduler = record.settings.schedule
    return begun * scheduler.max_epochs * scheduler.executions


def _ending(record: StudyRecord) -> str:
    match record.state:
        case StudyState.RUNNING:
            return "it is running."
        case StudyState.PAUSED:
            return "it was interrupted and can be resumed."
        case _:
            return f"it ended because {record.ending}." if record.ending else "it is complete."


def warnings(
    record: StudyRecord,
    trials: Sequence[TrialRecord],
    histories: Mapping[str, History] = MappingProxyType({}),
    find_run: FindRun = lambda _: None,
) -> list[str]:
    """Return what to look out for in the result of a study, in one or two sentences each.

    Args:
        record: The study.
        trials: All of its trials.
        histories: Epochs by run id. Default: none, and nothing is said about epochs.
        find_run: Returns the run with an id; None if it is not recorded. Default: none is.
    """
    order = rank_trials(record.settings.objectives, trials)
    sentences = [
        *_infeasible(trials),
        *_failed(trials),
        *_lagging_averages(record, trials, histories, find_run),
    ]
    if order:
        sentences += [
            *_edges(record, trials, order[0]),
            *_unfinished(record, order[0]),
            *_late(record, trials, order),
            *_narrow_lead(record, order),
        ]
    return sentences


def infeasible_rule_counts(trials: Sequence[TrialRecord]) -> list[tuple[str, int]]:
    """Return the rules that trials violate, each with the number of trials, most frequent first."""
    counts = Counter(reason.rule for trial in trials for reason in trial.infeasible_reasons)
    return counts.most_common()


def _infeasible(trials: Sequence[TrialRecord]) -> list[str]:
    broken = [trial for trial in trials if trial.state is TrialState.INFEASIBLE]
    if not broken or len(broken) < len(trials):
        return []
    counts = infeasible_rule_counts(broken)
    reason, count = counts[0] if counts else ("no reason was recorded", len(broken))
    return [
        f"No trial was feasible; the most frequent reason, in {count} of {len(broken)}: {reason}. "
        "Loosen the constraint, or add smaller networks to the space."
    ]


def _failed(trials: Sequence[TrialRecord]) -> list[str]:
    failed = [trial for trial in trials if trial.state is TrialState.FAILED]
    if not failed or len(failed) <= MANY_FAILED * len(trials):
        return []
    reason, count = Counter(error_line(trial) for trial in failed).most_common(1)[0]
    share = "all" if count == len(failed) else f"{count} of them"
    return [f"{len(failed)} of {count_text(len(trials), 'trial')} failed, {share} with: {reason}"]


def trials_with_own_averages(
    record: StudyRecord, trials: Sequence[TrialRecord]
) -> list[TrialRecord]:
    """Return the trials whose epochs `warnings` needs: the first ones of a user's function."""
    if not record.settings.has_function:
        return []
    return [trial for trial in trials if trial.run and trial.rungs][:MAX_JUDGED_TRIALS]


def _lagging_averages(
    record: StudyRecord,
    trials: Sequence[TrialRecord],
    histories: Mapping[str, History],
    find_run: FindRun,
) -> list[str]:
    """Return a warning if batch normalization makes most trials look as bad as guessing.

    Only networks of a user's function keep Keras's momentum of 0.99. What counts is the epoch at
    which a trial was first compared with others.
    """
    judged = trials_with_own_averages(record, trials)
    epochs = {trial.run: _first_compared(trial, histories) for trial in judged if trial.run}
    known = {run_id: epoch for run_id, epoch in epochs.items() if epoch is not None}
    found = [(find_run(run_id), epoch) for run_id, epoch in known.items()]
    normalized = [
        (run.data, epoch)
        for run, epoch in found
        if run and any(layer.kind == BATCH_NORMALIZATION for layer in run.network.layers)
    ]
    num_lagging = sum(_lags(data, epoch) for data, epoch in normalized)
    if num_lagging < MIN_LAGGING_TRIALS or 2 * num_lagging <= len(normalized):
        return []
    return [
        f"When they were first compared, {num_lagging} of {len(normalized)} networks with batch "
        "normalization were good on training images and no better than chance on validation "
        "images. In short trainings, the running averages of batch normalization lag behind the "
        "weights. Use BatchNormalization(momentum=0.9), train each trial for more epochs, or "
        "search recipes, whose momentum follows the number of steps."
    ]


def _first_compared(trial: TrialRecord, histories: Mapping[str, History]) -> Epoch | None:
    """Return the epoch whose result a trial was first compared with others by."""
    history = histories.get(trial.run or "", ())
    if not history or not trial.rungs:
        return None
    return history[min(trial.rungs[0].epochs, len(history)) - 1]


def _lags(data: DataRecord, epoch: Epoch) -> bool:
    """Return whether training is good and validation is no better than chance."""
    if epoch.accuracy is None or epoch.val_accuracy is None or not data.class_names:
        return False
    chance = 1 / len(data.class_names)
    good = min(3 * chance, (1 + chance) / 2)  # with few classes, three times chance is too much
    noise = standard_error(chance, data.num_validation)
    is_at_chance = epoch.val_accuracy <= chance + MAX_CHANCE_DEVIATIONS * noise
    return epoch.accuracy >= good and is_at_chance


def values_at_edges(
    record: StudyRecord, trials: Sequence[TrialRecord], best: TrialRecord
) -> dict[str, str]:
    """Return which end of the values searched the best trial's values are at, by hyperparameter.

    A hyperparameter is left out where too few trials used it to conclude anything.
    """
    tried = [
        record.space.active(trial.used_values)
        for trial in search_trials(trials)
        if trial.objectives
    ]
    edges = {}
    for name, edge in record.space.on_the_edge(best.used_values).items():
        values = [trial_values[name] for trial_values in tried if name in trial_values]
        if len(values) >= MIN_TRIALS_FOR_EDGES and len(set(values)) > 1:
            edges[name] = edge
    return edges


def _edges(record: StudyRecord, trials: Sequence[TrialRecord], best: TrialRecord) -> list[str]:
    """Return which of the best trial's values are at an end of the values searched."""
    sentences = []
    for name, edge in values_at_edges(record, trials, best).items():
        value = setting_text(best.used_values[name])
        beyond = {"lowest": "a lower one", "highest": "a higher one"}.get(edge, "one beyond it")
        sentences.append(
            f"The best {name}, {value}, is the {edge} of the values searched "
            f"({describe(record.space[name])}): {beyond} may be better still."
        )
    return sentences


def _unfinished(record: StudyRecord, best: TrialRecord) -> list[str]:
    if best.state is TrialState.COMPLETE or record.state is StudyState.RUNNING:
        return []
    max_epochs = record.settings.schedule.max_epochs
    if best.epochs >= max_epochs:
        return []
    return [
        f"The best trial, {best.number}, was trained for only {best.epochs} of "
        f"{count_text(max_epochs, 'epoch')}: trained to the end, it may be better still."
    ]


def _late(
    record: StudyRecord, trials: Sequence[TrialRecord], order: Sequence[TrialRecord]
) -> list[str]:
    if len(order) < MIN_TRIALS_TO_BE_LATE or any(trial.is_final for trial in trials):
        return []  # a final training is the best for being longer
    steps = best_so_far(record, trials)
    begin = len(steps) - max(1, round(LATE_SHARE * len(steps)))
    before, last = steps[begin - 1].best, steps[-1].best
    if before == last or math.isnan(last):
        return []
    name = record.settings.objectives[0].name
    improvement = f"{name} {metric_text(name, before)} before, {metric_text(name, last)} now"
    latest = count_text(len(steps) - begin, "trial")
    return [
        f"The best was found by the last {latest} ({improvement}): the search "
        "is still improving, so a larger budget may help."
    ]


def _narrow_lead(record: StudyRecord, order: Sequence[TrialRecord]) -> list[str]:
    """Return a warning if chance explains the lead of the best trial among several executions.

    The error of a mean is estimated from the spread of its few executions, so this is a rough
    comparison.
    """
    rivals = [trial for trial in order if trial.result and trial.result.spread]
    if len(record.settings.objectives) > 1 or len(rivals) < 2:
        return []
    best, second = rivals[:2]
    values, squares = [], 0.0
    for trial in (best, second):
        assert trial.result is not None
        values.append(trial.result.values[0])
        squares += trial.result.spread[0] ** 2 / len(trial.result.by_execution)
    lead, error = abs(values[0] - values[1]), math.sqrt(squares)
    if not lead < error:
        return []
    name = record.settings.objectives[0].name
    unit = " points" if is_share(name) else ""
    return [
        f"The best trial, {best.number}, is ahead of trial {second.number} by"
        f" {spread_text(name, values[0], lead)}{unit} of {name}, with a standard error of"
        f" {spread_text(name, values[0], error)} from their executions: the lead may be chance."
    ]


def error_line(trial: TrialRecord) -> str:
    """Return the first line of a trial's error."""
    return trial.error.strip().partition("\n")[0] or "no reason was recorded"


def _list(items: Sequence[str]) -> str:
    if len(items) == 1:
        return items[0]
    return f"{', '.join(items[:-1])} and {items[-1]}"
