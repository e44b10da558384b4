"""`eyetune lr-find`: which learning rate to train with."""

from __future__ import annotations

import math
import shlex
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from eyetune.cli.common import Common, RecipeFlags, RecipeOptions, check_output_folder
from eyetune.report.console import escape

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.api.shown import ShownRangeTest

_NO_COMMON = Common()
_NO_FLAGS = RecipeFlags()
_LEARNING_RATE = "optimizer.learning_rate"


def _default_smallest(_: object) -> str:
    from eyetune.analysis.learning_rates import SMALLEST

    return f"{SMALLEST:g}"


def _default_largest(_: object) -> str:
    from eyetune.analysis.learning_rates import LARGEST

    return f"{LARGEST:g}"


def lr_find(
    start: str | None = None,
    /,
    *,
    smallest: Annotated[float | None, Parameter(show_default=_default_smallest)] = None,
    largest: Annotated[float | None, Parameter(show_default=_default_largest)] = None,
    steps: Annotated[int | None, Parameter(show_default="500, fewer for small data")] = None,
    seed: int = 0,
    threads: Annotated[int, Parameter(show_default="one per core")] = 0,
    output: Annotated[
        Path | None, Parameter(metavar="FOLDER", show_default="plots in the workspace")
    ] = None,
    flags: RecipeOptions = _NO_FLAGS,
    common: Common = _NO_COMMON,
) -> None:
    """Find a learning rate with a range test.

    The network trains for a few hundred steps while the learning rate rises from far too small to
    far too large (Smith, 2017, arXiv:1506.01186). The recipe's own rate and schedule are not used.
    The test sees training images only, and no run is recorded.

    For example:

        eyetune lr-find --data digits
        eyetune lr-find --optimizer sgd --set optimizer.momentum=0.9 --steps 1000
        eyetune lr-find recipe.toml --smallest 1e-4 --largest 1

    Parameters
    ----------
    start
        Recipe to test: a recipe file (.toml), the name of a recipe in the package, or a run.
        Default: the lab's recipe.
    smallest
        First learning rate.
    largest
        Last learning rate; the test ends earlier if the loss diverges.
    steps
        Number of steps from the first to the last learning rate.
    seed
        Random seed; the same seed gives the same curve.
    threads
        Number of threads.
    output
        Folder for the pictures of the curve (PNG and SVG).
    """
    check_output_folder(output)
    # Invalid arguments fail before Keras loads.
    recipe = flags.apply(start, common)
    from eyetune.analysis.learning_rates import LARGEST, SMALLEST, check_range

    smallest = SMALLEST if smallest is None else smallest
    largest = LARGEST if largest is None else largest
    check_range(smallest, largest, steps)
    import eyetune
    from eyetune.report.figures.picture import save

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
    folder = output or workspace.path("plots")
    file_name = f"learning-rate-{recipe.optimizer.name}-{recipe.fingerprint[:8]}"
    paths = save(test.plot(), folder, file_name)
    command = None
    if test.suggestion is not None:
        command = train_command(start, flags, common, test.suggestion)
    schedule = recipe.optimizer.schedule
    value = {
        **test.to_json(),
        "command": command,
        "schedule": schedule,
        "pictures": [str(path) for path in paths],
    }
    common.show(
        value, *_range_test_lines(test, schedule, command), f"Picture: {escape(str(paths[0]))}"
    )


def _range_test_lines(
    test: ShownRangeTest, schedule: str, command: str | None
) -> list[RenderableType]:
    """Return what to print of a range test: results, curve and the command that uses them."""
    from eyetune.cli.tables import key_value_table

    rows = test.rows()
    if len(test.rates):
        rows["loss"] = _loss_curve(test)
    lines: list[RenderableType] = [escape(test.title), key_value_table(rows)]
    if schedule != "constant":
        suffix = "; the suggestion is for its highest rate" if command else ""
        lines.append(f"The schedule {schedule} was not used in the test{suffix}.")
    if command:
        lines += ["To use it:", f"  {escape(command)}"]
    return lines


def _loss_curve(test: ShownRangeTest) -> str:
    """Return the running average in one line, cut off where it is far above the loss at first."""
    from eyetune.cli.tables import MAX_BARS, sparkline

    averages = test.smoothed[:: math.ceil(len(test.smoothed) / MAX_BARS)]
    low = float(averages.min())
    start = float(averages[: int(averages.argmin()) + 1].max())
    ceiling = start + (start - low) / 2
    return sparkline([min(float(value), ceiling) for value in averages])


def train_command(
    start: str | None, flags: RecipeFlags, common: Common, learning_rate: float
) -> str:
    """Return the command that trains the tested recipe with another learning rate.

    Example:
        >>> flags = RecipeFlags(optimizer="sgd", set=("fit.epochs=3",))
        >>> train_command("recipe.toml", flags, Common(), 0.01)
        'eyetune train recipe.toml --optimizer sgd --set fit.epochs=3 --learning-rate 0.01'
    """
    arguments = ["eyetune", "train"]
    if start:
        arguments.append(start)
    for field in fields(flags):
        value = getattr(flags, field.name)
        option = f"--{field.name.replace('_', '-')}"
        if field.name == "learning_rate" or value is None or value is False:
            continue
        if isinstance(value, tuple):
            for item in value:
                if item.partition("=")[0].strip() != _LEARNING_RATE:
                    arguments += [option, item]
        elif value is True:
            arguments.append(option)
        else:
            arguments += [option, str(value)]
    arguments += ["--learning-rate", f"{learning_rate:g}", *common.workspace_arguments()]
    return shlex.join(arguments)
