"""Following the records: what trackers are told, when, and what happens if they fail."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any, Literal

import pytest

from eyetune.errors import ArgumentTypeError, DivergedError, EyetuneWarning
from eyetune.records import RunState, Workspace
from eyetune.records.study import Budget, Limits
from eyetune.records.trial import TrialState
from eyetune.testing.labs import fabricated_lab
from eyetune.tracking.background import BackgroundTrackers
from eyetune.tracking.follow import follow
from eyetune.tracking.tracker import Metrics, Tracked, Tracker
from eyetune.tuning.recording import record_failure
from tests.records.fabricate import add_run, make_epoch, make_results
from tests.tracking.studies import (
    Recorder,
    UnluckySeed,
    failing_curve,
    followed,
    new_study,
    run_study,
)


def test_study_is_followed_from_its_begin_to_its_end() -> None:
    workspace, recorder = Workspace(), Recorder()
    record = new_study(workspace, schedule="hyperband", budget=Budget())
    run_study(workspace, record, [recorder])
    trials = workspace.studies.trials(record.id)
    assert recorder.calls[0][0] == "begin"
    assert recorder.calls[0][1].id == record.id
    assert [method for method, _ in recorder.calls[-2:]] == ["end", "close"]
    assert recorder.calls[-2][1][0].kind == "study"
    begun = {item.id: item for item in recorder.of("begin")}
    assert len(set(recorder.epochs)) == len(recorder.epochs)
    for trial in trials:
        item_id = f"{record.id}/{trial.number}"
        assert begun[item_id].parent == record.id
        assert begun[item_id].parameters == trial.values
        history = workspace.runs.history(trial.run or "")
        logged = [
            (epoch, metrics["val_accuracy"])
            for item, epoch, metrics in recorder.of("log_epoch")
            if item.id == item_id
        ]
        assert logged == [(epoch.epoch, epoch.val_accuracy) for epoch in history]
        end = recorder.ends[item_id]
        assert (end.state, end.is_over, end.num_epochs) == (trial.state, True, trial.epochs)
        assert end.metrics["parameters"] == trial.network["parameters"]
        assert trial.objectives is not None
        assert end.metrics["best_val_accuracy"] == trial.objectives[0]
    best = max(trial.objectives[0] for trial in trials if trial.objectives)
    end = recorder.ends[record.id]
    assert end.metrics["best_val_accuracy"] == best
    assert end.metrics["trials"] == len(trials)
    assert (end.state, end.num_epochs) == ("COMPLETE", sum(trial.epochs for trial in trials))


def test_epochs_come_between_begin_and_end() -> None:
    workspace, recorder = Workspace(), Recorder()
    run_study(workspace, new_study(workspace, schedule="halving"), [recorder])
    running: set[str] = set()
    for method, got in recorder.calls:
        if method == "begin":
            running.add(got.id)
        elif method == "log_epoch":
            assert got[0].id in running
        elif method == "end":
            running.discard(got[0].id)
    assert not running


def test_failed_and_infeasible_trials_end_as_such() -> None:
    workspace, recorder = Workspace(), Recorder()
    record = new_study(workspace, constraints=("parameters < 1500",), budget=Budget(trials=12))
    run_study(workspace, record, [recorder], curve=failing_curve)
    trials = workspace.studies.trials(record.id)
    states = {trial.state for trial in trials}
    assert {TrialState.FAILED, TrialState.INFEASIBLE, TrialState.COMPLETE} <= states
    for trial in trials:
        end = recorder.ends[f"{record.id}/{trial.number}"]
        assert end.state == trial.state
        assert ("out of luck" in end.error) == (trial.state is TrialState.FAILED)
        assert ("infeasible" in end.tags) == (trial.state is TrialState.INFEASIBLE)
    counts = recorder.ends[record.id].metrics
    assert counts["trials_failed"] == sum(trial.state is TrialState.FAILED for trial in trials)


@pytest.mark.parametrize("after", [3, 9])
def test_resumed_study_logs_each_epoch_once(after: int) -> None:
    workspace, recorder = Workspace(), Recorder()
    record = new_study(workspace, schedule="halving")
    run_study(workspace, record, [recorder], interrupt_after=after, seconds=0.001)
    assert recorder.ends[record.id].state == "PAUSED"
    assert all(end.state != "RUNNING" for end in recorder.ends.values())
    before = {
        trial.number
        for trial in workspace.studies.trials(record.id)
        if trial.state is not TrialState.WAITING
    }
    again = Recorder()
    run_study(workspace, record, [again])
    caught_up = {item.id for item, _ in again.of("catch_up")}
    assert caught_up == {f"{record.id}/{number}" for number in before}
    logged = recorder.epochs + again.epochs
    expected = [
        (f"{record.id}/{trial.number}", epoch.epoch)
        for trial in workspace.studies.trials(record.id)
        for epoch in workspace.runs.history(trial.run or "")
    ]
    assert sorted(logged) == sorted(expected)
    assert again.ends[record.id].state == "COMPLETE"
    for item in again.of("begin"):
        if item.kind == "trial":
            earlier = {epoch for item_id, epoch in recorder.epochs if item_id == item.id}
            assert earlier <= set(item.epochs)


def test_executions_are_parts_of_their_trial() -> None:
    workspace, recorder = Workspace(), Recorder()
    record = new_study(workspace, schedule="halving", executions=2, budget=Budget(trials=3))
    run_study(workspace, record, [recorder], luck=lambda seed: seed / 100)
    begun = {item.id: item for item in recorder.of("begin")}
    for trial in workspace.studies.trials(record.id):
        item_id = f"{record.id}/{trial.number}"
        assert trial.result is not None
        end = recorder.ends[item_id]
        assert end.state == trial.state
        assert end.metrics["best_val_accuracy"] == trial.result.values[0]
        assert end.metrics["best_val_accuracy_deviation"] == trial.result.spread[0]
        for execution in trial.executions:
            part = begun[f"{item_id}/{execution.seed}"]
            assert (part.kind, part.parent) == ("execution", item_id)
            logged = [epoch for part_id, epoch in recorder.epochs if part_id == part.id]
            assert logged == list(range(1, execution.epochs + 1))
            assert recorder.ends[part.id].is_over
    assert {item_id for item_id, _ in recorder.epochs} == {
        item.id for item in begun.values() if item.kind == "execution"
    }


def test_interrupted_executions_continue() -> None:
    workspace, recorder, again = Workspace(), Recorder(), Recorder()
    record = new_study(workspace, schedule="halving", executions=2, budget=Budget(trials=3))
    run_study(workspace, record, [recorder], interrupt_after=9, seconds=0.001)
    run_study(workspace, record, [again])
    logged = recorder.epochs + again.epochs
    assert len(set(logged)) == len(logged)
    assert sorted(logged) == sorted(
        (f"{record.id}/{trial.number}/{execution.seed}", epoch.epoch)
        for trial in workspace.studies.trials(record.id)
        for execution in trial.executions
        for epoch in workspace.runs.history(execution.run)
    )


def test_training_that_is_repeated_ends_as_failed() -> None:
    workspace, recorder = Workspace(), Recorder()
    record = new_study(workspace, budget=Budget(trials=1), limits=Limits(retries=1))
    run_study(workspace, record, [recorder], luck=UnluckySeed())
    (trial,) = workspace.studies.trials(record.id)
    assert (trial.state, trial.retries) == (TrialState.COMPLETE, 1)
    first, second = f"{record.id}/0", f"{record.id}/0/retry-1"
    assert recorder.epochs == [
        *((first, epoch) for epoch in (1, 2)),
        *((second, epoch) for epoch in (1, 2, 3, 4)),
    ]
    assert list(recorder.ends) == [first, second, record.id]
    assert recorder.ends[first].state == "FAILED"
    assert "an unlucky seed" in recorder.ends[first].error
    assert recorder.ends[second].state == "COMPLETE"
    assert recorder.ends[record.id].num_epochs == 6


class Failing(Recorder):
    """Fails at its third epoch."""

    def log_epoch(self, item: Tracked, epoch: int, metrics: Metrics) -> None:
        super().log_epoch(item, epoch, metrics)
        if len(self.epochs) == 3:
            raise OSError("No space left on device")


def test_failing_tracker_is_reported_once_and_left_out() -> None:
    workspace, failing, healthy = Workspace(), Failing(), Recorder()
    received: list[str] = []
    record = new_study(workspace)
    done = run_study(workspace, record, [failing, healthy], warnings=received)
    assert done.state == "COMPLETE"
    assert len(failing.epochs) == 3
    assert failing.calls[-1][0] == "log_epoch"
    assert len(healthy.epochs) == 6 * 4
    (warning,) = received
    assert "Failing" in warning
    assert "No space left on device" in warning


class Broken(Tracker):
    """Fails in each call."""

    def begin(self, item: Tracked) -> None:
        raise OSError(f"no space for {item.id}")


@pytest.mark.parametrize("action", ["default", "error"])
def test_failing_tracker_warns_once_and_ends_nothing(
    action: Literal["default", "error"], capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        with follow(workspace, [Broken()]):
            for _ in range(2):
                add_run_that_trains(workspace)
    texts = [str(warning.message) for warning in caught]
    assert {warning.category for warning in caught} <= {EyetuneWarning}
    texts += filter(None, [capsys.readouterr().err])
    assert len(texts) == 1
    assert "Broken" in texts[0]


def add_run_that_trains(workspace: Workspace) -> None:
    run = add_run(workspace)
    with workspace.runs.claim(run.id):
        workspace.runs.set_state(run.id, RunState.RUNNING)
        workspace.runs.save_epochs(run.id, [make_epoch(1)])


def test_results_made_from_a_study_are_logged_at_its_end(tmp_path: Path) -> None:
    workspace, recorder = Workspace(), Recorder()
    record = new_study(workspace, budget=Budget(trials=2))
    with followed(workspace, recorder) as follower:
        run_study(workspace, record, [])
        follower.add_results(record.id, {"test_int8_accuracy": 0.5}, {"export/a": tmp_path / "a"})
    end = recorder.ends[record.id]
    assert (end.state, end.metrics["trials"]) == ("COMPLETE", 2)
    assert end.metrics["test_int8_accuracy"] == 0.5
    assert end.files["export/a"] == tmp_path / "a"


class Hanging(Tracker):
    """Never returns from its first call, until the test is over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def begin(self, item: Tracked) -> None:  # noqa: ARG002
        self.over.wait()


def test_hanging_tracker_does_not_hold_up_the_end() -> None:
    hanging, received = Hanging(), list[str]()
    background = BackgroundTrackers([hanging], received.append, seconds_to_finish=0.05)
    background.begin(Tracked("1", "run", "one"))
    background.close()
    hanging.over.set()
    assert len(received) == 1
    assert "Hanging" in received[0]


def test_damaged_records_end_the_following_but_not_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspace, recorder, received = Workspace(), Recorder(), list[str]()
    with followed(workspace, recorder, warnings=received):
        run = add_run(workspace)
        with monkeypatch.context() as patch:
            patch.setattr(workspace.runs, "get", lambda _: 1 / 0)
            workspace.runs.set_state(run.id, RunState.FAILED)
            workspace.runs.set_state(run.id, RunState.COMPLETE)
    assert len(received) == 1
    assert workspace.runs.get(run.id).state is RunState.COMPLETE


def test_run_of_its_own_ends_with_its_files() -> None:
    workspace, recorder = Workspace(), Recorder()
    with followed(workspace, recorder):
        run = add_run(workspace, name="mine")
        with workspace.runs.claim(run.id):
            workspace.runs.set_state(run.id, RunState.RUNNING)
            workspace.runs.save_epochs(run.id, [make_epoch(1)])
            workspace.runs.save_epochs(run.id, [make_epoch(1), make_epoch(2)])
            workspace.runs.set_state(run.id, RunState.COMPLETE, results=make_results())
        plots = workspace.runs.folder(run.id) / "plots"
        plots.mkdir()
        (plots / "curves.png").write_bytes(b"")
    (begun,) = recorder.of("begin")
    assert (begun.id, begun.name, begun.kind, begun.parent) == (run.id, "mine", "run", "")
    assert begun.parameters["fit.epochs"] == run.recipe.fit.epochs
    assert begun.parameters["seed"] == run.seed
    assert recorder.epochs == [(run.id, 1), (run.id, 2)]
    ((_, end),) = recorder.of("end")
    assert end.state == "COMPLETE"
    assert end.metrics["validation_accuracy"] == make_results().validation_accuracy
    assert set(end.files) == {"recipe.toml", "plots/curves.png"}


def test_interrupted_and_failed_runs_end_as_such() -> None:
    for error, state in ((KeyboardInterrupt(), "PAUSED"), (DivergedError("NaN"), "FAILED")):
        workspace, recorder = Workspace(), Recorder()
        with pytest.raises(type(error)), followed(workspace, recorder):
            run = add_run(workspace)
            with workspace.runs.claim(run.id):
                workspace.runs.set_state(run.id, RunState.RUNNING)
                record_failure(workspace, run.id, error)
            raise error
        ((item, end),) = recorder.of("end")
        assert (item.id, end.state) == (run.id, state)
        assert ("NaN" in end.error) == (state == "FAILED")


def test_lab_is_followed_with_its_runs() -> None:
    workspace, recorder = Workspace(), Recorder()
    record = fabricated_lab(2, seeds=(0,), workspace=workspace)
    (reused, *_) = sorted(record.run_ids)
    with followed(workspace, recorder) as follower:
        follower.begin_lab("0123abcd", {"seeds": (0,), "seconds": None})
        run = add_run(workspace, lab_id="0123abcd", name="flip=true")
        with workspace.runs.claim(run.id):
            workspace.runs.set_state(run.id, RunState.RUNNING)
            workspace.runs.save_epochs(run.id, [make_epoch(1)])
            workspace.runs.set_state(run.id, RunState.COMPLETE, results=make_results())
        workspace.labs.save(record)
        follower.end_lab(record)
    lab, child = recorder.of("begin")
    assert (lab.kind, lab.parameters) == ("lab", {"seeds": "0"})
    assert (child.id, child.parent, child.name) == (run.id, lab.id, "flip=true")
    assert recorder.epochs == [(run.id, 1)]
    assert {item.id for item, _ in recorder.of("catch_up")} == record.run_ids
    assert {item.parent for item, _ in recorder.of("catch_up")} == {lab.id}
    assert reused in {item.id for item, _ in recorder.of("catch_up")}
    assert list(recorder.ends) == [run.id, lab.id]
    end = recorder.ends[lab.id]
    assert end.tags["answer"] == record.answer
    assert end.metrics["test_accuracy"] == record.final.test_accuracy


def test_interrupted_lab_pauses_and_catches_up() -> None:
    workspace, recorder, again = Workspace(), Recorder(), Recorder()
    with pytest.raises(KeyboardInterrupt), followed(workspace, recorder) as follower:
        follower.begin_lab("0123abcd", {})
        run = add_run(workspace, lab_id="0123abcd")
        with workspace.runs.claim(run.id):
            workspace.runs.set_state(run.id, RunState.RUNNING)
            workspace.runs.save_epochs(run.id, [make_epoch(1)])
        raise KeyboardInterrupt
    assert {end.state for end in recorder.ends.values()} == {"PAUSED"}
    with followed(workspace, again) as follower:
        follower.begin_lab("0123abcd", {})
    ((item, end),) = again.of("catch_up")
    assert (item.id, list(item.epochs), end.state) == (run.id, [1], "PAUSED")
    assert again.of("begin")[0].id == recorder.of("begin")[0].id


def test_labs_of_two_workspaces_have_different_ids(tmp_path: Path) -> None:
    ids = []
    for name in ("a", "b"):
        recorder = Recorder()
        with followed(Workspace(tmp_path / name), recorder) as follower:
            follower.begin_lab("0123abcd", {})
        ids.append(recorder.of("begin")[0].id)
    assert ids[0] != ids[1]


def test_nothing_is_told_about_what_is_rolled_back() -> None:
    workspace, recorder = Workspace(), Recorder()
    with followed(workspace, recorder):
        run = add_run(workspace)
        with workspace.runs.claim(run.id):
            workspace.runs.set_state(run.id, RunState.RUNNING)
            with pytest.raises(ZeroDivisionError), workspace.transaction():
                workspace.runs.save_epochs(run.id, [make_epoch(1)])
                raise ZeroDivisionError
            with workspace.transaction():
                workspace.runs.save_epochs(run.id, [make_epoch(2)])
    assert recorder.epochs == [(run.id, 2)]


@pytest.mark.parametrize("trackers", ["mlflow", Recorder(), ["sqlite:///mlflow.db"], [Recorder]])
def test_follow_refuses_what_is_no_tracker(trackers: Any) -> None:
    with pytest.raises(ArgumentTypeError), follow(Workspace(), trackers, print):
        pass
