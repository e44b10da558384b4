"""TensorBoard's logs, read back by TensorBoard's own reader and its HParams plug-in."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eyetune.errors import TrackerError, UsageError
from eyetune.records import RunState, Workspace
from eyetune.records.study import Budget
from eyetune.records.trial import TrialState
from eyetune.tracking.tensorboard_tracker import TensorBoardTracker
from tests.records.fabricate import add_run, make_epoch, make_results
from tests.tracking.studies import failing_curve, followed, new_study, run_study


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return the scalars of a run by tag, as TensorBoard reads them: steps with values."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def sessions(folder: Path) -> dict[str, Any]:
    """Return the groups of sessions that the tab HParams shows, by name."""
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams import api_pb2
    from tensorboard.plugins.hparams.backend_context import Context
    from tensorboard.plugins.hparams.list_session_groups import Handler

    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(folder))
    context = Context(TBContext(data_provider=provider, logdir=str(folder)))
    listing = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=1000,
        include_metrics=True,
        allowed_statuses=list(api_pb2.Status.values()),
    )
    response = Handler(RequestContext(), context, "", listing).run()
    return {group.name: group for group in response.session_groups}


def test_the_pinned_version_is_the_one_whose_format_is_known() -> None:
    assert importlib.metadata.version("tensorboard").split(".")[:2] == ["2", "21"]


def test_study_has_scalars_and_hparams(tmp_path: Path) -> None:
    from tensorboard.plugins.hparams import api_pb2

    workspace = Workspace()
    record = new_study(workspace, constraints=("parameters < 1500",), budget=Budget(trials=10))
    run_study(workspace, record, [TensorBoardTracker(tmp_path)], curve=failing_curve)
    groups = sessions(tmp_path)
    trials = workspace.studies.trials(record.id)
    assert {TrialState.FAILED, TrialState.INFEASIBLE} <= {trial.state for trial in trials}
    assert len(groups) == len(trials)
    for trial in trials:
        group = groups[f"{record.id}/{trial.number}"]
        for name, value in trial.values.items():
            hparam = group.hparams[name]
            received = hparam.string_value if isinstance(value, str) else hparam.number_value
            if isinstance(value, bool):
                received = hparam.bool_value
            assert received == value
        is_success = trial.state in (TrialState.COMPLETE, TrialState.STOPPED)
        status = api_pb2.STATUS_SUCCESS if is_success else api_pb2.STATUS_FAILURE
        assert [session.status for session in group.sessions] == [status]
        metrics = {value.name.tag: value.value for value in group.metric_values}
        assert metrics["parameters"] == trial.network["parameters"]
        history = workspace.runs.history(trial.run or "")
        if history:
            logged = scalars(tmp_path / f"study-{record.id}" / f"trial-{trial.number:04d}")
            expected = [(epoch.epoch, epoch.val_accuracy) for epoch in history]
            assert [step for step, _ in logged["val_accuracy"]] == [step for step, _ in expected]
            assert dict(logged["val_accuracy"]) == pytest.approx(dict(expected))


def test_resumed_study_continues_its_logs(tmp_path: Path) -> None:
    workspace = Workspace()
    record = new_study(workspace, schedule="halving")
    run_study(workspace, record, [TensorBoardTracker(tmp_path)], interrupt_after=8, seconds=0.001)
    run_study(workspace, record, [], interrupt_after=6, seconds=0.001)  # without a tracker
    run_study(workspace, record, [TensorBoardTracker(tmp_path)])
    assert [path.name for path in tmp_path.iterdir() if path.name != "workspace"] == [
        f"study-{record.id}"
    ]
    for trial in workspace.studies.trials(record.id):
        logged = scalars(tmp_path / f"study-{record.id}" / f"trial-{trial.number:04d}")
        steps = [epoch.epoch for epoch in workspace.runs.history(trial.run or "")]
        for tag in ("loss", "val_accuracy", "learning_rate"):
            assert sorted(step for step, _ in logged[tag]) == steps


def test_executions_are_one_group_of_hparams(tmp_path: Path) -> None:
    workspace = Workspace()
    record = new_study(workspace, executions=2, budget=Budget(trials=2))
    run_study(workspace, record, [TensorBoardTracker(tmp_path)])
    groups = sessions(tmp_path)
    assert set(groups) == {f"{record.id}/0", f"{record.id}/1"}
    for number in (0, 1):
        folder = tmp_path / f"study-{record.id}" / f"trial-{number:04d}"
        for seed in (0, 1):
            steps = [step for step, _ in scalars(folder / f"execution-{seed}")["loss"]]
            assert steps == [1, 2, 3, 4]


def test_run_has_its_results(tmp_path: Path) -> None:
    workspace = Workspace()
    with followed(workspace, TensorBoardTracker(tmp_path)):
        run = add_run(workspace, name="first try")
        with workspace.runs.claim(run.id):
            workspace.runs.set_state(run.id, RunState.RUNNING)
            workspace.runs.save_epochs(run.id, [make_epoch(1), make_epoch(2)])
            workspace.runs.set_state(run.id, RunState.COMPLETE, results=make_results())
    logged = scalars(tmp_path / f"first_try-{run.id}")
    assert [step for step, _ in logged["loss"]] == [1, 2]
    assert dict(logged["test_accuracy"]) == pytest.approx({2: make_results().test_accuracy})
    group = sessions(tmp_path)[run.id]
    assert group.hparams["optimizer.name"].string_value == run.recipe.optimizer.name
    assert group.hparams["seed"].number_value == run.seed


def test_a_cut_off_file_does_no_harm(tmp_path: Path) -> None:
    workspace = Workspace()
    run = add_run(workspace)
    for number in (1, 2):
        tracker = TensorBoardTracker(tmp_path)
        with followed(workspace, tracker), workspace.runs.claim(run.id):
            workspace.runs.set_state(run.id, RunState.RUNNING)
            workspace.runs.save_epochs(run.id, [make_epoch(number)])
        (path, *_) = sorted((tmp_path / run.id).iterdir())
        if number == 1:  # the process died while it wrote
            path.write_bytes(path.read_bytes()[:-3])
    assert [step for step, _ in scalars(tmp_path / run.id)["loss"]] == [1, 2]


def test_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file")
    with pytest.raises(TrackerError):
        TensorBoardTracker(tmp_path / "logs")


def test_missing_library_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UsageError) as caught:
        TensorBoardTracker(tmp_path)
    assert caught.value.fix == "pip install 'eyetune[tensorboard]'"


def test_tracker_loads_no_tensorflow(tmp_path: Path) -> None:
    script = f"""
import sys
from eyetune.tracking.tensorboard_tracker import TensorBoardTracker
from eyetune.tracking.tracker import Tracked, TrackedEnd
tracker = TensorBoardTracker({str(tmp_path)!r})
item = Tracked("1a2b", "run", "mine", parameters={{"rate": 0.1}})
tracker.begin(item)
tracker.log_epoch(item, 1, {{"loss": 2.0}})
tracker.end(item, TrackedEnd("COMPLETE", is_over=True, num_epochs=1))
print(*[name for name in ("tensorflow", "keras") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
    assert scalars(tmp_path / "mine-1a2b")["loss"] == [(1, 2.0)]
