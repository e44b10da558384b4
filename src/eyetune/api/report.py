"""Reports: one HTML file about a lab or about runs, with all its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eyetune.api.compare import compare
from eyetune.api.lab import Lab
from eyetune.api.preparing import workspace_of
from eyetune.api.run import Run
from eyetune.errors import DataError, EyetuneError, LabNotFoundError, RunNotFoundError, UsageError
from eyetune.inputs.limits import IMAGE_FILE_BYTES
from eyetune.inputs.regular_file import read_bytes
from eyetune.records import Workspace

if TYPE_CHECKING:
    from eyetune.report.pages.page import Drawing
    from eyetune.report.pages.runs_page import ComparisonPart, RunPart

LATEST = "latest"
_MAX_CLASSES = 60  # of a confusion matrix that is readable
_MAX_NAME_LENGTH = 200  # characters of the name of a report about several runs


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
    """Write the report of a lab, or of one or several runs: one HTML file that opens anywhere.

    Args:
        references: A lab or its id; or runs, their ids or names. "latest" is the latest lab, or the
            latest run if there is no lab. Default: "latest".
        output: The file. Default: `report.html` in the lab's folder, or a file in `reports` in the
            workspace.
        workspace: The workspace or its folder. Default: the usual workspace.

    Raises:
        LabNotFoundError: Nothing matches.
        WorkspaceError: The file cannot be written.

    Example:
        >>> import eyetune as et
        >>> et.write_report("3f2a", "77b0").path  # doctest: +SKIP
    """
    workspace = workspace_of(workspace)
    subjects = [
        _find(workspace, reference) if isinstance(reference, str) else reference
        for reference in references or (LATEST,)
    ]
    labs = [subject for subject in subjects if isinstance(subject, Lab)]
    if labs and len(subjects) > 1:
        raise UsageError(
            "A report about a lab cannot include anything else.",
            expected="one lab, or one or several runs",
            received=f"{len(subjects)} references, one of them to the lab {labs[0].id}",
            fix=f"eyetune report {labs[0].id}",
        )
    if labs:
        return Report(labs[0].report(output), labs[0], ())
    runs = tuple(subject for subject in subjects if isinstance(subject, Run))
    if output is None:
        name = "-".join(dict.fromkeys(run.id for run in runs))[:_MAX_NAME_LENGTH]
        output = workspace.path("reports", f"{name}.html")
    return Report(_write_runs(runs, Path(output)), None, runs)


def _find(workspace: Workspace, reference: str) -> Lab | Run:
    """Return the lab that a reference identifies, or else the run."""
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
                expected=f"the id of a lab or run, the beginning of an id, a name, or {LATEST}",
                received=reference,
                fix="`eyetune runs` lists the runs. To make one: eyetune lab or eyetune train",
            ) from None


def _write_runs(runs: Sequence[Run], path: Path) -> Path:
    from eyetune.report.output import write_output
    from eyetune.report.pages.runs_page import runs_page

    distinct = list({run.id: run for run in runs}.values())
    parts = [_part(run, index) for index, run in enumerate(distinct)]
    comparison = _comparison(distinct) if len(distinct) > 1 else None
    return write_output(runs_page(parts, comparison), path)


def _part(run: Run, index: int) -> RunPart:
    from eyetune.report.pages.page import drawing
    from eyetune.report.pages.runs_page import RunPart

    noun = run.record.data.noun
    caption = f"The network: how the {noun} changes from layer to layer."
    if run.record.data.has_images:
        caption = "The network: how the image shrinks and deepens from layer to layer."
    drawings = [drawing(run.plot_network(), f"network-{index}", caption)]
    if run.record.results is None or not run.has_predictions:
        return RunPart(run.record, run.history, None, drawings=tuple(drawings))
    notes: tuple[str, ...] = ()
    if len(run.record.data.class_names) <= _MAX_CLASSES:
        caption = f"Which classes are mistaken for which, on the {run.shown_split} {noun}s."
        drawings.append(drawing(run.plot_confusion(), f"confusion-{index}", caption))
    mistakes = _mistakes(run, index) if run.record.data.has_images else None
    if not run.record.data.has_images:
        notes = ("The mistakes are not shown, because the data was given as arrays.",)
    elif mistakes is None:
        notes = ("The mistakes are not shown, because the images cannot be read any more.",)
    else:
        drawings.append(mistakes)
    split = run.shown_split
    return RunPart(
        run.record,
        run.history,
        run.verdict if run.has_verdict else None,
        split,
        run.evaluation(split),
        tuple(drawings),
        notes,
    )


def _mistakes(run: Run, index: int) -> Drawing | None:
    """Return the picture of the mistakes, or None if the images cannot be read.

    The picture that was drawn after the training is used if it exists: then no images are loaded.
    """
    from eyetune.report.pages.page import drawing, embedded

    name = f"mistakes-{index}"
    caption = "The most confident mistakes: the true class, and the predicted one."
    try:
        content = read_bytes(run.folder / "plots" / "mistakes.svg", IMAGE_FILE_BYTES)
        return embedded(content, name, caption, photo=True)
    except (OSError, ValueError, DataError):
        pass
    try:
        return drawing(run.plot_mistakes(), name, caption, photo=True)
    except EyetuneError:
        return None


def _comparison(runs: Sequence[Run]) -> ComparisonPart:
    from eyetune.report.pages.runs_page import ComparisonPart

    try:
        comparison = compare(*runs)
    except (UsageError, DataError) as error:  # a single recipe, an incomplete run, other images
        return ComparisonPart(problem=error.message)
    return ComparisonPart(comparison)
