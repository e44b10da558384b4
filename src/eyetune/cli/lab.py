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
from eyetune.cli.tracker_flags import TrackerFlags, TrackerOptions
from eyetune.errors import UsageError

_NO_COMMON = Common()
_NO_FLAGS = RecipeFlags()
_NO_TRACKERS = TrackerFlags()


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
    trackers: TrackerOptions = _NO_TRACKERS,
    common: Common = _NO_COMMON,
) -> int:
    """Find the techniques that help, one at a time and combined.

    Trains the baseline and each technique's values, one change at a time; stacks what helped; tries
    each pair of the parts; then trains the best recipe and the baseline on training and validation
    images and tests them, once. What is already recorded is not trained again: after Ctrl-C or a
    crash, the same command continues the lab. Where classes differ by more than a factor of two in
    number, class weights and balanced sampling are tried too, and balanced accuracy decides.

    For example:

        eyetune lab --data digits --quick
        eyetune lab --data cifar10 --subset 5000 --epochs 3
        eyetune lab --techniques flip,shift,learning-rate=0.003 --seeds 3 --time 2h

    Parameters
    ----------
    start
        The baseline: a recipe file (.toml), the name of a recipe in the package, or a run. Default:
        the lab's recipe.
    techniques
        What to try: names (all their values) or name=value, separated by commas or repeated.
        Default: every technique that needs nothing but the images. `eyetune techniques` lists them.
    file
        Python file with techniques of your own, which are tried too (see `eyetune techniques`). Can
        be repeated.
    quick
        Try a dozen changes with few epochs and few images: a less certain answer, in minutes.
    seeds
        Number of trainings of each compared recipe. With several, the intervals include the spread
        over seeds.
    final_seeds
        Number of trainings of the best recipe, and of the baseline, that are tested. Default: 3, or
        2 with --quick; 7 more where --time leaves time for them.
    time
        Time limit, for example 90s, 30m or 2h. What was not tried by then is listed.
    workers
        Number of trainings at once. Default: one per core, as far as memory allows.
    """
    from eyetune.techniques import load_file
    from eyetune.techniques.lab.plan import QUICK

    names = [name for text in techniques for name in text.split(",") if name.strip()]
    if techniques and not names:
        raise UsageError(
            "--techniques names no technique.", fix="`eyetune techniques` lists all techniques."
        )
    own_names = [name for path in file for name in load_file(path)]
    if own_names and (quick or names):  # otherwise every technique is tried, also these
        names = [*(names or QUICK), *own_names]
    recipe = flags.apply(start, common)
    import eyetune
    from eyetune.api.lab import REPORT_FILE
    from eyetune.cli.lab_tables import lab_tables

    try:
        finished = eyetune.lab(
            recipe,
            techniques=names,
            quick=quick,
            seeds=seeds,
            final_seeds=final_seeds,
            seconds=None if time is None else read_seconds(time),
            workers=workers,
            workspace=common.open_workspace(),
            trackers=trackers.open(),
        )
    except KeyboardInterrupt:
        say("Interrupted. What was trained is recorded: the same command continues the lab.")
        return INTERRUPTED
    paths = [finished.folder / REPORT_FILE, finished.folder / "plots"]
    common.show(finished.to_json(), *lab_tables(finished.record, paths))
    return 0
