"""The lab: what it trains, compares and keeps, and that it never trains the same thing twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from sklearn.metrics import balanced_accuracy_score

from eyetune.analysis.candidates import candidate_of
from eyetune.analysis.comparison import compare
from eyetune.errors import RunBusyError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.lab import LabRecord, SkipKind
from eyetune.records.predictions import correct_answers, require_predictions
from eyetune.report.progress.training_progress import WorkersDisplay
from eyetune.techniques.lab.combination import KEPT_FROM
from eyetune.techniques.lab.plan import Choice, LabPlan, choose
from eyetune.techniques.lab.run_lab import run_lab, run_stages
from eyetune.techniques.lab.trainer import WorkersTrainer
from eyetune.techniques.registry import Technique
from eyetune.testing.datasets import tiny_images
from eyetune.testing.labs import fabricated_lab
from eyetune.testing.simulated_executor import SimulatedExecutor
from eyetune.tuning.runner import Runner

NAMES = (
    "learning-rate=0.003",
    "width=2.0",
    "more-blocks=6",
    "padding=valid",
)
OTHER_IMAGES = Technique(
    "other-images", "own", (1,), "", "", "", lambda recipe, _: recipe.with_(data__seed=7)
)


def plan_of(archive: Path, *, workers: int = 2) -> LabPlan:
    values = {
        "data.source": str(archive),
        "model.blocks": [8],
        "model.dense": [],
        "model.activation": "tanh",
        "data.calibration": 0.2,  # the final runs train on these images, too
        "fit.batch_size": 8,
        "fit.epochs": 6,
        "optimizer.learning_rate": 1e-05,  # it learns nothing, so that something can help
    }
    choices = (*choose(NAMES), Choice(OTHER_IMAGES, 1))
    return LabPlan(
        Recipe().with_(values), "images", choices, seeds=(0, 1), final_seeds=2, workers=workers
    )


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def record(workspace: Workspace, archive: Path) -> LabRecord:
    return run_lab(plan_of(archive), workspace, WorkersDisplay(enabled=False))


def runs_of(workspace: Workspace, ids: tuple[str, ...]) -> list[RunRecord]:
    return [workspace.runs.get(run_id) for run_id in ids]


def test_lab_trains_each_change_with_every_seed(record: LabRecord, workspace: Workspace) -> None:
    assert [effect.label for effect in record.techniques] == list(NAMES[:2])
    for trained in (record.baseline, *record.techniques):
        runs = runs_of(workspace, trained.runs)
        assert [run.seed for run in runs] == [0, 1]
        assert {run.recipe.fingerprint for run in runs} == {trained.recipe.fingerprint}


def test_lab_lists_what_it_cannot_try(record: LabRecord) -> None:
    kinds = {(skip.name, skip.value): skip.kind for skip in record.skipped}
    assert kinds["more-blocks", 6] in (SkipKind.INVALID, SkipKind.FAILED)
    assert kinds["padding", "valid"] is SkipKind.SAME_AS_BASELINE
    assert kinds["other-images", 1] is SkipKind.OTHER_IMAGES
    assert record.complete


def test_lab_records_the_effects_of_a_comparison(record: LabRecord, workspace: Workspace) -> None:
    baseline, *others = (
        candidate_of(trained.label, runs_of(workspace, trained.runs), workspace)
        for trained in (record.baseline, *record.techniques)
    )
    for effect, difference in zip(record.techniques, compare(baseline, others), strict=True):
        assert effect.difference == difference.difference
        assert effect.interval == difference.interval
        assert effect.p_value == difference.p_value
        assert effect.certain == difference.certain


def test_lab_stacks_only_what_helps(record: LabRecord, workspace: Workspace) -> None:
    names = [step.effect.name for step in record.steps]
    gains = {effect.name: effect.difference for effect in record.techniques}
    assert len(set(names)) == len(names)
    # What did not help alone comes last, for its second chance.
    assert [gains[name] for name in names] == sorted((gains[name] for name in names), reverse=True)
    current = record.baseline.runs
    for step in record.steps:
        before, after = (
            candidate_of("", runs_of(workspace, ids), workspace)
            for ids in (current, step.effect.runs)
        )
        (difference,) = compare(before, [after])
        assert step.effect.difference == difference.difference
        assert step.kept == (difference.chance_of_better >= KEPT_FROM)
        current = step.effect.runs if step.kept else current
    # The images are blocks of color: the larger learning rate learns them.
    assert record.combination is not None
    assert record.combination.runs == current
    assert record.combination.difference > 0.1


def test_lab_uses_the_test_images_in_final_runs_only(
    record: LabRecord, workspace: Workspace
) -> None:
    final_runs = {*record.final.runs, *record.final_baseline.runs}
    tested = {
        run.id
        for run in workspace.runs.all()
        if workspace.predictions.load(run.id, "test") is not None
    }
    assert tested == final_runs
    runs = runs_of(workspace, record.final.runs)
    for run in runs:
        assert run.recipe.data.train_on_validation
        assert run.data.num_train > record.num_train + record.num_validation
    accuracies = tuple(float(correct_answers(workspace, run, "test").mean()) for run in runs)
    assert record.final.test_accuracies == accuracies
    assert record.final.test_accuracy == pytest.approx(np.mean(accuracies))
    difference = record.final.test_accuracy - record.final_baseline.test_accuracy
    assert record.test_difference == pytest.approx(difference)


def test_same_lab_again_trains_nothing(
    record: LabRecord, workspace: Workspace, archive: Path
) -> None:
    before = {run.id: run.state for run in workspace.runs.all()}
    assert set(before.values()) == {RunState.COMPLETE}
    repeated = run_lab(plan_of(archive), workspace, WorkersDisplay(enabled=False))
    assert {run.id: run.state for run in workspace.runs.all()} == before
    changing = {"created_at", "seconds"}
    assert repeated.model_dump(exclude=changing) == record.model_dump(exclude=changing)


def test_number_of_workers_does_not_change_the_id(record: LabRecord, archive: Path) -> None:
    assert plan_of(archive, workers=1).id == plan_of(archive).id == record.id


def test_lab_of_uneven_classes_compares_balanced_accuracy(tmp_path: Path) -> None:
    images, _ = tiny_images(80, 2, size=8)
    path = tmp_path / "uneven.npz"
    np.savez(path, x_train=images, y_train=np.repeat([0, 1], [60, 20]))
    plan = replace(plan_of(path), balanced=True, choices=choose(["class-weight"]))
    workspace = Workspace(tmp_path / "workspace")
    record = simulated(plan, workspace)
    assert record.metric == "balanced accuracy"
    assert plan.id != replace(plan, balanced=False).id
    for effect in record.techniques:
        runs = runs_of(workspace, effect.runs)
        stored = [require_predictions(workspace, run, "validation") for run in runs]
        balanced = [
            balanced_accuracy_score(labels, probabilities.argmax(axis=1))
            for probabilities, labels in stored
        ]
        assert effect.validation_accuracy == pytest.approx(np.mean(balanced))


def test_second_lab_in_a_workspace_is_refused(archive: Path) -> None:
    workspace = Workspace()
    workspace.prepare()
    with FileLock(workspace.folder / "lab.lock"), pytest.raises(RunBusyError):
        run_lab(plan_of(archive), workspace, WorkersDisplay(enabled=False))


def simulated(plan: LabPlan, workspace: Workspace) -> LabRecord:
    """Return the record of a lab whose trainings take six seconds each, as they are recorded."""
    workspace.prepare()
    display = WorkersDisplay(enabled=False)
    with SimulatedExecutor(1) as executor:
        runner = Runner(workspace, executor, display)
        return run_stages(plan, WorkersTrainer(plan, runner, workspace, display))


def test_lab_without_time_trains_the_baseline_only(archive: Path, tmp_path: Path) -> None:
    plan = plan_of(archive)
    short = replace(plan, choices=plan.choices[:2], seconds=1e-6)
    record = simulated(short, Workspace(tmp_path))
    assert not record.complete
    assert {skip.kind for skip in record.skipped} == {SkipKind.OUT_OF_TIME}
    assert len(record.final.runs) == 1
    assert record.final == record.final_baseline


def test_lab_trains_more_final_seeds_in_the_time_that_is_left(
    archive: Path, tmp_path: Path
) -> None:
    plan = replace(plan_of(archive), extra_final_seeds=3, seconds=3600.0)
    too_short = replace(plan, seconds=5.0)
    workspace = Workspace(tmp_path / "long")
    assert len(simulated(plan, workspace).final.runs) == 5
    assert len(simulated(too_short, Workspace(tmp_path / "short")).final.runs) == 1
    unlimited = replace(plan, seconds=None)
    assert len(simulated(unlimited, Workspace(tmp_path / "unlimited")).final.runs) == 2
    assert len(simulated(too_short, workspace).final.runs) == 5  # these are recorded


def test_continued_lab_knows_how_long_a_training_takes(archive: Path, tmp_path: Path) -> None:
    plan = replace(plan_of(archive), seconds=5.0)
    workspace = Workspace(tmp_path)
    first, second = simulated(plan, workspace), simulated(plan, workspace)
    assert not first.techniques
    assert not second.techniques
    assert SkipKind.OUT_OF_TIME in {skip.kind for skip in second.skipped}


def test_combination_of_one_technique_is_that_technique() -> None:
    record = fabricated_lab(3)
    assert [step.kept for step in record.steps].count(True) == 1
    assert record.combination is not None
    assert record.stacked is None
    assert record.winner in record.techniques
    labels = [trained.label for trained in record.leaderboard]
    assert len(labels) == len(set(labels)) == 1 + len(record.techniques)


def test_combination_of_two_techniques_is_in_the_leaderboard() -> None:
    record = fabricated_lab(6)
    assert record.stacked is record.combination is record.winner
    assert record.combination in record.leaderboard
