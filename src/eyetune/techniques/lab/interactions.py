"""The last stage of a lab: what pairs of the combination's parts are worth beyond their sum."""

from __future__ import annotations

from collections.abc import Sequence

from eyetune.analysis.comparison import CONFIDENCE, Contrast, holm, interaction
from eyetune.records.lab import Interaction, Skipped
from eyetune.techniques.lab.combination import Pair, Part, pairs_of
from eyetune.techniques.lab.plan import LabPlan
from eyetune.techniques.lab.single_changes import SingleChange
from eyetune.techniques.lab.trainer import LabTrainer, NoResult, RecipeResult


def train_pairs(
    plan: LabPlan,
    trainer: LabTrainer,
    baseline: RecipeResult,
    changes: Sequence[SingleChange],
    parts: Sequence[Part],
) -> tuple[list[Interaction], list[Skipped]]:
    """Train each pair of the combination's parts by itself, and compare it with each part alone.

    Returns:
        The interactions, and the pairs that have no result.
    """
    alone = {change.choice.label: change.result.candidate for change in changes}
    pairs = list(pairs_of(plan, parts))
    if pairs:
        number = "1 pair" if len(pairs) == 1 else f"{len(pairs)} pairs"
        trainer.note(f"How the parts of the combination work together: {number}")
    results = trainer.train([(pair.label, pair.recipe) for pair in pairs])
    compared: list[tuple[Pair, Contrast]] = []
    not_tried: list[Skipped] = []
    for pair, result in zip(pairs, results, strict=True):
        if isinstance(result, NoResult):
            not_tried.append(
                Skipped(name="pair", value=pair.label, reason=result.message, kind=result.kind)
            )
            continue
        contrast = interaction(
            baseline.candidate,
            alone[pair.first.label],
            alone[pair.second.label],
            result.candidate,
        )
        compared.append((pair, contrast))
    corrected = holm([contrast.p_value for _, contrast in compared])
    interactions = [
        _interaction(pair, contrast, p_value)
        for (pair, contrast), p_value in zip(compared, corrected, strict=True)
    ]
    return interactions, not_tried


def _interaction(pair: Pair, contrast: Contrast, p_value: float) -> Interaction:
    if p_value >= 1 - CONFIDENCE:
        finding = "not sure"
    elif contrast.difference > 0:
        finding = "they help each other"
    else:
        finding = "their effects overlap"
    return Interaction(
        first=pair.first.label,
        second=pair.second.label,
        difference=contrast.difference,
        interval=contrast.interval,
        p_value=p_value,
        finding=finding,
    )
