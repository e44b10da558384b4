from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from eyetune.analysis.ranking import non_dominated_trials, rank_trials
from eyetune.analysis.study_summary import summary_sentences, warnings
from eyetune.cli.study_tables import MAX_LEADERS, study_tables, trial_table
from eyetune.records.study import Objective
from eyetune.records.trial import Rung, TrialState
from eyetune.testing.studies import ACCURACY, PARAMETERS, SECONDS, FabricatedStudy, fabricated_study
from eyetune.values.int8_accuracy import Int8Accuracy

STUDY = fabricated_study(60, failing=0.15, infeasible=0.1)
IMPORTANCES = {name: 0.5 / place for place, name in enumerate(STUDY.record.space.names, start=1)}


def printed(shown: list[RenderableType], width: int = 80) -> str:
    console = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    for one in shown:
        console.print(one)
    return console.export_text()


def tables(study: FabricatedStudy, width: int = 80) -> str:
    words = warnings(study.record, study.trials)
    return printed(
        study_tables(
            study.record, study.trials, IMPORTANCES, words, [Path("/studies/report.html")]
        ),
        width,
    )


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("width", [80, 120])
def test_study_tables_show_the_best_and_the_summary(width: int) -> None:
    text = tables(STUDY, width)
    assert max(map(len, text.splitlines())) <= width
    order = rank_trials((ACCURACY,), STUDY.trials)
    for trial in order[:MAX_LEADERS]:
        assert trial.objectives is not None
        assert f"{trial.objectives[0]:.2%}" in text
    assert f"... and {len(order) - MAX_LEADERS} more" in text
    for sentence in (
        *warnings(STUDY.record, STUDY.trials),
        *summary_sentences(STUDY.record, STUDY.trials),
    ):
        assert flat(sentence) in flat(text)
    bars = [line.count("█") for line in text.splitlines() if "█" in line]
    assert bars == sorted(bars, reverse=True)
    assert bars[0] == 2 * bars[1]
    assert flat(text).endswith("/studies/report.html")


def test_three_objectives_fit_into_80_columns() -> None:
    study = fabricated_study(20, objectives=(ACCURACY, PARAMETERS, SECONDS), failing=0)
    text = tables(study)
    assert max(map(len, text.splitlines())) <= 80
    objectives = study.record.settings.objectives
    assert f"bold: {len(non_dominated_trials(objectives, study.trials))}" in text
    best = rank_trials(objectives, study.trials)[0]
    assert best.objectives is not None
    assert f"{best.objectives[1]:,.0f}" in text
    assert f"units={best.values['units']}" in text


def test_study_tables_escape_what_users_wrote() -> None:
    record = STUDY.record.model_copy(update={"name": "[red]x", "data_name": "[bold]y"})
    trial = STUDY.trials[1].with_(values={"[b]": "[/b]"})
    text = printed(study_tables(record, [trial], {"[b]": 0.5}, ["[i]mind"], [Path("[x]")]))
    for written in ("[red]x", "[bold]y", "[b]=[/b]", "[i]mind", "[x]"):
        assert written in text
    assert "[/b]" in printed(trial_table(record, trial))


@pytest.mark.parametrize(
    "study",
    [fabricated_study(0), fabricated_study(4, failing=1), fabricated_study(4, infeasible=1)],
)
def test_study_without_a_result_has_no_best_trials(study: FabricatedStudy) -> None:
    text = flat(
        printed(study_tables(study.record, study.trials, {}, warnings(study.record, study.trials)))
    )
    assert summary_sentences(study.record, study.trials)[0] in text
    assert "The best trials" not in text


def test_trial_table_shows_rungs_network_and_ranges() -> None:
    best = rank_trials((ACCURACY,), STUDY.trials)[0]
    text = printed(trial_table(STUDY.record, best.with_(more_values={"late": 3})))
    for name in best.values:
        assert name in text
    assert "32 to 512 in steps of 32" in text
    assert "not searched" in text
    for rung in best.rungs:
        assert f"{rung.epochs}        {rung.values[0]:.2%}" in text
    assert f"{best.network['parameters']:,.0f}" in text
    assert "multiply_adds" not in text  # the earlier name of macs
    assert f"run {best.run}" in text


def test_trial_table_shows_errors_and_reasons() -> None:
    failed = next(trial for trial in STUDY.trials if trial.state is TrialState.FAILED)
    text = printed(trial_table(STUDY.record, failed), 120)
    for line in failed.error.splitlines():
        assert line in text
    infeasible = next(trial for trial in STUDY.trials if trial.state is TrialState.INFEASIBLE)
    assert f"Infeasible: {infeasible.infeasible[0]}" in printed(
        trial_table(STUDY.record, infeasible)
    )


def test_uncertainty_is_beside_each_estimate() -> None:
    """Of predicted times and of the accuracy of int8 networks, in 80 columns."""
    objectives = (
        Objective(name="int8_accuracy", direction="max"),
        Objective(name="latency_ms", direction="min"),
    )
    int8 = Int8Accuracy(1600, 2000, "simulated")
    rung = Rung(epochs=3, values=(0.8, 200.0), int8=int8)
    costs = {"latency_ms": 200.0, "latency_error_ms": 70.0, "fps": 5.0}
    trials = [
        trial.with_(rungs=(rung,), network=costs, state=TrialState.COMPLETE)
        for trial in STUDY.trials[:2]
    ]
    settings = STUDY.record.settings.model_copy(update={"objectives": objectives})
    record = STUDY.record.model_copy(update={"settings": settings})
    text = flat(printed(study_tables(record, trials, {}, [])))
    for part in ("80.00% (78.2 to 81.7)", "200 ± 70 ms", "predicted, ± 35%", "2,000 validation"):
        assert part in text, part
    text = flat(printed(trial_table(record, trials[0])))
    for part in ("80.00% (78.2 to 81.7)", "2,000 validation images", "5 (3.7 to 7.7)"):
        assert part in text, part
    assert text.count("200 ± 70 ms") == 3  # the result, its rung and the network


def test_trial_table_shows_each_execution() -> None:
    study = fabricated_study(4, failing=0, executions=3)
    best = rank_trials((ACCURACY,), study.trials)[0]
    text = printed(trial_table(study.record, best))
    assert best.objectives is not None
    assert f"{best.objectives[0]:.2%} ± " in text
    rows = {line.split()[-1]: line.split() for line in text.splitlines() if line.strip()}
    for execution in best.executions:
        assert execution.result is not None
        seed, accuracy, *_ = rows[execution.run]
        assert (seed, accuracy) == (str(execution.seed), f"{execution.result.values[0]:.2%}")
    assert f"{best.objectives[0]:.2%} ± " in tables(study)
