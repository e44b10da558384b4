"""`eyetune deploy`: from images to firmware in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape

from eyetune.cli.common import (
    INTERRUPTED,
    Common,
    CompactRecipeOptions,
    RecipeFlags,
    check_output_folder,
    is_function,
    read_seconds,
    say,
)
from eyetune.cli.export import Formats, export_lines, verification_lines

_NO_COMMON = Common()
_NO_FLAGS = RecipeFlags()


def deploy(  # noqa: PLR0913 (flags)
    start: str | None = None,
    /,
    *,
    board: str = "esp-eye",
    time: str = "20m",
    output: Annotated[
        Path | None, Parameter(metavar="FOLDER", show_default="exports/NAME in the workspace")
    ] = None,
    space: str | None = None,
    max_epochs: int | None = None,
    format: Formats = ("esp-idf",),  # noqa: A002 (the word of the flag)
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
    name: str = "",
    resume: Annotated[bool, Parameter(negative="")] = False,
    workers: Annotated[int | None, Parameter(show_default=False)] = None,
    flags: CompactRecipeOptions = _NO_FLAGS,
    common: Common = _NO_COMMON,
) -> int:
    """Search, train, export and verify a network for a board.

    The search keeps to the limits of the board. The best network is trained again for longer,
    exported, and verified on test images; one report describes it all.

    Half of the time goes into the search, most of the rest into one longer training of the best.
    The exit status is 1 where the proof fails.

    For example:

        eyetune deploy --data photos/ --board esp-eye --time 20m --output firmware
        eyetune deploy --data cifar10 --time 1h --name camera
        eyetune deploy --resume --name camera

    Parameters
    ----------
    start
        A model function to search, as file.py:name; or a recipe's TOML file or a run that every
        trial begins from.
    board
        A name of `eyetune boards`, or the path of a TOML file.
    time
        For all of it, for example 90s, 20m or 2h.
    output
        Folder for the export, which is created.
    space
        What recipes may change: small (the default), lab, fine or a TOML file.
    max_epochs
        Of a trial of the search; by default the recipe's epochs.
    format
        Of the firmware: esp-idf (the default), arduino or c; may be repeated.
    overwrite
        Replace an export that is there. Anything else is never written over.
    seed
        Of everything that is random.
    name
        What to call the study, the run and the export.
    resume
        Go on with the study of this name, or with the latest.
    workers
        Trainings at once in the search, by default one for each core.
    """
    import eyetune

    check_output_folder(output)
    function = start if is_function(start) else None
    given = start if function is None else None
    recipe = (
        None
        if given is None and flags == RecipeFlags(data=flags.data)
        else flags.apply(given, common)
    )
    try:
        done = eyetune.deploy(
            flags.data,
            output,
            board=board,
            seconds=read_seconds(time),
            build_model=function,
            space=space,
            recipe=recipe,
            max_epochs=max_epochs,
            formats=format,
            overwrite=overwrite,
            seed=seed,
            name=name,
            resume=resume,
            workers=workers,
            workspace=common.open_workspace(),
        )
    except KeyboardInterrupt:
        known = f" --name {name}" if name else ""
        say(f"Interrupted. Every whole epoch is recorded. To go on: eyetune deploy --resume{known}")
        return INTERRUPTED
    lines = [
        *map(escape, done.export.manifest.steps),
        *export_lines(done.export),
        *verification_lines(done.verification),
    ]
    common.show(done.to_json(), *lines, f"Report: {escape(str(done.report))}")
    return 0 if done.verification.passed else 1
