"""Compare recorded runs."""

from __future__ import annotations

from collections.abc import Mapping

from eyetune.analysis.candidates import candidate_of
from eyetune.analysis.comparison import compare as paired
from eyetune.api.run import Run
from eyetune.api.shown import ShownComparison
from eyetune.errors import DataError, UsageError
from eyetune.report.numbers import count_text


def compare(*runs: Run) -> ShownComparison:
    """Compare runs with the first one, by their predictions for the same validation images.

    Runs of one recipe with different seeds are taken together. Of several runs with the same recipe
    and seed, which have the same result, the last one counts.

    Args:
        runs: Runs of two recipes or more. The recipe of the first run is the baseline.

    Returns:
        The baseline, and the differences of the others from it. A notebook shows a table and a
        forest plot; `plot()` draws the forest plot.

    Raises:
        UsageError: There is nothing to compare, or a run is not complete.
        DataError: The runs were validated on different images.

    Example:
        >>> import eyetune as et
        >>> comparison = et.compare(et.open_run("a"), et.open_run("b"))  # doctest: +SKIP
        >>> comparison.differences[0].finding                            # doctest: +SKIP
        'better'
    """
    groups: dict[str, dict[int, Run]] = {}
    for run in runs:
        groups.setdefault(run.recipe.fingerprint, {})[run.record.seed] = run
    if len(groups) < 2:
        raise UsageError(
            "There is nothing to compare.",
            expected="runs of two recipes or more",
            received=f"{count_text(len(runs), 'run')} of {count_text(len(groups), 'recipe')}",
            fix="Name a second run: eyetune compare BASELINE RUN. `eyetune runs` lists them.",
        )
    labels = {run.record.data.fingerprint: run.record.label for run in runs}
    if len(labels) > 1:
        raise DataError(
            "The runs were validated on different images: their accuracies cannot be compared.",
            expected="runs on the same data, split and subset",
            received=", ".join(f"{label}: {fingerprint}" for fingerprint, label in labels.items()),
            fix="Train both recipes with the same data options.",
        )
    candidates = []
    for group in groups.values():
        records = [run.record for run in group.values()]
        workspace = next(iter(group.values())).workspace
        candidates.append(candidate_of(_label(group), records, workspace))
    baseline, *others = candidates
    return ShownComparison(baseline, tuple(paired(baseline, others)))


def _label(group: Mapping[int, Run]) -> str:
    first = next(iter(group.values()))
    seeds = f" ({len(group)} seeds)" if len(group) > 1 else ""
    return f"{first.record.name or first.id}{seeds}"
