"""The findings of a lab, and the record of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from eyetune.analysis.comparison import (
    Difference,
    bootstrap_differences,
    compare,
    interval_of,
)
from eyetune.records.lab import (
    Effect,
    Explanation,
    Final,
    Interaction,
    LabRecord,
    SkipKind,
    Skipped,
    Step,
    Trained,
)
from eyetune.techniques.lab.answer import answer
from eyetune.techniques.lab.plan import Choice, LabPlan
from eyetune.techniques.lab.trainer import RecipeResult
from eyetune.techniques.registry import Technique, Value
from eyetune.tuning.recording import versions


@dataclass(frozen=True)
class Findings:
    """The findings of a lab.

    Attributes:
        baseline: The baseline, on the validation images.
        techniques: How each change by itself compares with the baseline.
        skipped: What was not tried.
        steps: How the combination was stacked.
        interactions: How pairs of its parts work together.
        best: The best recipe in as many epochs, on the validation images; the baseline itself if
            nothing helped.
        final_baseline: The baseline's final trainings, on the test images.
        final: The best recipe's final trainings, on the test images.
        seconds: Duration of the lab in seconds.
        created_at: When the lab ended, in UTC.
    """

    baseline: RecipeResult
    techniques: tuple[Effect, ...]
    skipped: tuple[Skipped, ...]
    steps: tuple[Step, ...]
    interactions: tuple[Interaction, ...]
    best: RecipeResult
    final_baseline: RecipeResult
    final: RecipeResult
    seconds: float
    created_at: datetime


def effect_of(name: str, value: Value, result: RecipeResult, difference: Difference) -> Effect:
    """Return the record of how a technique's value compares with the baseline."""
    return Effect(
        **_trained(result).model_dump(exclude={"recipe"}),
        recipe=result.recipe,
        name=name,
        value=value,
        difference=difference.difference,
        interval=difference.interval,
        p_value=difference.p_value,
        finding=difference.finding,
        at_equal_epochs=difference.at_equal_epochs,
        at_equal_seconds=difference.at_equal_seconds,
    )


def skipped(choice: Choice, kind: SkipKind, message: str) -> Skipped:
    """Return the record of a choice that was not tried."""
    return Skipped(name=choice.technique.name, value=choice.value, reason=message, kind=kind)


def lab_record(plan: LabPlan, findings: Findings) -> LabRecord:
    """Return the record of a lab, with its answer."""
    baseline_run = findings.baseline.runs[0]
    data = baseline_run.data
    combination = None
    if findings.best is not findings.baseline:
        (difference,) = compare(findings.baseline.candidate, [findings.best.candidate])
        combination = effect_of("combination", findings.best.label, findings.best, difference)
    final_baseline, final = _final(findings.final_baseline), _final(findings.final)
    test_differences = bootstrap_differences(
        findings.final.candidate.scores, findings.final_baseline.candidate.scores
    )
    techniques = dict.fromkeys(choice.technique for choice in plan.choices)
    record = LabRecord(
        id=plan.id,
        created_at=findings.created_at,
        data=data.name,
        num_train=data.num_train,
        num_validation=data.num_validation,
        num_test=data.num_test,
        seeds=plan.seeds,
        epochs=plan.baseline.fit.total_epochs,
        workers=plan.workers,
        seconds=findings.seconds,
        baseline=_trained(findings.baseline),
        techniques=findings.techniques,
        skipped=findings.skipped,
        steps=findings.steps,
        interactions=findings.interactions,
        combination=combination,
        final_baseline=final_baseline,
        final=final,
        test_difference=final.test_accuracy - final_baseline.test_accuracy,
        test_interval=interval_of(test_differences),
        answer="",
        metric="balanced accuracy" if plan.balanced else "accuracy",
        complete=all(skip.kind is not SkipKind.OUT_OF_TIME for skip in findings.skipped),
        versions=versions(),
        explanations=tuple(explanation_of(technique) for technique in techniques),
        command=plan.command(baseline_run.id),
    )
    return record.model_copy(update={"answer": answer(record)})


def explanation_of(technique: Technique) -> Explanation:
    """Return the record of what a technique says about itself."""
    return Explanation(
        name=technique.name,
        group=technique.group,
        why=technique.why,
        hurts=technique.hurts,
        link=technique.link,
    )


def _trained(result: RecipeResult) -> Trained:
    candidate = result.candidate
    return Trained(
        label=result.label,
        recipe=result.recipe,
        runs=tuple(run.id for run in result.runs),
        validation_accuracy=candidate.accuracy,
        seed_deviation=candidate.seed_deviation,
        seconds=candidate.seconds,
        parameters=candidate.parameters,
        macs=candidate.macs,
    )


def _final(result: RecipeResult) -> Final:
    candidate = result.candidate
    return Final(
        label=result.label,
        recipe=result.recipe,
        runs=tuple(run.id for run in result.runs),
        test_accuracies=tuple(float(scores.mean()) for scores in candidate.scores),
        test_accuracy=candidate.accuracy,
        test_deviation=candidate.seed_deviation,
        seconds=candidate.seconds,
        parameters=candidate.parameters,
        macs=candidate.macs,
    )
