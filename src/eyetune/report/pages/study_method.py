"""How a study searched, as short paragraphs for its page."""

from __future__ import annotations

from collections.abc import Sequence

from eyetune.analysis.study_summary import num_trials
from eyetune.analysis.trial_results import metric_text, uncertainty_notes
from eyetune.records.study import SamplerName, SchedulerSettings, StudyRecord
from eyetune.records.trial import TrialRecord
from eyetune.values.numbers import count_text, duration, workers_text

SAMPLERS: dict[SamplerName, str] = {
    "random": "random sampling",
    "grid": "a grid: every combination, in order",
    "quasi-random": "quasi-random sampling, which covers the space evenly",
    "tpe": "a tree-structured Parzen estimator (TPE), which samples where trials were good",
    "gp": "a Gaussian process, which weighs where trials were good against where few were tried",
    "cma-es": "CMA-ES, which moves a distribution of values towards the best trials",
    "nsga2": "NSGA-II, which crosses the best trials of several objectives",
}


def method(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[str]:
    """Return how a study searched, as short paragraphs."""
    settings = record.settings
    goals = [
        f"{objective.name} ({'higher' if objective.direction == 'max' else 'lower'} is better)"
        for objective in settings.objectives
    ]
    paragraphs = [
        f"Objective: {' and '.join(goals)}. Metrics are those of a trial's best epoch on"
        " validation data. No choice was made on test data.",
        f"Sampler: {SAMPLERS[settings.sampler]}, with seed {settings.seed}.",
        scheduler_text(settings.schedule),
        f"{count_text(len(trials), 'configuration')} {_was(len(trials))} tried."
        f" KerasTuner would count {count_text(num_trials(trials), 'trial')}, because there each"
        " promotion is a new trial.",
    ]
    num_executions = settings.schedule.executions
    if num_executions > 1:
        last = settings.seed + num_executions - 1
        paragraphs.append(
            f"Each trial was trained {num_executions} times, with the seeds {settings.seed} to"
            f" {last}. The mean of these executions is its result, and its network is that of the"
            " best one on validation data."
        )
    paragraphs += _estimates(record, trials)
    limits = [constraint.text for constraint in settings.constraints]
    if settings.board:
        limits.append(f"the board {settings.board}")
    if limits:
        paragraphs.append(
            f"Checked before training, so that infeasible trials cost nothing: {', '.join(limits)}."
        )
    workers = workers_text(settings.workers)
    paragraphs.append(f"Budget: {budget_text(record)}, with {workers}.")
    paragraphs += [
        f"The final training, trial {trial.number}, trained the best recipe for the rest of the"
        " time, with one learning-rate schedule that ends with the time."
        for trial in trials
        if trial.is_final
    ]
    if settings.engine == "keras-tuner":
        paragraphs.append("The search itself was run by KerasTuner.")
    if settings.engine == "tuner-subclass":
        paragraphs.append(
            "The trials were run by a tuner in a script, which decides what they measure."
        )
    return paragraphs


def _estimates(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[str]:
    """Return how the objectives that are estimates were computed, as short paragraphs."""
    notes = uncertainty_notes(record.settings.objectives, trials)
    paragraphs = [f"{name}: {note}." for name, note in notes.items()]
    interpreters = {trial.int8.interpreter for trial in trials if trial.int8 is not None}
    interval = "" if record.settings.schedule.executions > 1 else " In brackets: the 95% interval."
    if interpreters:
        paragraphs.append(
            "After each rung, the network was converted to int8, with ranges from training images,"
            " and classified the same validation images as the network of every other trial, in"
            f" {' and '.join(sorted(interpreters))}.{interval}"
        )
    return paragraphs


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def scheduler_text(scheduler: SchedulerSettings) -> str:
    """Return how a scheduler assigns epochs to trials, as a paragraph.

    Example:
        >>> scheduler_text(SchedulerSettings(name="full", max_epochs=10))
        'Every trial was trained for up to 10 epochs.'
    """
    max_epochs = count_text(scheduler.max_epochs, "epoch")
    factor = f"{scheduler.factor:g}"
    promotion = (
        "A promoted trial continues where it paused, optimizer included: nothing is trained twice."
    )
    rungs = f"at each rung, one in {factor} is promoted to {factor} times the epochs"
    cycles = ""
    if scheduler.cycles:
        cycles = " The learning-rate schedule of a recipe ends at each rung, and starts again."
    match scheduler.name:
        case "full":
            return f"Every trial was trained for up to {max_epochs}."
        case "halving":
            return f"Successive halving: {rungs}, up to {max_epochs}. {promotion}{cycles}"
        case "hyperband":
            return (
                f"Hyperband: {rungs}, up to {max_epochs}, in brackets that start with different"
                f" numbers of epochs. {promotion}"
            )
        case "median":
            return (
                "A trial that was worse than the median of the others at the same epoch was"
                f" stopped; the others were trained for up to {max_epochs}. {promotion}"
            )


def budget_text(record: StudyRecord) -> str:
    """Return when a study ends."""
    budget = record.settings.budget
    limits = []
    if budget.trials is not None:
        limits.append(count_text(budget.trials, "trial"))
    if budget.epochs is not None:
        limits.append(count_text(budget.epochs, "epoch"))
    if budget.seconds is not None:
        limits.append(duration(budget.seconds))
    if budget.target is not None:
        name = record.settings.objectives[0].name
        limits.append(f"{name} {metric_text(name, budget.target)}")
    return " or ".join(limits) or "the scheduler's own end"
