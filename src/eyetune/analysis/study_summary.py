"""Results and warnings of a study, computed from its records."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from eyetune.analysis.ranking import rank_trials
from eyetune.records.study import Objective, StudyRecord, StudyState, TrialRecord, TrialState
from eyetune.space.space import Value, describe

MANY_FAILED = 0.1  # of the trials: below it, it is bad luck of single configurations
LATE_SHARE = (
    0.1  # of the trials: chance alone puts the best into the last tenth in one study of ten
)
MIN_TRIALS_TO_BE_LATE = 10  # trials with a result; with fewer, the last tenth says nothing
MIN_TRIALS_FOR_EDGES = 5  # trials with a result and the hyperparameter; fewer say nothing
STATE_WORDS = {
    TrialState.COMPLETE: "trained to the end",
    TrialState.STOPPED: "stopped early",
    TrialState.PAUSED: "paused",
    TrialState.RUNNING: "under way",
    TrialState.WAITING: "waiting",
    TrialState.INFEASIBLE: "infeasible",
    TrialState.FAILED: "failed",
}


@dataclass(frozen=True)
class Step:
    """A trial with a result, and where the study stood with it, trials taken in the order of their
    suggestion.

    Attributes:
        trial: The trial.
        value: Its first objective.
        best: The best first objective of it and all before it.
        epochs: Trained in it and all before it.
        seconds: Trained in it and all before it.
    """

    trial: TrialRecord
    value: float
    best: float
    epochs: int
    seconds: float


def best_so_far(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[Step]:
    """Return the best first objective trial by trial, with the epochs and seconds that had been
    trained by then.

    Trials without a result are no step of their own, but what they took counts. What is not finite
    is never the best.
    """
    first = record.settings.objectives[0]
    steps: list[Step] = []
    epochs, seconds, best = 0, 0.0, math.nan
    for trial in sorted(trials, key=lambda trial: trial.number):
        epochs, seconds = epochs + trial.epochs, seconds + trial.seconds
        if trial.objectives is None:
            continue
        value = trial.objectives[0]
        is_comparable = all(math.isfinite(value) for value in trial.objectives)
        if is_comparable and (math.isnan(best) or first.oriented(value) > first.oriented(best)):
            best = value
        steps.append(Step(trial, value, best, epochs, seconds))
    return steps


def num_trials(trials: Sequence[TrialRecord]) -> int:
    """Return how many trials KerasTuner would have counted: each rung that a trial reached is one
    of its own.

    KerasTuner's Hyperband begins a new trial where it promotes one, so that 22 configurations, of
    which 8 promotions are trained on, are 30 trials there. Figures that are compared with its own
    are counted in the same way. Infeasible configurations cost nothing and are not counted, as
    those that it finds too large are not.

    Example:
        >>> from eyetune.records.study import Rung
        >>> rungs = tuple(Rung(epochs=epochs, values=(0.5,)) for epochs in (2, 4, 10))
        >>> promoted = TrialRecord(number=0, state=TrialState.COMPLETE, values={}, rungs=rungs)
        >>> num_trials([promoted, promoted.with_(number=1, state=TrialState.FAILED, rungs=())])
        4
    """
    return sum(
        max(1, len(trial.rungs)) for trial in trials if trial.state is not TrialState.INFEASIBLE
    )


def count_states(trials: Sequence[TrialRecord]) -> dict[TrialState, int]:
    """Return how many trials stand where, in the order in which one would tell it; states without
    any are left out.
    """
    counted = Counter(trial.state for trial in trials)
    return {state: counted[state] for state in STATE_WORDS if counted[state]}


def summary_sentences(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[str]:
    """Return the result of a study, the states of its trials and why it ended, as sentences.

    Args:
        record: The study.
        trials: All of it.
    """
    if not trials:
        return [f"No trial has begun yet; {_ending(record)}"]
    best = rank_trials(record.settings.objectives, trials)[:1]
    found = _found(record, best[0], len(trials)) if best else "No trial has a result."
    return [found, f"{_fates(trials)}; {_saved(record, trials)}; {_ending(record)}"]


def _found(record: StudyRecord, best: TrialRecord, count: int) -> str:
    settings = hyperparameter_words(best)
    among = (
        f"The best of {count:,} trials is trial {best.number}"
        if count > 1
        else f"The only trial is {best.number}"
    )
    more = " (the best in the first objective)" if len(record.settings.objectives) > 1 else ""
    reached = objective_words(record.settings.objectives, best)
    after = f"after {number_of(best.epochs, 'epoch')}" + (f", with {settings}" if settings else "")
    return f"{among}{more}: {reached} {after}."


def objective_words(objectives: Sequence[Objective], trial: TrialRecord) -> str:
    """Write what a trial reached in one line; nothing where it has no result."""
    named = zip(objectives, trial.objectives or (), strict=False)
    return " and ".join(f"{one.name} {value_words(one.name, value)}" for one, value in named)


def _fates(trials: Sequence[TrialRecord]) -> str:
    counts = count_states(trials)
    (state, count), *_ = counts.items()
    verb = "" if state is TrialState.FAILED else "was " if count == 1 else "were "
    if len(trials) == 1:
        return f"It {verb}{STATE_WORDS[state]}"
    words = [f"{count:,} {STATE_WORDS[state]}" for state, count in counts.items()]
    return f"Of all trials, {_list([f'{count:,} {verb}{STATE_WORDS[state]}', *words[1:]])}"


def _saved(record: StudyRecord, trials: Sequence[TrialRecord]) -> str:
    trained = sum(trial.epochs for trial in trials)
    whole = epochs_without_stopping(record, trials)
    words = f"{number_of(trained, 'epoch')} {'was' if trained == 1 else 'were'} trained"
    return (
        words
        if trained >= whole
        else f"{words} of {whole:,} that it would have taken without stopping early"
    )


def epochs_without_stopping(record: StudyRecord, trials: Sequence[TrialRecord]) -> int:
    """Return the epochs that the trials would have taken if every one had been trained to the end
    at once.
    """
    begun = sum(trial.epochs > 0 for trial in trials)
    return begun * record.settings.schedule.max_epochs


def _ending(record: StudyRecord) -> str:
    match record.state:
        case StudyState.RUNNING:
            return "it is under way."
        case StudyState.PAUSED:
            return "it was interrupted and can go on."
        case _:
            return f"it ended because {record.ending}." if record.ending else "it is complete."


def warnings(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[str]:
    """Say what to mind about what a study found, each in one sentence or two; nothing: nothing.

    Args:
        record: The study.
        trials: All of it.
    """
    order = rank_trials(record.settings.objectives, trials)
    words = [*_infeasible(trials), *_failed(trials)]
    if order:
        words += [
            *_edges(record, trials, order[0]),
            *_unfinished(record, order[0]),
            *_late(record, trials, order),
        ]
    return words


def _infeasible(trials: Sequence[TrialRecord]) -> list[str]:
    broken = [trial for trial in trials if trial.state is TrialState.INFEASIBLE]
    if not broken or len(broken) < len(trials):
        return []
    reasons = Counter(reason.partition(":")[0] for trial in broken for reason in trial.infeasible)
    reason, count = (
        reasons.most_common(1)[0] if reasons else ("no reason was recorded", len(broken))
    )
    return [
        f"No trial was feasible; {count} of {len(broken)} failed at this: {reason}. "
        "Loosen the constraint, or let the space hold smaller networks."
    ]


def _failed(trials: Sequence[TrialRecord]) -> list[str]:
    failed = [trial for trial in trials if trial.state is TrialState.FAILED]
    if not failed or len(failed) <= MANY_FAILED * len(trials):
        return []
    reason, count = Counter(error_line(trial) for trial in failed).most_common(1)[0]
    with_it = "all" if count == len(failed) else f"{count} of them"
    return [f"{len(failed)} of {number_of(len(trials), 'trial')} failed, {with_it} with: {reason}"]


def _edges(record: StudyRecord, trials: Sequence[TrialRecord], best: TrialRecord) -> list[str]:
    """Say which of the best trial's values lie at an end of what was searched."""
    tried = [record.space.active(trial.used_values) for trial in trials if trial.objectives]
    sentences = []
    for name, edge in record.space.on_the_edge(best.used_values).items():
        values = [trial_values[name] for trial_values in tried if name in trial_values]
        if len(values) < MIN_TRIALS_FOR_EDGES or len(set(values)) < 2:
            continue  # too little was tried to conclude anything
        value = setting_words(best.used_values[name])
        beyond = {"lowest": "a lower one", "highest": "a higher one"}.get(edge, "one beyond it")
        sentences.append(
            f"The best {name}, {value}, is the {edge} of the values searched "
            f"({describe(record.space[name])}): {beyond} may be better still."
        )
    return sentences


def _unfinished(record: StudyRecord, best: TrialRecord) -> list[str]:
    if best.state is TrialState.COMPLETE or record.state is StudyState.RUNNING:
        return []
    most = record.settings.schedule.max_epochs
    if best.epochs >= most:
        return []
    return [
        f"The best trial, {best.number}, was trained for {best.epochs} of {number_of(most, 'epoch')} only: trained to "
        "the end it may be better still."
    ]


def _late(
    record: StudyRecord, trials: Sequence[TrialRecord], order: Sequence[TrialRecord]
) -> list[str]:
    if len(order) < MIN_TRIALS_TO_BE_LATE:
        return []
    steps = best_so_far(record, trials)
    begin = len(steps) - max(1, round(LATE_SHARE * len(steps)))
    before, last = steps[begin - 1].best, steps[-1].best
    if before == last or math.isnan(last):
        return []
    name = record.settings.objectives[0].name
    return [
        f"The best was found by the last {number_of(len(steps) - begin, 'trial')} ({name} {value_words(name, before)} "
        f"before, {value_words(name, last)} now): the search is still improving, and a larger budget may pay."
    ]


def value_words(name: str, value: float) -> str:
    """Write the value of an objective for a person.

    Args:
        name: Name of the objective.
        value: Its value: accuracies are shares from 0 to 1, sizes are in bytes.

    Example:
        >>> value_words("val_accuracy", 0.71234), value_words("val_loss", 0.812345), value_words("parameters", 167562)
        ('71.23%', '0.8123', '167,562')
        >>> value_words("flash_bytes", 120_000), value_words("seconds", 12.34)
        ('117.2 KiB', '12.3 s')
    """
    if math.isnan(value):
        return "NaN"
    if is_share(name) and abs(value) <= 1:
        return f"{value:.2%}"
    if name.endswith("_bytes") and value >= 1024:
        return f"{value / 2**20:.2f} MiB" if value >= 2**20 else f"{value / 2**10:.1f} KiB"
    if name == "seconds":
        return f"{value:,.1f} s"
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def is_share(name: str) -> bool:
    """Tell from its name whether a metric is a share, which reads best in per cent."""
    return "accuracy" in name


def setting_words(value: Value) -> str:
    """Write the value of a hyperparameter for a person.

    Example:
        >>> setting_words(True), setting_words(0.00012345678), setting_words(64), setting_words("relu")
        ('true', '0.0001235', '64', 'relu')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def hyperparameter_words(trial: TrialRecord) -> str:
    """Write all hyperparameters of a trial in one line."""
    return ", ".join(f"{name}={setting_words(value)}" for name, value in trial.all_values.items())


def error_line(trial: TrialRecord) -> str:
    """Return the first line of what a trial's error says."""
    return trial.error.strip().partition("\n")[0] or "no reason was recorded"


def number_of(count: int, noun: str) -> str:
    """Return a number with its noun.

    Example:
        >>> number_of(1, "epoch"), number_of(1200, "epoch")
        ('1 epoch', '1,200 epochs')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _list(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
