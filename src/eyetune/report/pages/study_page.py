"""The page of a study: what it found first, then all the evidence for it, then how to go on."""

from __future__ import annotations

import base64
import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from eyetune.analysis.ranking import non_dominated_trials, rank_trials
from eyetune.analysis.study_summary import (
    STATE_WORDS,
    count_states,
    epochs_without_stopping,
    error_line,
    hyperparameter_words,
    num_trials,
    number_of,
    setting_words,
    summary_sentences,
    value_words,
    warnings,
)
from eyetune.records.study import (
    SchedulerSettings,
    StudyRecord,
    StudyState,
    TrialRecord,
    TrialState,
)
from eyetune.report.figures import study_figures
from eyetune.report.figures.study_space import MAX_AXES
from eyetune.report.numbers import duration
from eyetune.report.pages.page import Drawing, drawing, render
from eyetune.report.pages.tables import Cell, Row
from eyetune.space.space import describe
from eyetune.values.history import History

QUESTION = "Which hyperparameters give the best network?"
HEADINGS = {
    "best": "The best hyperparameters",
    "warnings": "What to mind",
    "curve": "The best so far",
    "learning": "Learning curves",
    "importances": "Which hyperparameters matter",
    "parallel": "All trials across all hyperparameters",
    "slices": "Each hyperparameter by itself",
    "front": "Objectives against each other",
    "trials": "All trials",
    "failures": "What failed",
    "infeasible": "What was infeasible",
    "method": "How it was searched",
    "again": "Going on",
}
MAX_ROWS = 1000  # of trials: a page with more takes browsers seconds
MAX_FAILURES = 100
SAMPLERS = {
    "random": "random values",
    "grid": "every combination in order (grid)",
    "quasi-random": "quasi-random values, which leave no gaps",
    "tpe": "a tree-structured Parzen estimator (TPE), which looks where trials were good",
    "gp": "a Gaussian process, which weighs where trials were good against where few were",
    "cma-es": "CMA-ES, which moves a cloud of values towards the best",
    "nsga2": "NSGA-II, which crosses the best trials of several objectives",
}


def study_page(
    record: StudyRecord,
    trials: Sequence[TrialRecord],
    histories: Mapping[str, History],
    importances: Mapping[str, float],
) -> str:
    """Return a study's report as one HTML page that needs nothing else.

    Args:
        record: The study.
        trials: All of it.
        histories: Epochs by the id of their run; runs that are missing are not drawn.
        importances: Share of the first objective's spread that each hyperparameter explains; empty
            where unknown.
    """
    order = rank_trials(record.settings.objectives, trials)
    drawings = _drawings(record, trials, histories, importances) if order else {}
    parts: dict[str, Any] = {
        "best": _best_rows(record, order, importances),
        "warnings": warnings(record, trials),
        "trials": trial_rows(record, trials)[:MAX_ROWS],
        "failures": [
            (f"Trial {one.number}: {error_line(one)}", _whole(one))
            for one in _in(trials, TrialState.FAILED)
        ],
        "infeasible": _infeasible_rows(trials),
        "method": method(record, trials),
        "again": commands(record, trials),
        **drawings,
    }
    context: dict[str, Any] = {
        "title": f"Study {record.name}: {record.data_name}",
        "subtitle": f"{record.created_at:%d %B %Y, %H:%M} UTC, {duration(record.seconds)} "
        f"with {number_of(record.settings.workers, 'worker')}, {record.state.lower()}",
        "question": QUESTION,
        "sentences": summary_sentences(record, trials),
        "found": bool(order),
        "facts": _facts(record, trials, order),
        "contents": [(name, words) for name, words in HEADINGS.items() if parts.get(name)],
        "parts_of": parts,
        "trial_headings": trial_headings(record),
        "trials_words": _trials_words(trials),
        "num_failures": len(_in(trials, TrialState.FAILED)),
        "most_failures": MAX_FAILURES,
        "versions": list(record.versions.items()),
    }
    return render("study", context)


def study_summary(record: StudyRecord, trials: Sequence[TrialRecord], *, limit: int = 10) -> str:
    """Return a study as a piece of HTML for a notebook: what it found, what to mind, the best
    trials, the best curve.

    Args:
        record: The study.
        trials: All of it.
        limit: How many trials are listed.
    """
    rows = trial_rows(record, trials)
    picture = (
        study_figures.best_curve(record, trials)._repr_png_()
        if rank_trials(record.settings.objectives, trials)
        else b""
    )
    context = {
        "sentences": summary_sentences(record, trials),
        "warnings": warnings(record, trials),
        "headings": trial_headings(record),
        "rows": rows[:limit],
        "others": len(rows) - limit,
        "picture": base64.b64encode(picture).decode(),
    }
    return render("study_summary", context)


def trial_headings(record: StudyRecord) -> list[str]:
    """Return the headings of the table of trials."""
    names = record.space.names if len(record.space) <= MAX_AXES else ("hyperparameters",)
    objectives = [one.name for one in record.settings.objectives]
    return [
        "trial",
        *objectives,
        "state",
        "epochs",
        *names,
        "parameters",
        "seconds",
        "bracket",
        "run",
    ]


def trial_rows(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[Row]:
    """Return the trials as rows with the columns of `trial_headings`: the best first, those without
    a result last.
    """
    objectives = record.settings.objectives
    order = rank_trials(objectives, trials)
    placed = {one.number for one in order}
    strong = {
        one.number
        for one in (non_dominated_trials(objectives, trials) if len(objectives) > 1 else order[:1])
    }
    rows = [_row(record, one, "combination" if one.number in strong else "") for one in order]
    return rows + [_row(record, one, "dropped") for one in trials if one.number not in placed]


def method(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[str]:
    """Say how a study's trials came about, a sentence or two each."""
    asked = record.settings
    goals = " and ".join(
        f"{one.name} ({'higher' if one.direction == 'max' else 'lower'})"
        for one in asked.objectives
    )
    words = [
        f"Better means: {goals}. Of a metric a trial's best epoch counts, on the validation images: no choice was made "
        "on test.",
        f"Values were suggested by {SAMPLERS[asked.sampler]}, with seed {asked.seed}.",
        schedule_words(asked.schedule),
        f"{number_of(len(trials), 'configuration')} were tried; counted as KerasTuner does, each promotion being a "
        f"trial, they are {num_trials(trials):,}.",
    ]
    if asked.constraints or asked.board:
        limits = ", ".join(
            [*map(str, asked.constraints), *([f"the board {asked.board}"] if asked.board else [])]
        )
        words.append(f"Checked before training, so that what breaks it cost no epoch: {limits}.")
    words.append(
        f"It was to end at {budget_words(record)}; it had {number_of(asked.workers, 'worker')}."
    )
    if asked.engine != "eyetune":
        words.append("KerasTuner itself searched.")
    return words


def schedule_words(schedule: SchedulerSettings) -> str:
    """Say how a schedule gives out epochs.

    Example:
        >>> schedule_words(SchedulerSettings(name="full", max_epochs=10))
        'Every trial was trained for up to 10 epochs.'
    """
    most = number_of(schedule.max_epochs, "epoch")
    onwards = "A trial that goes on continues where it paused, optimizer included: nothing is trained twice."
    match schedule.name:
        case "full":
            return f"Every trial was trained for up to {most}."
        case "halving":
            words = f"one in {schedule.factor:g} goes on at each rung, to {schedule.factor:g} times the epochs"
            return f"Epochs were given out by successive halving: {words}, up to {most}. {onwards}"
        case "hyperband":
            words = f"one in {schedule.factor:g} goes on at each rung, in brackets of different patience"
            return f"Epochs were given out by Hyperband: {words}, up to {most}. {onwards}"
        case "median":
            return f"A trial worse than the median of the others at the same epoch was stopped; up to {most}. {onwards}"


def budget_words(record: StudyRecord) -> str:
    """Say at what a study ends."""
    budget = record.settings.budget
    first = record.settings.objectives[0].name
    words = [
        number_of(budget.trials, "trial") if budget.trials is not None else "",
        number_of(budget.epochs, "epoch") if budget.epochs is not None else "",
        duration(budget.seconds) if budget.seconds is not None else "",
        f"{first} {value_words(first, budget.target)}" if budget.target is not None else "",
    ]
    return " or ".join(filter(None, words)) or "the schedule's own end"


def commands(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[str]:
    """Return the words that go on with a study, show it, and train its best network for longer."""
    name = shlex.quote(record.name)
    more = f" --trials {2 * max(1, len(trials))}" if record.state is StudyState.COMPLETE else ""
    best = rank_trials(record.settings.objectives, trials)[:1]
    train = [
        f"eyetune train {one.run} --epochs 50 --set fit.early_stopping=5" for one in best if one.run
    ]
    return [f"eyetune tune --resume --name {name}{more}", f"eyetune study {name}", *train]


def _in(trials: Sequence[TrialRecord], state: TrialState) -> list[TrialRecord]:
    return [trial for trial in trials if trial.state is state]


def _whole(trial: TrialRecord) -> str:
    values = hyperparameter_words(trial)
    return f"{values}\n\n{trial.error.strip()}" if values else trial.error.strip()


def _facts(
    record: StudyRecord, trials: Sequence[TrialRecord], order: Sequence[TrialRecord]
) -> list[tuple[str, str]]:
    trained, whole = sum(trial.epochs for trial in trials), epochs_without_stopping(record, trials)
    best = [
        (f"best {one.name}, trial {order[0].number}", value_words(one.name, value))
        for one, value in zip(
            record.settings.objectives, (order[0].objectives or ()) if order else (), strict=False
        )
    ]
    counts = ", ".join(
        f"{count} {STATE_WORDS[state]}" for state, count in count_states(trials).items()
    )
    saved = (
        f"epochs trained of {whole:,} without stopping early"
        if whole > trained
        else "epochs trained"
    )
    return [
        *best,
        (f"trials: {counts}" if counts else "trials", f"{len(trials):,}"),
        (saved, f"{trained:,}"),
    ]


def _best_rows(
    record: StudyRecord, order: Sequence[TrialRecord], importances: Mapping[str, float]
) -> list[Row]:
    if not order:
        return []
    best = order[0]
    edges = record.space.on_the_edge(best.all_values)
    rows = []
    for name, value in best.all_values.items():
        searched = describe(record.space[name]) if name in record.space.names else "not searched"
        known = importances.get(name)
        share = "" if known is None or math.isnan(known) else f"{known:.0%}"
        edge = f"the {edges[name]}" if name in edges else ""
        cells = (
            Cell(name),
            Cell(setting_words(value)),
            Cell(searched),
            Cell(edge, kind="worse"),
            Cell(share),
        )
        rows.append(Row(cells))
    return rows


def _row(record: StudyRecord, trial: TrialRecord, kind: str) -> Row:
    objectives = record.settings.objectives
    reached = trial.objectives or (None,) * len(objectives)
    values = trial.all_values
    if len(record.space) <= MAX_AXES:
        settings = [
            _setting(values[name]) if name in values else Cell("") for name in record.space.names
        ]
    else:
        settings = [Cell(hyperparameter_words(trial))]
    size = trial.network.get("parameters")
    cells = [
        Cell(str(trial.number), trial.number),
        *(_objective(one.name, value) for one, value in zip(objectives, reached, strict=False)),
        Cell(
            STATE_WORDS[trial.state],
            STATE_WORDS[trial.state],
            "worse" if trial.state is TrialState.FAILED else "",
        ),
        Cell(f"{trial.epochs}", trial.epochs),
        *settings,
        Cell("") if size is None else Cell(f"{size:,.0f}", size),
        Cell(f"{trial.seconds:,.0f}", trial.seconds),
        Cell(str(trial.bracket), trial.bracket),
        Cell(trial.run or "", trial.run or ""),
    ]
    return Row(cells, kind)


def _objective(name: str, value: float | None) -> Cell:
    if value is None:
        return Cell("")
    return Cell(value_words(name, value), value if math.isfinite(value) else "")


def _setting(value: Any) -> Cell:
    return Cell(setting_words(value), int(value) if isinstance(value, bool) else value)


def _infeasible_rows(trials: Sequence[TrialRecord]) -> list[Row]:
    reasons = Counter(reason.partition(":")[0] for trial in trials for reason in trial.infeasible)
    return [
        Row((Cell(reason), Cell(f"{count:,}", count))) for reason, count in reasons.most_common()
    ]


def _trials_words(trials: Sequence[TrialRecord]) -> str:
    shown = f"The first {MAX_ROWS:,} of {len(trials):,}, t" if len(trials) > MAX_ROWS else "T"
    return f"{shown}he best first; in bold what no other trial beats. A click on a heading sorts."


def _drawings(
    record: StudyRecord,
    trials: Sequence[TrialRecord],
    histories: Mapping[str, History],
    importances: Mapping[str, float],
) -> dict[str, Drawing]:
    first = record.settings.objectives[0].name
    drawn = {
        "curve": drawing(
            study_figures.best_curve(record, trials),
            "curve",
            f"The best {first} so far (line), and each trial where it ended, against the epochs trained.",
        ),
        "parallel": drawing(
            study_figures.parallel_coordinates(record, trials),
            "parallel",
            "A line a trial: the darker, the better. It is broken off where a hyperparameter does not count.",
        ),
        "slices": drawing(
            study_figures.slices(record, trials),
            "slices",
            "A dot a trial, over the whole range that was searched. Trials that were stopped early are hollow: longer "
            "training would have changed them.",
        ),
    }
    if any(histories.get(trial.run or "") for trial in trials):
        caption = "The best trials over all others (grey). Dots: where a trial paused or ended."
        drawn["learning"] = drawing(
            study_figures.learning_curves(record, trials, histories), "learning", caption
        )
    if importances:
        caption = (
            f"How much of the spread of {first} among the trials each hyperparameter explains. It says what mattered "
            "within this space, not beyond it."
        )
        drawn["importances"] = drawing(
            study_figures.importance_bars(importances), "importances", caption
        )
    if len(record.settings.objectives) > 1:
        caption = (
            "Ringed: trials that no other one beats in all objectives at once (the Pareto front)."
        )
        drawn["front"] = drawing(study_figures.pareto_picture(record, trials), "front", caption)
    return drawn
