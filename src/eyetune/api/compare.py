"""Compare recorded runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from eyetune.analysis.candidates import candidate_of
from eyetune.analysis.comparison import compare as paired
from eyetune.api.preparing import workspace_of
from eyetune.api.run import Run, open_run
from eyetune.api.shown import ShownComparison
from eyetune.errors import ArgumentTypeError, DataError, UsageError
from eyetune.records import Workspace
from eyetune.values.numbers import count_text


def compare(*runs: Run | str, workspace: str | Path | Workspace | None = None) -> ShownComparison:
    """Compare runs with the first one, by their predictions for the same validation images.

    Runs of one recipe with different seeds are taken together. Of several runs with the same recipe
    and seed, which have the same result, the last one counts. Other callbacks of the user make
    another recipe, and so is each run that `Callback` recorded from `model.fit`.

    Args:
        runs: Runs of two recipes or more: runs, ids, beginnings of ids, names, or "latest". The
            recipe of the first run is the baseline.
        workspace: The workspace that ids and names refer to. Default: that of the first run that is
            given as such, else `./eyetune-workspace`, or the folder that EYETUNE_WORKSPACE names.

    Returns:
        The baseline, and the differences of the others from it. A notebook shows a table and a
        forest plot; `plot()` draws the forest plot.

    Raises:
        ArgumentTypeError: An argument is neither a run nor a string.
        RunNotFoundError: No run or several match a string.
        UsageError: There is nothing to compare, or a run is not complete.
        DataError: The runs were validated on different images.

    Example:
        >>> import eyetune as et
        >>> comparison = et.compare("baseline", "augmented")  # doctest: +SKIP
        >>> comparison.differences[0].finding                 # doctest: +SKIP
        'better'
    """
    chosen = list(_opened(runs, workspace))
    groups: dict[tuple[str, ...], dict[int, Run]] = {}
    for run in chosen:
        recipe = run.record.own_recipe
        key = (recipe.fingerprint, *run.record.callbacks) if recipe else (run.id,)
        groups.setdefault(key, {})[run.record.seed] = run
    if len(groups) < 2:
        raise UsageError(
            "There is nothing to compare.",
            expected="runs of two recipes or more",
            received=f"{count_text(len(chosen), 'run')} of {count_text(len(groups), 'recipe')}",
            fix="Name a second run: eyetune compare BASELINE RUN. `eyetune runs` lists them.",
        )
    labels = {run.record.data.fingerprint: run.record.label for run in chosen}
    if len(labels) > 1:
        raise DataError(
            "The runs were validated on different data: their accuracies cannot be compared.",
            expected="runs on the same data, split and subset",
            received=", ".join(f"{label}: {fingerprint}" for fingerprint, label in labels.items()),
            fix="Train both recipes with the same data options.",
        )
    candidates = []
    for group in groups.values():
        records = [run.record for run in group.values()]
        first = next(iter(group.values()))
        candidates.append(candidate_of(_label(group), records, first.workspace))
    baseline, *others = candidates
    return ShownComparison(baseline, tuple(paired(baseline, others)))


def _opened(runs: Sequence[Run | str], workspace: str | Path | Workspace | None) -> Iterator[Run]:
    """Yield runs, those included that ids and names refer to."""
    if workspace is None:
        workspace = next((run.workspace for run in runs if isinstance(run, Run)), None)
    opened = workspace_of(workspace)
    for run in runs:
        if not isinstance(run, Run | str):
            raise ArgumentTypeError(
                "An argument is not a run.",
                expected="runs, ids or names, one argument each",
                received=f"{type(run).__name__}: {run!r:.60}",
                fix='eyetune.compare("baseline", "other"), or eyetune.compare(*runs) for a list',
            )
        yield open_run(run, workspace=opened) if isinstance(run, str) else run


def _label(group: Mapping[int, Run]) -> str:
    first = next(iter(group.values()))
    seeds = f" ({len(group)} seeds)" if len(group) > 1 else ""
    return f"{first.record.name or first.id}{seeds}"
