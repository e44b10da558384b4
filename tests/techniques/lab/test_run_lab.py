"""The lab: what it trains, what it compares, what it keeps, and that it never trains a thing twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from eyetune.analysis.comparison import compare
from eyetune.api.labs import Lab
from eyetune.errors import RunBusyError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.lab import LabRecord
from eyetune.records.predictions import correct_answers
from eyetune.report.progress.training_progress import WorkersDisplay
from eyetune.techniques.lab.findings import candidate
from eyetune.techniques.lab.plan import Choice, LabPlan, choose
from eyetune.techniques.lab.run_lab import KEPT_FROM, run_lab
from eyetune.techniques.registry import Technique

WORDS = (
    "learning-rate=0.003",
    "batch-size=4",
    "width=2.0",
    "padding=same",
    "more-blocks=6",
    "padding=valid",
)
OTHER_IMAGES = Technique(
    "other-images", "own", (1,), "", "", "", lambda recipe, _: recipe.with_(data__seed=7)
)


def plan(archive: Path, *, workers: int = 2) -> LabPlan:
    values = {
        "model.blocks": [8],
        "model.dense": [],
        "model.activation": "tanh",
        "fit.batch_size": 8,
        "fit.epochs": 6,
    }
    slow = {"optimizer.learning_rate": 1e-05}  # it learns nothing, so that something helps
    recipe = Recipe().with_({"data.source": str(archive), **values, **slow})
    choices = (*choose(WORDS), Choice(OTHER_IMAGES, 1))
    return LabPlan(recipe, "images", choices, seeds=(0, 1), final_seeds=2, workers=workers)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def record(workspace: Workspace, archive: Path) -> LabRecord:
    return run_lab(plan(archive), workspace, WorkersDisplay(enabled=False))


def runs_of(workspace: Workspace, ids: tuple[str, ...]) -> list[RunRecord]:
    return [workspace.runs.get(run_id) for run_id in ids]


def test_each_change_is_tried_by_itself_with_every_seed(
    record: LabRecord, workspace: Workspace
) -> None:
    assert [one.label for one in record.techniques] == list(WORDS[:4])
    for one in (record.baseline, *record.techniques):
        assert [run.seed for run in runs_of(workspace, one.runs)] == [0, 1]
        assert {run.recipe.fingerprint for run in runs_of(workspace, one.runs)} == {
            one.recipe.fingerprint
        }


def test_what_cannot_be_tried_is_listed_with_its_reason(record: LabRecord) -> None:
    reasons = {(one.name, one.value): one.reason for one in record.skipped}
    assert "4096" in reasons["more-blocks", 6] or "shrinks" in reasons["more-blocks", 6]
    assert "baseline does already" in reasons["padding", "valid"]
    assert "changes the images" in reasons["other-images", 1]


def test_the_effects_are_those_of_a_comparison(record: LabRecord, workspace: Workspace) -> None:
    baseline = candidate(
        "baseline", workspace, runs_of(workspace, record.baseline.runs), "validation"
    )
    others = [
        candidate(one.label, workspace, runs_of(workspace, one.runs), "validation")
        for one in record.techniques
    ]
    for effect, difference in zip(record.techniques, compare(baseline, others), strict=True):
        assert effect.difference == difference.difference
        assert effect.interval == difference.interval
        assert effect.p_value == difference.p_value
        assert effect.finding == difference.words
        assert effect.validation_accuracy == pytest.approx(
            record.baseline.validation_accuracy + effect.difference
        )


def test_only_what_helps_is_stacked(record: LabRecord, workspace: Workspace) -> None:
    """Each step is compared with what was kept before it, and kept where it is likely to help."""
    tried = [step.effect.name for step in record.steps]
    by_name = {one.name: one.difference for one in record.techniques}
    assert len(set(tried)) == len(tried)
    gains = [by_name[name] for name in tried]
    assert gains == sorted(
        gains, reverse=True
    )  # what did not help alone comes last, for its second chance
    assert gains[0] > 0
    current = record.baseline.runs
    for step in record.steps:
        before, after = (
            candidate("", workspace, runs_of(workspace, ids), "validation")
            for ids in (current, step.effect.runs)
        )
        (difference,) = compare(before, [after])
        assert step.effect.difference == difference.difference
        assert step.kept == (difference.chance_of_better >= KEPT_FROM)
        current = step.effect.runs if step.kept else current
    if record.combination is not None:
        assert record.combination.runs == current
    assert (record.combination is None) == (not any(step.kept for step in record.steps))


def test_a_rate_that_learns_is_kept(record: LabRecord) -> None:
    """The images are blocks of colour: the larger rate learns them, so the test above had something
    to check.
    """
    assert record.combination is not None
    assert any(step.kept for step in record.steps)
    assert record.combination.difference > 0.1


def test_test_is_touched_by_the_last_trainings_only(
    record: LabRecord, workspace: Workspace
) -> None:
    last = {*record.final.runs, *record.final_baseline.runs}
    looked_at = {
        run.id
        for run in workspace.runs.all()
        if workspace.predictions.load(run.id, "test") is not None
    }
    assert looked_at == last
    for run in runs_of(workspace, record.final.runs):
        assert run.recipe.data.train_on_validation
        assert run.data.num_train == record.num_train + record.num_validation
    accuracies = [
        float(correct_answers(workspace, run, "test").mean())
        for run in runs_of(workspace, record.final.runs)
    ]
    assert record.final.test_accuracies == tuple(accuracies)
    assert record.final.test_accuracy == pytest.approx(np.mean(accuracies))
    assert record.test_difference == pytest.approx(
        record.final.test_accuracy - record.final_baseline.test_accuracy
    )


def test_the_same_lab_again_trains_nothing(
    record: LabRecord, workspace: Workspace, archive: Path
) -> None:
    before = {run.id: run.state for run in workspace.runs.all()}
    assert set(before.values()) == {RunState.COMPLETE}
    again = run_lab(plan(archive), workspace, WorkersDisplay(enabled=False))
    assert {run.id: run.state for run in workspace.runs.all()} == before
    changing = {"created_at", "seconds"}
    assert again.model_dump(exclude=changing) == record.model_dump(exclude=changing)


def test_the_number_of_workers_changes_nothing_but_the_time(
    record: LabRecord, archive: Path
) -> None:
    assert plan(archive, workers=1).id == plan(archive).id == record.id


def test_it_is_kept_and_found_and_shows_itself(record: LabRecord, workspace: Workspace) -> None:
    workspace.labs.save(record)
    lab = Lab(workspace, workspace.labs.find("latest"))
    assert lab.record == record
    assert record.answer in lab.report().read_text(encoding="utf-8").replace("&#39;", "'")
    assert len(lab.save_plots()) >= 6


def test_two_labs_do_not_work_in_one_workspace(archive: Path) -> None:
    workspace = Workspace()
    workspace.prepare()
    with FileLock(workspace.folder / "lab.lock"), pytest.raises(RunBusyError, match="Another lab"):
        run_lab(plan(archive), workspace, WorkersDisplay(enabled=False))


def test_without_time_the_baseline_is_still_trained_and_the_rest_is_listed(archive: Path) -> None:
    values = plan(archive)
    hurried = LabPlan(
        values.baseline, "images", values.choices[:2], final_seeds=2, workers=1, seconds=1e-6
    )
    record = run_lab(hurried, Workspace(), WorkersDisplay(enabled=False))
    assert not record.complete
    assert {one.reason for one in record.skipped} == {"out of time"}
    assert len(record.final.runs) == 1
    assert record.final == record.final_baseline
