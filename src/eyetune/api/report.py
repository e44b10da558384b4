"""Reports: one HTML file of a lab or of runs, with all its pictures, that opens anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from eyetune.api.compare import compare
from eyetune.api.lab import Lab
from eyetune.api.run import Run
from eyetune.errors import DataError, EyetuneError, LabNotFoundError, RunNotFoundError, UsageError
from eyetune.records import Workspace

if TYPE_CHECKING:
    from eyetune.report.pages.page import Drawing
    from eyetune.report.pages.runs_page import ComparisonPart, RunPart

LATEST = "latest"
_MAX_CLASSES = 60  # of a confusion matrix that can be read


@dataclass(frozen=True)
class Report:
    """A report that was written: its file, and the lab or the runs that it is about."""

    path: Path
    lab: Lab | None
    runs: tuple[Run, ...]


def write_report(
    *references: str | Lab | Run,
    output: str | Path | None = None,
    workspace: str | Path | Workspace | None = None,
) -> Report:
    """Write the report of a lab, or of one or several runs, as one HTML file that needs nothing
    else.

    Args:
        references: A lab or its id; or runs, their ids or names; "latest" is the newest lab, or the
            newest run where there is no lab. By default "latest".
        output: The file; by default `report.html` in the lab's folder, or a file in `reports` in
            the workspace.
        workspace: As for `train`.

    Raises:
        LabNotFoundError: Nothing matches.
        WorkspaceError: The file cannot be written.

    Example:
        >>> import eyetune as et
        >>> et.write_report("3f2a", "77b0").path  # doctest: +SKIP
    """
    place = workspace if isinstance(workspace, Workspace) else Workspace(workspace)
    found = [_find(place, one) if isinstance(one, str) else one for one in references or (LATEST,)]
    labs = [one for one in found if isinstance(one, Lab)]
    if labs and len(found) > 1:
        raise UsageError(
            "A lab has a report of its own.",
            expected="one lab, or one or several runs",
            received=f"{len(found)} words, of which {labs[0].id} is a lab",
            fix=f"eyetune report {labs[0].id}",
        )
    if labs:
        return Report(labs[0].report(output), labs[0], ())
    runs = tuple(one for one in found if isinstance(one, Run))
    name = "-".join(dict.fromkeys(run.id for run in runs))[:200]
    return Report(
        _write_runs(runs, Path(output) if output else place.folder / "reports" / f"{name}.html"),
        None,
        runs,
    )


def _find(workspace: Workspace, reference: str) -> Lab | Run:
    """Return the lab, or else the run, that a user means."""
    try:
        return Lab(workspace, workspace.labs.find(reference))
    except LabNotFoundError as no_lab:
        try:
            return Run(workspace, workspace.runs.find(reference))
        except RunNotFoundError as no_run:
            if no_run.is_ambiguous:
                raise
            if no_lab.is_ambiguous:
                raise no_lab from None
            raise LabNotFoundError(
                f"No lab and no run matches {reference!r} in {workspace.folder}.",
                expected=f"the id of a lab or a run, the beginning of it, the name of a run, or {LATEST}",
                received=reference,
                fix="`eyetune runs` lists the runs. To have something to report: eyetune lab, or eyetune train.",
            ) from None


def _write_runs(runs: Sequence[Run], path: Path) -> Path:
    from eyetune.report.pages.page import write_page
    from eyetune.report.pages.runs_page import runs_page

    distinct = list({run.id: run for run in runs}.values())
    parts = [_part(run, place) for place, run in enumerate(distinct)]
    return write_page(runs_page(parts, _comparison(distinct) if len(distinct) > 1 else None), path)


def _part(run: Run, place: int) -> RunPart:
    from eyetune.report.pages.page import drawing
    from eyetune.report.pages.runs_page import RunPart

    network = drawing(
        run.plot_network(), f"network-{place}", "The network: how the picture shrinks and deepens."
    )
    if run.record.results is None:
        return RunPart(run.record, run.history, None, (network,))
    split, notes, drawings = run.shown_split, [], [network]
    if len(run.record.data.class_names) <= _MAX_CLASSES:
        caption = f"Which classes are taken for which, on the {split} images."
        drawings.append(drawing(run.plot_confusion(), f"confusion-{place}", caption))
    mistakes = _mistakes(run, place)
    if mistakes is None:
        notes.append("The mistakes are not shown, since the images cannot be read any more.")
    else:
        drawings.append(mistakes)
    return RunPart(run.record, run.history, run.verdict, tuple(drawings), tuple(notes))


def _mistakes(run: Run, place: int) -> Drawing | None:
    """Return the picture of the mistakes as it was drawn after the training, so that no images need
    be loaded.
    """
    from eyetune.report.pages.page import drawing, embedded

    name, caption = (
        f"mistakes-{place}",
        "The most confident mistakes: what it is, and what it was taken for.",
    )
    try:
        return embedded(
            (run.folder / "plots" / "mistakes.svg").read_bytes(), name, caption, photo=True
        )
    except (OSError, ElementTree.ParseError):
        pass
    try:
        return drawing(run.plot_mistakes(), name, caption, photo=True)
    except EyetuneError:
        return None


def _comparison(runs: Sequence[Run]) -> ComparisonPart:
    from eyetune.report.pages.runs_page import ComparisonPart

    try:
        comparison = compare(*runs)
    except (UsageError, DataError) as error:  # one recipe alone, an unfinished run, other images
        return ComparisonPart(problem=error.what)
    return ComparisonPart(comparison)
