"""Smaller networks from trained ones: within limits, recorded as runs, resumable."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import eyetune as et
from eyetune.api.shrink_limits import read_limits
from eyetune.errors import RunNotFoundError, UsageError
from eyetune.models import initial_weights
from eyetune.models.build import build
from eyetune.recipe.channels import with_explicit_filters
from eyetune.records import RunState, Workspace
from eyetune.report.progress.training_progress import TrainingDisplay
from eyetune.testing.datasets import tiny_dataset
from eyetune.tracking.event_files import logged_tags
from eyetune.training.evaluate import probabilities
from eyetune.tuning.shrinking import Shapes

RECIPE = et.Recipe().with_(
    {
        "model.blocks": [16, {"filters": 24, "residual": True, "stride": 2, "pool_size": 1}],
        "model.batch_norm": True,
        "model.width": 0.5,
        "model.dense": [8],
        "fit.epochs": 4,
        "fit.batch_size": 16,
        "optimizer.learning_rate": 0.01,
    }
)


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> et.Run:
    """Return a trained run."""
    folder = tmp_path_factory.mktemp("parent")
    return et.train(
        RECIPE, tiny_dataset(), name="parent", workspace=folder, progress=False, plots=False
    )


@pytest.fixture(scope="module")
def whole(parent: et.Run) -> et.Shrunk:
    """Return a smaller network that was made without interruption, and logged for TensorBoard."""
    return shrunk(parent, trackers=[et.TensorBoardTracker(parent.workspace.folder / "logs")])


def shrunk(parent: et.Run, **options: Any) -> et.Shrunk:
    limits = (f"macs <= {parent.record.network.macs // 2}", "flash_bytes <= 50k")
    return et.shrink(parent, limits, data=tiny_dataset(), progress=False, **options)


def test_shrink_of_a_network_that_keeps_the_limits_by_its_computed_size_alone(
    parent: et.Run,
) -> None:
    shapes = Shapes((16, 16, 3), 3)
    first = shapes.candidate(with_explicit_filters(parent.recipe))
    (limit,) = read_limits(f"flash_bytes <= {int(first.costs['flash_bytes'])}", None, None)
    size = shapes.measured_costs(first, [limit])["flash_bytes"]
    assert size > limit.limit  # the computed size is too small here
    result = et.shrink(
        parent, str(limit), data=tiny_dataset(), epochs=1, name="just", progress=False
    )
    (step,) = result.record.steps
    assert step.after["flash_bytes"] <= limit.limit
    last = shapes.candidate(with_explicit_filters(result.run.recipe))
    assert shapes.measured_costs(last, [limit])["flash_bytes"] == step.after["flash_bytes"]


def test_shrink_returns_a_run_within_the_limits(parent: et.Run, whole: et.Shrunk) -> None:
    run = whole.run
    assert run.state is RunState.COMPLETE
    assert run.record.name == "parent-small"
    assert 0.35 < run.record.network.macs / parent.record.network.macs <= 0.5
    assert run.recipe.loss.teacher == parent.id
    first, last = whole.record.steps
    assert first.before["macs"] > first.after["macs"] == last.before["macs"] > last.after["macs"]
    trained = [parent.workspace.runs.get(step.run) for step in (first, last)]
    assert [record.num_epochs_done for record in trained] == [2, 2]
    assert run.id == last.run
    assert run.evaluate("validation", dataset=tiny_dataset()).accuracy == last.validation_accuracy
    assert whole.to_json()["shrink"]["steps"][1]["run"] == run.id
    assert repr(whole).endswith("in 2 steps>")
    row = whole.summary.rows["multiply-accumulates"]
    assert row.startswith(f"{run.record.network.macs:,}, before {first.before['macs']:,.0f}; ")


def test_shrink_logs_each_step(whole: et.Shrunk) -> None:
    for step in whole.record.steps:
        run = et.open_run(step.run, workspace=whole.run.workspace)
        (logs,) = whole.run.workspace.folder.glob(f"logs/*{run.id}")
        losses = {epoch for tag, epoch in logged_tags(logs) if tag == "val_loss"}
        assert losses == {epoch.epoch for epoch in run.history}


def test_shrink_starts_from_the_weights_of_the_run(whole: et.Shrunk) -> None:
    recipe = whole.record.steps[0].recipe
    network = build(recipe.model, (16, 16, 3), 3)
    initial_weights.put(initial_weights.load(recipe.model.initial_weights, network), network)
    split = tiny_dataset().validation
    correct = probabilities(network, split).argmax(axis=1) == split.labels
    assert correct.mean() > 0.6  # before any further training


def test_shrunk_run_is_trained_again_exactly(parent: et.Run, whole: et.Shrunk) -> None:
    again = et.train(
        whole.run.recipe, tiny_dataset(), workspace=parent.workspace, progress=False, plots=False
    )
    assert again.id != whole.run.id
    assert again.results == whole.run.results


def interrupt_in_epoch(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_progress(_: TrainingDisplay, position: Any) -> None:
        if position.epoch == number:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingDisplay, "on_progress", on_progress)


def test_resume_shrink_gives_the_same_result(
    parent: et.Run, whole: et.Shrunk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(parent.workspace.folder, tmp_path / "copy")
    workspace = Workspace(tmp_path / "copy")
    for run in workspace.runs.all()[1:]:
        workspace.runs.delete(run.id)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_in_epoch(2, patch)
        shrunk(et.open_run(parent.id, workspace=workspace), name="interrupted")
    assert [run.name for run in workspace.runs.all()] == ["parent", "interrupted-step-1"]
    result = et.resume_shrink(data=tiny_dataset(), workspace=workspace, progress=False)
    names = [run.name for run in workspace.runs.all()]
    assert names == ["parent", "interrupted-step-1", "interrupted"]
    assert result.run.results == whole.run.results
    assert result.record.is_over
    with pytest.raises(UsageError):
        et.resume_shrink("interrupted", workspace=workspace)


def test_shrink_under_another_name_trains_a_run_of_that_name(
    parent: et.Run, whole: et.Shrunk
) -> None:
    again = shrunk(parent, name="again")
    assert again.run.record.name == "again"
    assert again.run.id != whole.run.id
    assert again.run.record.recipe == whole.run.record.recipe


def test_resume_shrink_refuses_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError):
        et.resume_shrink(workspace=tmp_path)


@pytest.mark.parametrize(
    ("limits", "options"),
    [
        (["macs <= 100M"], {}),  # kept already
        (["flash_bytes <= 100"], {}),  # never kept
        (["macs <= 0"], {}),
        (["fps >= 1e999"], {"board": "esp-eye"}),
        (["macs >= 100"], {}),
        (["latency_ms < 10"], {}),  # without a board
        ([], {"epochs": 0, "board": "esp-eye"}),
        ([], {}),
    ],
)
def test_shrink_refuses_before_training(
    parent: et.Run, limits: list[str], options: dict[str, Any]
) -> None:
    num_runs = len(parent.workspace.runs.all())
    with pytest.raises(UsageError):
        et.shrink(parent, limits, data=tiny_dataset(), progress=False, **options)
    assert len(parent.workspace.runs.all()) == num_runs


@pytest.mark.parametrize("epochs", [1, 6])
def test_last_step_of_a_shrink_has_half_of_the_epochs(parent: et.Run, epochs: int) -> None:
    result = et.shrink(
        parent,
        f"macs <= {parent.record.network.macs // 9}",
        data=tiny_dataset(),
        epochs=epochs,
        name=f"in-{epochs}",
        progress=False,
    )
    by_step = [step.recipe.fit.epochs for step in result.record.steps]
    assert sum(by_step) == epochs
    assert by_step[-1] >= epochs / 2


def test_shrink_refuses_a_name_twice(parent: et.Run, whole: et.Shrunk) -> None:
    with pytest.raises(UsageError):
        shrunk(parent, name=whole.run.record.name)


@pytest.mark.parametrize(
    "edits",
    [
        {"model": "mobilenet_v2", "model.weights": "random"},
        {"fit.quantize": "int8"},
        {"model": "model.py:build"},
    ],
)
def test_shrink_refuses_networks_that_it_cannot_change(edits: dict[str, Any]) -> None:
    workspace = Workspace()
    record = recorded(workspace, et.Recipe().with_(edits))
    with pytest.raises(UsageError) as caught:
        et.shrink(record, "macs < 1k", workspace=workspace)
    assert caught.value.fix


def recorded(workspace: Workspace, recipe: et.Recipe) -> str:
    """Record a complete run of a recipe, and return its id."""
    from eyetune.records.run import Results
    from eyetune.tuning.recording import describe
    from eyetune.values.network import Network

    run = workspace.runs.create(
        recipe=recipe,
        data=describe(tiny_dataset()),
        network=Network((16, 16, 3), (), 0),
        seed=0,
        precision="float32",
    )
    workspace.runs.set_state(run.id, RunState.COMPLETE, results=Results(1, 0.5, 0.9))
    return run.id
