"""`eyetune lr-find`: which learning rate to train with."""

from __future__ import annotations

import os
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from eyetune.analysis.learning_rates import LARGEST, SMALLEST, check_range
from eyetune.cli.common import Common, RecipeFlags

_NO_COMMON = Common()
_NO_FLAGS = RecipeFlags()
RATE = "optimizer.learning_rate"


def lr_find(
    start: str | None = None,
    /,
    *,
    flags: RecipeFlags = _NO_FLAGS,
    smallest: float = SMALLEST,
    largest: float = LARGEST,
    steps: Annotated[int | None, Parameter(show_default=False)] = None,
    seed: int = 0,
    threads: int = 0,
    output: Path | None = None,
    common: Common = _NO_COMMON,
) -> None:
    """Find the learning rate to train with, by a range test (Smith, 2017, arXiv:1506.01186), and
    draw its curve.

    For some hundred steps the network trains while the rate rises from far too small to far too
    large, in place of the recipe's own rate and schedule. Only training images are looked at;
    nothing is recorded as a run.

    For example:

    eyetune lr-find --data digits

    eyetune lr-find --optimizer sgd --set optimizer.momentum=0.9 --steps 1000

    eyetune lr-find recipe.toml --smallest 1e-4 --largest 1

    Parameters
    ----------
    start
        What to begin with: a recipe's TOML file, or a run, whose recipe is tested; by default the
        lab's recipe.
    smallest
        The first rate.
    largest
        The last rate; the test ends before it where the loss diverges.
    steps
        From the smallest rate to the largest; by default 500, fewer on small data.
    seed
        Of everything that is random; the same seed gives the same curve.
    threads
        Of the arithmetic; 0 for one for each core.
    output
        Folder of the picture; by default `plots` in the workspace.
    """
    recipe = flags.apply(start, common)  # wrong words fail before Keras loads
    check_range(smallest, largest, steps)
    import eyetune
    from eyetune.cli.tables import range_test_tables
    from eyetune.report.figures.run_figures import save

    workspace = common.open_workspace()
    test = eyetune.find_learning_rate(
        recipe,
        smallest=smallest,
        largest=largest,
        steps=steps,
        seed=seed,
        threads=threads,
        workspace=workspace,
    )
    folder = output or workspace.folder / "plots"
    paths = save(
        test.plot(), folder, f"learning-rate-{recipe.optimizer.name}-{recipe.fingerprint[:8]}"
    )
    command = (
        None if test.suggestion is None else train_command(start, flags, common, test.suggestion)
    )
    schedule = recipe.optimizer.schedule
    value = {
        **test.to_json(),
        "command": command,
        "schedule": schedule,
        "pictures": [str(path) for path in paths],
    }
    common.show(value, *range_test_tables(test, schedule, command), f"Picture: {paths[0]}")


def train_command(start: str | None, flags: RecipeFlags, common: Common, rate: float) -> str:
    """Return the command that trains what was tested, at another rate.

    Example:
        >>> train_command("recipe.toml", RecipeFlags(optimizer="sgd", set=("fit.epochs=3",)), Common(), 0.01)
        'eyetune train recipe.toml --optimizer sgd --set fit.epochs=3 --learning-rate 0.01'
    """
    words = ["eyetune", "train", *([start] if start else [])]
    for one in fields(flags):
        value = getattr(flags, one.name)
        name = f"--{one.name.replace('_', '-')}"
        if one.name == "learning_rate" or value is None or value is False:
            continue
        if isinstance(value, tuple):
            for item in value:
                words += [] if item.replace(" ", "").startswith(f"{RATE}=") else [name, item]
        else:
            words += [name] if value is True else [name, str(value)]
    words += ["--learning-rate", f"{rate:g}"]
    if common.workspace is not None and str(common.workspace) != os.environ.get(
        "EYETUNE_WORKSPACE"
    ):
        words += ["--workspace", str(common.workspace)]
    return shlex.join(words)
