"""`eyetune deploy`: from images to firmware in one command."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from eyetune.cli.common import (
    Common,
    CompactRecipeOptions,
    RecipeFlags,
    check_output_folder,
    is_function,
    read_seconds,
)
from eyetune.cli.export import Formats, export_lines, verification_lines
from eyetune.cli.interruption import recorded_studies, say_how_to_resume
from eyetune.cli.tracker_flags import TrackerFlags, TrackerOptions
from eyetune.cli.unknown_flags import NOTHING_UNKNOWN, UnknownFlags
from eyetune.report.console import escape
from eyetune.values.firmware_formats import DEFAULT_FORMATS

_NO_COMMON = Common()
_NO_FLAGS = RecipeFlags()
_NO_TRACKERS = TrackerFlags()


def deploy(  # noqa: PLR0913 (options)
    start: str | None = None,
    /,
    *,
    board: Annotated[
        str | None, Parameter(show_default="esp-eye; with --resume that of the study")
    ] = None,
    constraint: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    fps: Annotated[float | None, Parameter(show_default="no limit")] = None,
    time: Annotated[
        str | None, Parameter(show_default="20m; with --resume that of the study")
    ] = None,
    output: Annotated[
        Path | None, Parameter(metavar="FOLDER", show_default="exports/NAME in the workspace")
    ] = None,
    space: Annotated[
        str | None, Parameter(show_default="portfolio; fine with a starting point or recipe values")
    ] = None,
    max_epochs: Annotated[int | None, Parameter(show_default="by the number of images")] = None,
    format: Formats = DEFAULT_FORMATS,  # noqa: A002 (the name of the option)
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
    name: str = "",
    resume: Annotated[bool, Parameter(negative="")] = False,
    workers: Annotated[int | None, Parameter(show_default="one per core")] = None,
    unknown: UnknownFlags = NOTHING_UNKNOWN,
    flags: CompactRecipeOptions = _NO_FLAGS,
    trackers: TrackerOptions = _NO_TRACKERS,
    common: Common = _NO_COMMON,
) -> int:
    """Search, train, export and verify a network for a board.

    The search keeps to the limits of the board. It starts from the best known recipe for your
    images, and ends as soon as a longer training promises more than another trial. The best recipe
    is then trained for the rest of the time, exported, and verified on all test images; one report
    describes it all. The exit status is 1 if the verification fails.

    For example:

        eyetune deploy --data photos/ --board esp-eye --time 20m --output firmware
        eyetune deploy --data cifar10 --time 1h --name camera
        eyetune deploy --data photos/ --board esp32-s3-eye --fps 5
        eyetune deploy --data photos/ --unknown 5% --output firmware
        eyetune deploy --resume --name camera

    Parameters
    ----------
    start
        What to search: a model function, as file.py:name; or the starting point of every trial: a
        recipe's .toml file, or a run.
    board
        A name from `eyetune boards`, or the path of a .toml file that describes a board.
    constraint
        Limit that a network must keep before it is trained, such as "latency_ms < 200"; repeat the
        option for several limits.
    fps
        Frames per second that the network must reach on the board, as predicted.
    time
        Time for everything, for example 90s, 20m or 2h.
    output
        Folder for the export, which is created.
    space
        What recipes may change: portfolio, small, lab, fine or the path of a .toml file.
    max_epochs
        Largest number of epochs of a trial in the search.
    format
        Format of the firmware; repeat the option for several formats.
    overwrite
        Replace an existing export. Other files are never replaced.
    seed
        Random seed.
    name
        Name of the study, the run and the export.
    resume
        Continue the study of this name, or the latest one.
    workers
        Number of trainings at the same time in the search.
    """
    import eyetune

    check_output_folder(output)
    function = start if is_function(start) else None
    recipe_or_run = start if function is None else None
    recipe = None
    if recipe_or_run is not None or flags != RecipeFlags(data=flags.data):
        recipe = flags.apply(recipe_or_run, common, for_function=function is not None)
    workspace = common.open_workspace()
    opened = trackers.open()
    resumed = workspace.studies.find(name or "latest").name if resume else ""
    with recorded_studies(workspace) as study_ids:
        try:
            result = eyetune.deploy(
                flags.data,
                output,
                board=board,
                constraints=constraint or None,
                fps=fps,
                seconds=None if time is None else read_seconds(time),
                build_model=function,
                space=space,
                recipe=recipe,
                max_epochs=max_epochs,
                formats=format,
                unknown=unknown.options(),
                overwrite=overwrite,
                seed=seed,
                name=name,
                resume=resume,
                workers=workers,
                workspace=workspace,
                trackers=opened,
            )
        except KeyboardInterrupt as error:
            options = {
                "output": output,
                "format": format if format != DEFAULT_FORMATS else None,
                "workers": workers,
            }
            return say_how_to_resume(
                "deploy",
                common,
                workspace,
                study_ids,
                resumed=resumed,
                options=options | asdict(unknown) | asdict(trackers),
                error=error,
            )
    lines = [
        *map(escape, result.export.manifest.steps),
        *export_lines(result.export),
        *verification_lines(result.verification),
    ]
    common.show(result.to_json(), *lines, f"Report: {escape(str(result.report))}")
    return 0 if result.verification.passed else 1
