"""`eyetune train` and `eyetune recipe`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from eyetune.cli.common import INTERRUPTED, Common, RecipeFlags, say
from eyetune.errors import UsageError

_NO_COMMON = Common()
_NO_FLAGS = RecipeFlags()


def train(
    start: str | None = None,
    /,
    *,
    flags: RecipeFlags = _NO_FLAGS,
    seed: int = 0,
    name: str = "",
    resume: Annotated[str | None, Parameter(show_default=False)] = None,
    threads: Annotated[int | None, Parameter(show_default=False)] = None,
    deterministic: bool = True,
    common: Common = _NO_COMMON,
) -> int:
    """Train a network, evaluate it on its test images, draw its curves and record it all.

    Without words it trains the lab's network on CIFAR-10. Ctrl-C keeps every whole epoch.

    For example:

    eyetune train --data digits

    eyetune train --optimizer sgd --learning-rate 0.01 --epochs 20

    eyetune train recipe.toml --set model.blocks.0.activation=tanh --seed 1

    eyetune train latest --epochs 20

    eyetune train --resume latest

    Parameters
    ----------
    start
        What to begin with: a recipe's TOML file, or a run (its id, the beginning of it, its name,
        or latest), whose recipe is trained anew; by default the lab's recipe.
    seed
        Of everything that is random; the same seed gives the same result.
    name
        What to call the run, besides its id.
    resume
        Go on with this run from its last whole epoch: its id, the beginning of it, its name, or
        latest.
    threads
        Of the arithmetic; by default one for each core, and on --resume as many as before.
    deterministic
        Use only operations that repeat exactly.
    """
    if resume is not None and (start is not None or flags != _NO_FLAGS or seed or name):
        raise UsageError(
            "A run is resumed as it was begun.",
            expected="--resume RUN without a recipe or values of one",
            received="both",
            fix="Leave out the recipe and its values, or leave out --resume and train a new run.",
        )
    edited = (
        None if resume is not None else flags.apply(start, common)
    )  # wrong words fail before Keras loads
    workspace = common.open_workspace()
    import eyetune
    from eyetune.cli.tables import training_summary
    from eyetune.records import RunState

    if resume is not None:
        run = eyetune.resume(resume, workspace=workspace, threads=threads)
    else:
        run = eyetune.train(
            edited,
            seed=seed,
            name=name,
            workspace=workspace,
            threads=threads or 0,
            deterministic=deterministic,
        )
    if run.state is RunState.PAUSED:
        done, planned = len(run.history), run.recipe.fit.total_epochs
        say(
            f"Interrupted after {done} of {planned} epochs. Go on with: eyetune train --resume {run.id}"
        )
    common.show(run.to_json(), *training_summary(run))
    return INTERRUPTED if run.state is RunState.PAUSED else 0


def recipe(
    start: str | None = None,
    /,
    *,
    flags: RecipeFlags = _NO_FLAGS,
    common: Common = _NO_COMMON,
) -> None:
    """Print a recipe as TOML with every value written out, to edit and train.

    For example:

    eyetune recipe > recipe.toml

    eyetune recipe recipe.toml --set model.batch_norm=true

    Parameters
    ----------
    start
        What to begin with: a recipe's TOML file, or a run; by default the lab's recipe.
    """
    edited = flags.apply(start, common)
    if common.json:
        common.show(edited.model_dump(mode="json", exclude_none=True))
    else:
        print(edited.to_toml(comments=True), end="")
