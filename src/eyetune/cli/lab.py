"""`eyetune lab`: every technique by hand, compared with evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from eyetune.cli.common import (
    INTERRUPTED,
    Common,
    CompactRecipeOptions,
    RecipeFlags,
    read_seconds,
    say,
)
from eyetune.errors import UsageError

_NO_COMMON = Common()
_NO_FLAGS = RecipeFlags()


def lab(
    start: str | None = None,
    /,
    *,
    flags: CompactRecipeOptions = _NO_FLAGS,
    techniques: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    file: Annotated[tuple[Path, ...], Parameter(negative="", show_default=False)] = (),
    quick: Annotated[bool, Parameter(negative="")] = False,
    seeds: int = 1,
    final_seeds: Annotated[int | None, Parameter(show_default=False)] = None,
    time: Annotated[str | None, Parameter(show_default=False)] = None,
    workers: Annotated[int | None, Parameter(show_default=False)] = None,
    common: Common = _NO_COMMON,
) -> int:
    """Find the techniques that help, one at a time and combined.

    Trains the baseline and each technique's values, one change at a time; stacks what helped; looks
    how each pair gets on; then trains the best and the baseline on training and validation images,
    and tries them on test, once. What is recorded already is not trained again: after Ctrl-C or a
    crash the same words go on where it stopped.

    For example:

        eyetune lab --data digits --quick
        eyetune lab --data cifar10 --subset 5000 --epochs 3
        eyetune lab --techniques flip,shift,learning-rate=0.003 --seeds 3 --time 2h

    Parameters
    ----------
    start
        The baseline: a recipe's TOML file, or a run; by default the lab's recipe.
    techniques
        What to try: names (all their values) or name=value, with commas between, or several times;
        by default every technique that needs nothing but the images. `eyetune techniques` lists
        them.
    file
        A Python file with techniques of your own, which are then tried too (see `eyetune
        techniques`); may be repeated.
    quick
        A dozen changes, few epochs and few images: an answer in minutes, and a less certain one.
    seeds
        Trainings of each recipe that are compared; with several, the spread over seeds is part of
        the intervals.
    final_seeds
        Trainings of the best recipe, and of the baseline, that are tried on test; by default 3
        (with --quick 2).
    time
        How long it may take, for example 90s, 30m or 2h; what was not tried by then is listed.
    workers
        Trainings at once, by default one for each core (as far as the memory goes).
    """
    from eyetune.techniques import load_file
    from eyetune.techniques.lab.plan import QUICK

    words = [word for given in techniques for word in given.split(",") if word.strip()]
    if techniques and not words:
        raise UsageError("--techniques names none.", fix="eyetune techniques lists them.")
    own = [name for one in file for name in load_file(one)]
    if own and (quick or words):  # else everything is tried, these too
        words = [*(words or QUICK), *own]
    recipe = flags.apply(start, common)
    import eyetune
    from eyetune.api.lab import REPORT_FILE
    from eyetune.cli.lab_tables import lab_tables

    try:
        done = eyetune.lab(
            recipe,
            techniques=words,
            quick=quick,
            seeds=seeds,
            final_seeds=final_seeds,
            seconds=None if time is None else read_seconds(time),
            workers=workers,
            workspace=common.open_workspace(),
        )
    except KeyboardInterrupt:
        say("Interrupted. What is trained is recorded: the same words go on where it stopped.")
        return INTERRUPTED
    common.show(
        done.to_json(), *lab_tables(done.record, [done.folder / REPORT_FILE, done.folder / "plots"])
    )
    return 0
