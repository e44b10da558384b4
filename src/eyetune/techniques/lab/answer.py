"""The lab's answer in two sentences: which technique, which combination gave the best result?"""

from __future__ import annotations

from eyetune.records.lab import Effect, LabRecord


def answer(record: LabRecord) -> str:
    """Return the answer of a lab in two sentences, from its figures alone; the record's own answer
    is not read.
    """
    return f"{_by_itself(record)} {_together(record)}"


def _by_itself(record: LabRecord) -> str:
    baseline = record.baseline
    base = f"the baseline's {baseline.validation_accuracy:.1%} on validation"
    if not record.techniques:
        return f"No technique was tried against {base}."
    best = max(record.techniques, key=lambda one: one.difference)
    if best.difference <= 0:
        return f"Of {_changes(record)}, none did better than {base}."
    sure = "" if best.certain else ", which chance alone may explain"
    epochs = best.recipe.fit.total_epochs
    longer = f", in {epochs} epochs instead of {record.epochs}" if epochs != record.epochs else ""
    return (
        f"Of {_changes(record)}, {best.label} helped most by itself: {best.validation_accuracy:.1%} against {base} "
        f"({_points(best)}{sure}{longer})."
    )


def _changes(record: LabRecord) -> str:
    names = len({one.name for one in record.techniques})
    return f"{len(record.techniques)} changes ({names} techniques)"


def _points(one: Effect) -> str:
    low, high = (100 * bound for bound in one.interval)
    return f"{100 * one.difference:+.1f} points, 95% interval {low:+.1f} to {high:+.1f}"


def _together(record: LabRecord) -> str:
    final = record.final
    spread = (
        f" ± {final.test_deviation:.1%} over {len(final.runs)} seeds"
        if final.test_deviation is not None
        else ""
    )
    test = f"{final.test_accuracy:.1%}{spread} on test"
    kept = [step.effect for step in record.steps if step.kept]
    if record.combination is None or not kept:
        why = (
            "There was nothing to combine"
            if record.complete
            else "Time ran out before anything was combined"
        )
        why = "No change was likely enough to help to be kept" if record.steps else why
        return f"{why}: the baseline itself reaches {test}."
    names = [one.change for one in kept]
    who = (
        f"The combination of {', '.join(names[:-1])} and {names[-1]}"
        if len(names) > 1
        else f"{names[0]} alone"
    )
    low, high = (100 * bound for bound in record.test_interval)
    return (
        f"{who} is best on validation: trained on training and validation images together it reaches {test}, where the "
        f"baseline gets {record.final_baseline.test_accuracy:.1%} ({100 * record.test_difference:+.1f} points, 95% "
        f"interval {low:+.1f} to {high:+.1f}{_on_test(low, high)})."
    )


def _on_test(low: float, high: float) -> str:
    if high < 0:
        return ": worse, so what chose it was luck"
    return "" if low > 0 else ": no difference that we can be sure of"
