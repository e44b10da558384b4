"""The lab's answer in two sentences: which technique, which combination gave the best result?"""

from __future__ import annotations

from eyetune.records.lab import Effect, LabRecord


def answer(record: LabRecord) -> str:
    """Return the answer of a lab in two sentences, from its figures (not from `record.answer`)."""
    return f"{_best_technique(record)} {_best_combination(record)}"


def _best_technique(record: LabRecord) -> str:
    baseline, split = record.baseline.validation_accuracy, _validation(record)
    if not record.techniques:
        return f"No technique was compared with the baseline ({baseline:.1%} {split})."
    best = max(record.techniques, key=lambda effect: effect.difference)
    tried = _number_of_changes(record)
    if best.difference <= 0:
        return f"None of {tried} did better than the baseline ({baseline:.1%} {split})."
    epochs = best.recipe.fit.total_epochs
    longer = f" in {epochs} epochs instead of {record.epochs}" if epochs != record.epochs else ""
    chance = "" if best.certain else ", which may be chance"
    return (
        f"Of {tried}, {best.label} helped most by itself: {best.validation_accuracy:.1%}"
        f" {split}{longer}, {_points(best.difference, best.interval, baseline)}{chance}."
    )


def _validation(record: LabRecord) -> str:
    """Return on what recipes are compared, after an accuracy."""
    return "on validation" if record.metric == "accuracy" else f"{record.metric} on validation"


def _number_of_changes(record: LabRecord) -> str:
    num_changes = len(record.techniques)
    num_techniques = len({effect.name for effect in record.techniques})
    changes = "1 change" if num_changes == 1 else f"{num_changes} changes"
    techniques = "1 technique" if num_techniques == 1 else f"{num_techniques} techniques"
    return f"{changes} ({techniques})"


def _points(difference: float, interval: tuple[float, float], baseline: float) -> str:
    low, high = (100 * end for end in interval)
    return (
        f"{100 * difference:+.1f} points compared with the baseline's {baseline:.1%}"
        f" (95% interval {low:+.1f} to {high:+.1f})"
    )


def _best_combination(record: LabRecord) -> str:
    final = record.final
    test = f"{final.test_accuracy:.1%}"
    if record.metric != "accuracy":
        test += f" {record.metric}"
    if final.test_deviation is not None:
        test += f" ± {final.test_deviation:.1%} ({len(final.runs)} seeds)"
    kept = [step.effect for step in record.steps if step.kept]
    if record.combination is None or not kept:
        return f"{_why_no_combination(record)}: the baseline itself reaches {test} on test."
    baseline = record.final_baseline.test_accuracy
    return (
        f"{_combination_name(kept)}; trained on training and validation images together, it reaches"
        f" {test} on test, {_points(record.test_difference, record.test_interval, baseline)}"
        f"{_test_conclusion(record.test_interval)}."
    )


def _why_no_combination(record: LabRecord) -> str:
    if record.steps:
        return "No change was likely enough to help to be kept"
    if record.complete:
        return "There was nothing to combine"
    return "Time ran out before anything was combined"


def _combination_name(kept: list[Effect]) -> str:
    changes = [effect.change for effect in kept]
    if len(changes) == 1:
        return f"{changes[0]} alone was chosen on validation"
    names = f"{', '.join(changes[:-1])} and {changes[-1]}"
    return f"The combination of {names} was chosen on validation"


def _test_conclusion(interval: tuple[float, float]) -> str:
    low, high = interval
    if high < 0:
        return ", which is worse: it was chosen by luck"
    if low > 0:
        return ""
    return ", which may be chance"
