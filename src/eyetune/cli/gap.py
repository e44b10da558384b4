"""`eyetune gap`: how much accuracy falls on pictures of a camera, and why."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich import box
from rich.table import Table

from eyetune.cli.common import Common, check_output_folder
from eyetune.report.console import escape

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.analysis.gap import Gap

_NO_COMMON = Common()


def gap(
    run: str = "latest",
    /,
    *,
    camera_data: Annotated[Path, Parameter(metavar="FOLDER")],
    split: Literal["validation", "test"] = "validation",
    output: Annotated[
        Path | None, Parameter(metavar="FOLDER", show_default="plots in the run's folder")
    ] = None,
    common: Common = _NO_COMMON,
) -> None:
    """Measure how much accuracy falls on pictures of a camera, and why.

    Color cast, exposure, sharpness, noise, framing and orientation are tested one by one: they are
    corrected in the camera's pictures, or the images of the data set are made like the camera's. By
    as much as accuracy changes, the property is a cause. Intervals are 95% intervals.

    For example:

        eyetune gap latest --camera-data frames/
        eyetune gap 3f2a --camera-data frames/ --split test --json

    Parameters
    ----------
    run
        The run: its id, the beginning of the id, its name, or `latest`.
    camera_data
        Folder of the camera's pictures, with one folder per class, named as in the training.
        Pictures without such folders give their properties only.
    split
        Split of the data set to compare with. Make choices on validation; test is for the report.
    output
        Folder for the picture (PNG and SVG).
    """
    check_output_folder(output)
    import eyetune
    from eyetune.report.figures.picture import save
    from eyetune.report.pages.gap_text import gap_sentences

    chosen = eyetune.open_run(run, workspace=common.open_workspace())
    found = eyetune.gap(chosen, camera_data, split=split)
    paths = save(found.plot(), output or chosen.folder / "plots", "gap")
    command = found.command
    if command:
        command = " ".join([command, *map(shlex.quote, common.workspace_arguments())])
    value = {**found.to_json(), "command": command, "pictures": [str(path) for path in paths]}
    parts: list[RenderableType] = [_properties(found)]
    if found.causes:
        parts.append(_causes(found))
    parts += map(escape, gap_sentences(found))
    if command:
        parts += ["To train on such pictures:", f"  {escape(command)}"]
    common.show(value, *parts, f"Picture: {escape(str(paths[0]))}")


def _properties(found: Gap) -> Table:
    """Return how the pictures differ."""
    table = Table(box=box.SIMPLE, title="Properties (medians)", title_justify="left")
    table.add_column("property")
    for title in (found.split, "camera", "difference"):
        table.add_column(title, justify="right", no_wrap=True)
    for shift in found.shifts:
        style = "bold" if shift.is_large else "dim"
        text = f"{shift.shift:+.1f} deviations"
        table.add_row(shift.measure, f"{shift.clean:.3f}", f"{shift.camera:.3f}", text, style=style)
    return table


def _causes(found: Gap) -> Table:
    """Return what each property explains."""
    from eyetune.values.numbers import interval_text

    table = Table(box=box.SIMPLE, title="What explains the gap", title_justify="left")
    table.add_column("property", no_wrap=True)
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("95% interval", justify="right", no_wrap=True)
    table.add_column("tested on", overflow="fold")
    for cause in found.causes:
        points = interval = ""
        if cause.explained is not None:
            value, low, high = cause.explained
            points, interval = f"{100 * value:+.1f}", interval_text((low, high), digits=1)
        style = "bold" if cause.certain else "dim"
        table.add_row(cause.name, points, interval, escape(cause.test), style=style)
    return table
