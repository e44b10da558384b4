"""How a study shows itself while it runs: a table on a terminal, lines elsewhere."""

from __future__ import annotations

import io
import sys
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from eyetune.records.study import Budget, SchedulerSettings
from eyetune.records.trial import Execution, InfeasibleReason, Rung, TrialRecord, TrialState
from eyetune.report.progress.study_progress import (
    MAX_RUNNING,
    StudyDisplay,
    Tally,
    planned,
    seconds_left,
    trial_line,
)
from eyetune.testing.studies import ACCURACY, LIMIT, PARAMETERS, fabricated_study
from eyetune.values.history import Epoch, Progress
from tests.counting import count_calls

STUDY = fabricated_study(22, failing=0)
RECORD = STUDY.record
EPOCH = Epoch(4, 1.5, 0.45, 1.3, 0.53, 0.001, 9.9, 4321.0)


def running(number: int, run: str, *, epochs: int = 0, granted: int = 10) -> TrialRecord:
    values = {"units": 32 + number}
    return TrialRecord(
        number=number,
        state=TrialState.RUNNING,
        values=values,
        run=run,
        epochs=epochs,
        epochs_granted=granted,
    )


def reached(
    trial: TrialRecord, value: float, *, epochs: int, state: TrialState = TrialState.PAUSED
) -> TrialRecord:
    rung = Rung(epochs=epochs, values=(value,))
    return trial.with_(state=state, rungs=(*trial.rungs, rung), epochs=epochs, partial=None)


def shown(display: StudyDisplay, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), record=True, highlight=False)
    console.print(display)
    return console.export_text()


@pytest.fixture
def display() -> StudyDisplay:
    return StudyDisplay(RECORD, enabled=False)


@pytest.mark.parametrize("width", [80, 140])
def test_table_shows_running_trials(display: StudyDisplay, width: int) -> None:
    display.begin("a", "trial 3", 10)
    display.on_trial(running(3, "a").with_(bracket=1))
    display.begin("b", "trial 4 [b]", 2)
    display.on_progress_log("a", EPOCH)
    display.on_progress_log("unknown", EPOCH)
    lines = shown(display, width).splitlines()
    assert max(map(len, lines)) <= width
    (row,) = [line.split() for line in lines if line.startswith("trial 3")]
    assert row == ["trial", "3", "4", "of", "10", "1", "53.0%", "units=35"]
    assert any(line.startswith("trial 4 [b]") for line in lines)
    display.on_trial(reached(running(3, "a"), 0.53, epochs=10, state=TrialState.COMPLETE))
    text = shown(display, width)
    assert "4 of 10" not in text
    assert "trial 3  53.00%" in text
    display.end("b", "")
    assert "running" not in shown(display, width)


def test_table_shows_the_best_counts_and_epochs(display: StudyDisplay) -> None:
    for number, value in enumerate([0.4, 0.7, 0.5, 0.6]):
        display.on_trial(reached(running(number, str(number)), value, epochs=2))
    display.on_trial(
        TrialRecord(number=4, state=TrialState.FAILED, values={}, error="ValueError: x")
    )
    text = shown(display)
    best = [line.split()[1] for line in text.splitlines() if line.startswith("trial ")]
    assert best == ["1", "3", "2"]
    assert "5 trials: 4 paused, 1 failed" in text
    assert "8 epochs trained" in text


def test_table_shows_trials_that_were_recorded_before(display: StudyDisplay) -> None:
    display.on_trial(running(3, "a", epochs=2))
    display.on_trial(running(4, "b").with_(final_seconds=60.0))
    display.begin("a", "trial 3", 10)
    display.begin("b", "final training", 400)
    rows = [line.split() for line in shown(display, 140).splitlines()]
    assert ["trial", "3", "2", "of", "10", "0", "units=35"] in rows
    assert ["final", "training", "0", "0", "units=36"] in rows


def test_status_counts_parts_of_epochs() -> None:
    now = [0.0]
    display = StudyDisplay(
        RECORD, STUDY.trials[:2], planned_epochs=120, enabled=False, clock=lambda: now[0]
    )
    before = sum(trial.epochs for trial in STUDY.trials[:2])
    display.begin("a", "trial 2", 10)
    display.on_trial(running(2, "a", epochs=2))
    display.on_progress_log("a", EPOCH)
    display.on_progress_log("a", Progress(5, 10, 500, 1000, 1.0, 0.5, 900.0))
    now[0] = 100.0
    done = 2 + 2.5  # by the record, and since then
    text = shown(display)
    assert f"{before + done:,.0f} epochs of at most 120 trained" in text
    left = 100 / done * (120 - before - done)
    assert f"{round(left / 60)} min left" in text or f"{round(left / 60) // 60} h" in text


def test_seconds_left_follow_a_time_budget() -> None:
    settings = RECORD.settings.model_copy(update={"budget": Budget(seconds=1800)})
    record = RECORD.model_copy(update={"settings": settings, "seconds": 600.0})
    now = [0.0]
    display = StudyDisplay(record, enabled=False, clock=lambda: now[0])
    now[0] = 300.0
    assert "15 min passed, 15 min left" in shown(display)
    now[0] = 3000.0
    assert "0 s left" in shown(display)


def test_seconds_left_take_the_earlier_end() -> None:
    assert seconds_left(RECORD, passed=10, before=0, epochs=5, planned_epochs=None) is None
    assert seconds_left(RECORD, passed=10, before=0, epochs=0.5, planned_epochs=100) is None
    settings = RECORD.settings.model_copy(update={"budget": Budget(seconds=50)})
    limited = RECORD.model_copy(update={"settings": settings})
    assert seconds_left(limited, passed=10, before=0, epochs=5, planned_epochs=100) == 40
    assert seconds_left(limited, passed=10, before=0, epochs=5, planned_epochs=10) == 10


def test_planned_epochs_follow_the_budget() -> None:
    for budget, name, epochs in (
        (Budget(epochs=77, trials=5), "hyperband", 77),
        (Budget(trials=5), "full", 50),
        (Budget(trials=5), "halving", None),
        (Budget(), "full", None),
    ):
        schedule = SchedulerSettings.model_validate({"name": name})
        settings = RECORD.settings.model_copy(update={"budget": budget, "schedule": schedule})
        assert planned(RECORD.model_copy(update={"settings": settings})) == epochs


def test_table_is_limited_to_a_screen(display: StudyDisplay) -> None:
    for number in range(MAX_RUNNING + 30):
        display.begin(str(number), f"trial {number}", 10)
    assert "and 30 more" in shown(display)
    assert shown(display).count("trial ") == MAX_RUNNING


def test_display_prints_a_line_per_rung_or_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = running(0, "a")
    with StudyDisplay(RECORD) as display:
        display.note("2 run(s) seed the search")
        display.begin("a", "trial 0", 2)
        display.on_trial(first.with_(state=TrialState.WAITING))
        display.on_trial(first)
        display.on_progress_log("a", EPOCH)
        paused = reached(first, 0.4, epochs=2)
        display.on_trial(paused)
        display.on_trial(paused)
        display.on_trial(paused.with_(state=TrialState.RUNNING))
        ended = reached(paused, 0.55, epochs=10, state=TrialState.COMPLETE)
        display.on_trial(ended)
        display.on_trial(
            TrialRecord(
                number=1, state=TrialState.FAILED, values={}, error="ValueError: [x]\nTraceback"
            )
        )
        reason = InfeasibleReason.exceeded(f"{LIMIT} is violated", "parameters", 500_000, 400_000)
        display.on_trial(
            TrialRecord(
                number=2,
                state=TrialState.INFEASIBLE,
                values={"a": 1},
                infeasible_reasons=(reason,),
            )
        )
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "2 run(s) seed the search",
        "trial 0  val_accuracy 40.00%  2 epochs, bracket 0  paused  units=32",
        "trial 0  val_accuracy 55.00%  10 epochs, bracket 0  trained to the end  units=32",
        "trial 1  failed: ValueError: [x]",
        "trial 2  infeasible: parameters < 400000 is violated: 500,000  a=1",
    ]


def test_stopped_trial_gets_no_second_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with StudyDisplay(RECORD) as display:
        paused = reached(running(0, "a"), 0.4, epochs=2)
        display.on_trial(paused)
        display.on_trial(paused.with_(state=TrialState.STOPPED))
        display.on_trial(reached(running(1, "b"), 0.3, epochs=2, state=TrialState.STOPPED))
    assert [line.partition("  ")[0] for line in capsys.readouterr().err.splitlines()] == [
        "trial 0",
        "trial 1",
    ]


def test_terminal_gets_a_table_and_lines_for_failures(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with StudyDisplay(RECORD) as display:
        display.begin("a", "trial 0", 2)
        display.on_trial(running(0, "a"))
        time.sleep(0.6)
        display.on_trial(reached(running(0, "a"), 0.4, epochs=2))
        display.on_trial(
            TrialRecord(number=1, state=TrialState.FAILED, values={}, error="ValueError: x")
        )
    text = capsys.readouterr().err
    assert "0 of 10" in text
    assert "failed: ValueError: x" in text
    assert "val_accuracy 40.00%  2 epochs" not in text


def test_disabled_display_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with StudyDisplay(RECORD, enabled=False) as display:
        display.note("x")
        display.on_trial(reached(running(0, "a"), 0.4, epochs=2))
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_notebook_gets_lines_on_standard_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    with StudyDisplay(RECORD) as display:
        display.on_trial(reached(running(0, "a"), 0.4, epochs=2))
    captured = capsys.readouterr()
    assert captured.out.startswith("trial 0  val_accuracy 40.00%")
    assert captured.err == ""


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1), st.integers(1, 10)), max_size=30))
def test_tally_equals_that_of_all_trials_at_once(entries: list[tuple[int, float, int]]) -> None:
    tally = Tally(RECORD)
    latest: dict[int, TrialRecord] = {}
    for number, value, epochs in entries:
        before = latest.get(number, running(number, str(number)))
        latest[number] = reached(before.with_(rungs=()), value, epochs=epochs)
        tally.note(latest[number])
    assert tally.epochs == sum(trial.epochs for trial in latest.values())
    assert tally.num_trials == len(latest)
    order = sorted(
        latest.values(), key=lambda trial: (-(trial.objectives or (0,))[0], trial.number)
    )
    assert tally.best == order[:3]


def test_table_shows_all_objectives() -> None:
    study = fabricated_study(5, objectives=(ACCURACY, PARAMETERS), failing=0)
    text = shown(StudyDisplay(study.record, study.trials, enabled=False))
    assert "val_accuracy" in text
    assert "parameters" in text
    best = max(study.trials, key=lambda trial: trial.objectives or ())
    assert f"{best.objectives[1]:,.0f}" in text  # type: ignore[index]
    assert f"parameters {best.objectives[1]:,.0f}" in trial_line(study.record, best)  # type: ignore[index]


def test_display_costs_as_much_for_each_of_many_trials(display: StudyDisplay) -> None:
    trials = [
        reached(running(n, f"{n}"), (n * 7919 % 10007) / 10007, epochs=2) for n in range(2000)
    ]

    def show(part: list[TrialRecord]) -> None:
        for trial in part:
            display.on_trial(trial)

    first = count_calls(lambda: show(trials[:200]))
    show(trials[200:1800])
    assert count_calls(lambda: show(trials[1800:])) < 2 * first
    few = StudyDisplay(RECORD, trials[:10], enabled=False)
    console = Console(width=100, file=io.StringIO())
    calls_for_few = count_calls(lambda: console.print(few))
    assert count_calls(lambda: console.print(display)) < 5 * calls_for_few


def test_long_training_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    with StudyDisplay(RECORD, clock=lambda: now[0]) as display:
        display.begin("run", "trial 7", 400)
        for number in range(1, 13):
            now[0] += 10.0
            display.on_progress_log("run", Epoch(number, 1.0, 0.5, 1.0, 0.5, 0.1, 10.0, 100.0))
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in lines] == [
        f"trial 7: epoch {number}" for number in (3, 6, 9, 12)
    ]


def test_table_shows_each_execution_until_it_has_reached_its_rung(display: StudyDisplay) -> None:
    executions = (Execution(run="a", seed=0), Execution(run="b", seed=1))
    trial = running(0, "a", granted=4).with_(executions=executions)
    display.on_trial(trial)
    display.begin("a", "trial 0, seed 0", 4)
    display.begin("b", "trial 0, seed 1", 4)
    display.on_progress_log("b", EPOCH)
    done = executions[1].model_copy(update={"rung": 0, "epochs": 4})
    display.on_trial(trial.with_(executions=(executions[0], done)))
    text = shown(display)
    assert "seed 0" in text
    assert "seed 1" not in text
    assert "4 epochs trained" in text
    display.end("a", "")
    assert "seed 0" not in shown(display)
