"""`eyetune train` and `eyetune recipe`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from cyclopts import Parameter

from eyetune.cli.common import INTERRUPTED, Common, RecipeFlags, RecipeOptions, say
from eyetune.cli.tracker_flags import TrackerFlags, TrackerOptions
from eyetune.errors import UsageError

_NO_COMMON = Common()
_NO_FLAGS = RecipeFlags()
_NO_TRACKERS = TrackerFlags()


def train(
    start: str | None = None,
    /,
    *,
    seed: int = 0,
    name: str = "",
    resume: Annotated[str | None, Parameter(metavar="RUN", show_default=False)] = None,
    threads: Annotated[int | None, Parameter(show_default="one per core")] = None,
    deterministic: bool = True,
    flags: RecipeOptions = _NO_FLAGS,
    trackers: TrackerOptions = _NO_TRACKERS,
    common: Common = _NO_COMMON,
) -> int:
    """Train a network, evaluate it and record the run.

    The run is evaluated on validation and test images, and its curves are drawn. Without arguments
    the lab's network is trained on CIFAR-10. Ctrl-C keeps all complete epochs.

    For example:

        eyetune train --data digits
        eyetune train --optimizer sgd --learning-rate 0.01 --epochs 20
        eyetune train recipe.toml --set model.blocks.0.activation=tanh --seed 1
        eyetune train resnet14 --epochs 18
        eyetune train latest --epochs 20
        eyetune train --resume latest
        eyetune train --resume latest --epochs 62

    Parameters
    ----------
    start
        Recipe to start from: a recipe file (.toml), the name of a recipe in the package
        (`eyetune recipe --list` shows them), or a run whose recipe is trained again
        (its id, the beginning of the id, its name, or `latest`). Default: the lab's recipe.
    seed
        Random seed; the same seed gives the same result.
    name
        Name of the run, in addition to its id.
    resume
        Resume this run after its last complete epoch: its id, the beginning of the id, its name,
        or `latest`. With more --epochs than its recipe has, the run stays as it is, and a new run
        continues from its checkpoint; a schedule that has ended starts again over the additional
        epochs.
    threads
        Number of threads; a resumed run keeps its number unless this is given.
    deterministic
        Use only operations that give the same result every time.
    """
    has_other_flags = replace(flags, epochs=None) != _NO_FLAGS
    if resume is not None and (start is not None or has_other_flags or seed):
        raise UsageError(
            "A resumed run keeps its recipe and seed.",
            expected="--resume RUN without a recipe, --seed or recipe options other than --epochs",
            received="both",
            fix="Leave out the other options, or leave out --resume to train a new run.",
        )
    # The recipe is checked first: an invalid argument fails before Keras loads.
    recipe = None if resume is not None else flags.apply(start, common)
    workspace = common.open_workspace()
    opened = trackers.open()
    import eyetune
    from eyetune.cli.run_tables import training_summary
    from eyetune.records import RunState

    if resume is not None:
        run = eyetune.resume(
            resume,
            epochs=flags.epochs,
            name=name,
            workspace=workspace,
            threads=threads,
            trackers=opened,
        )
    else:
        run = eyetune.train(
            recipe,
            seed=seed,
            name=name,
            workspace=workspace,
            threads=threads or 0,
            deterministic=deterministic,
            trackers=opened,
        )
    if run.state is RunState.PAUSED:
        num_done = len(run.history)
        num_planned = run.recipe.fit.total_epochs
        say(
            f"Interrupted after {num_done} of {num_planned} epochs. "
            f"To continue: eyetune train --resume {run.id}"
        )
    common.show(run.to_json(), *training_summary(run))
    return INTERRUPTED if run.state is RunState.PAUSED else 0


def recipe(
    start: str | None = None,
    /,
    *,
    list_recipes: Annotated[bool, Parameter(name="--list", negative="")] = False,
    flags: RecipeOptions = _NO_FLAGS,
    common: Common = _NO_COMMON,
) -> None:
    """Print a recipe as TOML, with every value, to edit and train.

    For example:

        eyetune recipe > recipe.toml
        eyetune recipe recipe.toml --set model.batch_norm=true
        eyetune recipe --list
        eyetune recipe resnet14

    Parameters
    ----------
    start
        Recipe to start from: a recipe file (.toml), the name of a recipe in the package, or a run.
        Default: the lab's recipe.
    list_recipes
        List the recipes in the package, with what was measured, instead.
    """
    if list_recipes:
        if start is not None or flags != _NO_FLAGS:
            raise UsageError(
                "--list shows all recipes of the package, without changes.",
                expected="--list without a recipe and recipe options",
                received="both",
                fix="Leave out --list to print one recipe.",
            )
        _list_recipes(common)
        return
    edited = flags.apply(start, common)
    if common.json:
        common.show(edited.model_dump(mode="json", exclude_none=True))
    else:
        print(edited.to_toml(comments=True), end="")


def _list_recipes(common: Common) -> None:
    from eyetune.cli.recipe_tables import recipes_table
    from eyetune.space.portfolio import portfolio_recipes

    recipes = portfolio_recipes()
    value = {
        name: {
            "portfolio": portfolio.name,
            "measured_on": portfolio.measured_on,
            **entry.model_dump(mode="json", exclude={"name", "values"}),
        }
        for name, (portfolio, entry) in recipes.items()
    }
    common.show({"recipes": value}, *recipes_table(recipes))
