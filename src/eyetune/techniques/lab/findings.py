"""From what a lab has trained to what is recorded of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from eyetune.analysis.comparison import (
    Candidate,
    Difference,
    bootstrap_differences,
    compare,
    interval_of,
)
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, Workspace
from eyetune.records.lab import (
    Effect,
    Explanation,
    Final,
    Interaction,
    LabRecord,
    Skipped,
    Step,
    Trained,
)
from eyetune.records.predictions import correct_answers
from eyetune.techniques.lab.answer import answer
from eyetune.techniques.lab.plan import LabPlan
from eyetune.techniques.registry import Technique, Value
from eyetune.tuning.recording import versions
from eyetune.tuning.runner import OUT_OF_TIME


@dataclass(frozen=True)
class Result:
    """A recipe that was trained with one or several seeds, and how it did on a split."""

    label: str
    recipe: Recipe
    runs: tuple[RunRecord, ...]
    candidate: Candidate


@dataclass(frozen=True)
class Findings:
    """What a lab has found.

    Attributes:
        baseline: On validation.
        techniques: Each change by itself.
        skipped: What was not tried.
        steps: How the combination was stacked.
        interactions: Of the pairs of its parts.
        best: The best recipe at equal epochs, on validation; the baseline itself where nothing
            helped.
        last_baseline: The baseline's last trainings, on test.
        last: The best recipe's last trainings, on test.
        seconds: How long it took.
    """

    baseline: Result
    techniques: tuple[Effect, ...]
    skipped: tuple[Skipped, ...]
    steps: tuple[Step, ...]
    interactions: tuple[Interaction, ...]
    best: Result
    last_baseline: Result
    last: Result
    seconds: float


def candidate(label: str, workspace: Workspace, runs: Sequence[RunRecord], split: str) -> Candidate:
    """Return the runs of one recipe, one for each seed, as what a comparison takes."""
    network = runs[0].network
    return Candidate(
        label=label,
        right=np.stack([correct_answers(workspace, run, split) for run in runs]),
        histories=tuple(workspace.runs.history(run.id) for run in runs),
        parameters=network.parameters,
        macs=network.macs,
    )


def effect_of(name: str, value: Value, result: Result, difference: Difference) -> Effect:
    """Return how a technique's value did, as it is recorded."""
    return Effect(
        **trained(result).model_dump(exclude={"recipe"}),
        recipe=result.recipe,
        name=name,
        value=value,
        difference=difference.difference,
        interval=difference.interval,
        p_value=difference.p_value,
        finding=difference.words,
        at_equal_epochs=difference.at_equal_epochs,
        at_equal_seconds=difference.at_equal_seconds,
    )


def trained(result: Result) -> Trained:
    """Return a recipe that was trained, as it is recorded."""
    one = result.candidate
    return Trained(
        label=result.label,
        recipe=result.recipe,
        runs=tuple(run.id for run in result.runs),
        validation_accuracy=one.accuracy,
        seed_deviation=one.seed_deviation,
        seconds=one.seconds,
        parameters=one.parameters,
        macs=one.macs,
    )


def record(plan: LabPlan, found: Findings) -> LabRecord:
    """Return what is recorded of a lab, with its answer."""
    data = found.baseline.runs[0].data
    combination = None
    if found.best is not found.baseline:
        (difference,) = compare(found.baseline.candidate, [found.best.candidate])
        combination = effect_of("combination", found.best.label, found.best, difference)
    final_baseline, final = _final(found.last_baseline), _final(found.last)
    drawn = bootstrap_differences(found.last.candidate.right, found.last_baseline.candidate.right)
    unanswered = LabRecord(
        id=plan.id,
        created_at=datetime.now(UTC),
        data=data.name,
        num_train=data.num_train,
        num_validation=data.num_validation,
        num_test=data.num_test,
        seeds=plan.seeds,
        epochs=plan.baseline.fit.epochs,
        workers=plan.workers,
        seconds=found.seconds,
        baseline=trained(found.baseline),
        techniques=found.techniques,
        skipped=found.skipped,
        steps=found.steps,
        interactions=found.interactions,
        combination=combination,
        final_baseline=final_baseline,
        final=final,
        test_difference=final.test_accuracy - final_baseline.test_accuracy,
        test_interval=interval_of(drawn),
        answer="",
        complete=not any(OUT_OF_TIME in one.reason for one in found.skipped),
        versions=versions(),
        explanations=tuple(
            _explain(one) for one in dict.fromkeys(choice.technique for choice in plan.choices)
        ),
        command=plan.command(found.baseline.runs[0].id),
    )
    return unanswered.model_copy(update={"answer": answer(unanswered)})


def _final(result: Result) -> Final:
    one = result.candidate
    return Final(
        label=result.label,
        recipe=result.recipe,
        runs=tuple(run.id for run in result.runs),
        test_accuracies=tuple(float(right.mean()) for right in one.right),
        test_accuracy=one.accuracy,
        test_deviation=one.seed_deviation,
        seconds=one.seconds,
        parameters=one.parameters,
        macs=one.macs,
    )


def _explain(one: Technique) -> Explanation:
    return Explanation(name=one.name, group=one.group, why=one.why, hurts=one.hurts, link=one.link)
