"""What all commands share: their common flags and how they print."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from eyetune.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from eyetune.recipe import Recipe
    from eyetune.records import Workspace

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
INTERRUPTED = 130  # exit status after Ctrl-C: 128 + SIGINT, as shells have it
COMMON = Group("For every command", sort_key=100)
RECIPE = Group("Recipe values", sort_key=10)


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """Flags of every command."""

    json: Annotated[bool, Parameter(group=COMMON, negative="")] = False
    """Print one JSON object on standard output; everything else goes to standard error."""
    workspace: Annotated[
        Path | None, Parameter(group=COMMON, env_var="EYETUNE_WORKSPACE", show_default=False)
    ] = None
    """Folder of the records, by default ./eyetune-workspace."""
    debug: Annotated[bool, Parameter(group=COMMON, negative="")] = False
    """Show the traceback of an error."""

    def open_workspace(self) -> Workspace:
        """Open the workspace."""
        from eyetune.records import Workspace

        return Workspace(self.workspace)

    def show(self, value: Mapping[str, Any], *shown: RenderableType) -> None:
        """Print a command's result: the value as JSON where that is asked for, else what is shown."""
        if self.json:
            print(json.dumps(value, allow_nan=False, default=str))
        else:
            console = output()
            for one in shown:
                console.print(one)


@Parameter(name="*")
@dataclass(frozen=True)
class RecipeFlags:
    """Flags that edit a recipe: the common values by name, every value with --set."""

    data: Annotated[str | None, Parameter(group=RECIPE)] = None
    """cifar10, cifar100, digits, or the path of an archive, a folder of images or an .npz file."""
    model: Annotated[str | None, Parameter(group=RECIPE)] = None
    """A known network: lab, vgg, resnet8, resnet20 or mobilenet (narrower: --set model.width=0.5); or a pre-trained
    one, frozen: vgg16, mobilenet_v1, mobilenet_v2, efficientnet_b0 or resnet50."""
    learning_rate: Annotated[float | None, Parameter(group=RECIPE)] = None
    """Size of the optimizer's steps, for example 1e-4."""
    optimizer: Annotated[str | None, Parameter(group=RECIPE)] = None
    """adam, sgd, rmsprop, adamw, nadam, adagrad, adadelta, adamax, ftrl, lion or muon."""
    batch_size: Annotated[int | None, Parameter(group=RECIPE)] = None
    """Images in each step."""
    epochs: Annotated[int | None, Parameter(group=RECIPE)] = None
    """Passes over the training images."""
    activation: Annotated[str | None, Parameter(group=RECIPE)] = None
    """Of all hidden layers: relu, tanh, gelu, ... (one layer: --set model.blocks.0.activation=tanh)."""
    precision: Annotated[str | None, Parameter(group=RECIPE)] = None
    """auto, float32 or bfloat16."""
    subset: Annotated[int | None, Parameter(group=RECIPE)] = None
    """Use only the first N training images: four fifths train, the rest validate; and N/5 test images."""
    image_size: Annotated[int | None, Parameter(group=RECIPE)] = None
    """Side in pixels to which the images of a folder are resized."""
    skip_unreadable: Annotated[bool, Parameter(group=RECIPE, negative="")] = False
    """Leave out image files that cannot be read, instead of stopping."""
    technique: Annotated[
        tuple[str, ...], Parameter(group=RECIPE, negative="", show_default=False)
    ] = ()
    """A technique, as name=value; may be repeated. `eyetune techniques` lists them."""
    set: Annotated[
        tuple[str, ...], Parameter(group=RECIPE, name="--set", negative="", show_default=False)
    ] = ()
    """Any value by its path, as path=value; may be repeated. `eyetune recipe` shows all paths."""

    def apply(self, start: str | None, common: Common) -> Recipe:
        """Return a recipe with the flags' edits: that of a TOML file or of a run, or the default
        one.
        """
        from eyetune.recipe import Recipe, parse_edits

        named = {
            "data.source": self.data,
            "model": self.model,
            "optimizer.learning_rate": self.learning_rate,
            "optimizer.name": self.optimizer,
            "fit.batch_size": self.batch_size,
            "fit.epochs": self.epochs,
            "model.activation": self.activation,
            "fit.precision": self.precision,
            "data.subset": self.subset,
            "data.image_size": self.image_size,
            "data.skip_unreadable": self.skip_unreadable or None,
        }
        edits = {path: value for path, value in named.items() if value is not None} | parse_edits(
            self.set
        )
        if start is None:
            recipe = Recipe()
        elif is_recipe_file(start):
            recipe = Recipe.load(start)
        elif Path(start).is_dir():
            raise UsageError(
                f"{start} is a folder, not a recipe or a run.",
                fix=f"If it holds images: --data {start}",
            )
        else:
            recipe = common.open_workspace().runs.find(start).recipe
        for word in self.technique:
            recipe = _apply_technique(recipe, word)
        return recipe.with_(edits) if edits else recipe


def _apply_technique(recipe: Recipe, word: str) -> Recipe:
    from eyetune.techniques import find

    name, _, value = word.partition("=")
    chosen = find(name)
    return chosen.apply(recipe, value or chosen.values[0])


def is_recipe_file(word: str) -> bool:
    """Tell whether a word names a recipe's file, and not a run."""
    return word.endswith(".toml") or Path(word).is_file()


def is_function(word: str | None) -> bool:
    """Tell whether a word names a model function, as file.py:name."""
    return word is not None and (".py:" in word or word.endswith(".py"))


def output() -> Console:
    """Return the console for results: standard output, as wide as needed where it is no terminal."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            # rich would leave with status 1; the reader having seen enough is no failure
            raise BrokenPipeError

    return Output(
        highlight=False,
        width=None if sys.stdout.isatty() else 120,
        soft_wrap=not sys.stdout.isatty(),
    )


def say(words: str) -> None:
    """Tell the user something that is no result, on standard error."""
    from rich.console import Console

    Console(file=sys.stderr, highlight=False).print(words, markup=False, soft_wrap=True)


def load_keras() -> None:
    """Load Keras quietly, and say that it takes a moment."""
    from eyetune.training.backend import start_keras

    say("Loading Keras ...")
    start_keras()


def read_seconds(words: str) -> float:
    """Read a duration such as 90s, 30m or 2h.

    Raises:
        UsageError: It is none, or not above 0.

    Example:
        >>> read_seconds("30m"), read_seconds("1.5h"), read_seconds("20")
        (1800.0, 5400.0, 20.0)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)\s*([smh]?)", words.strip().lower())
    if match is None or float(match[1]) <= 0:
        raise UsageError(
            "A duration cannot be read.",
            expected="a number above 0 with s, m or h, such as 30m",
            received=words,
        )
    return float(match[1]) * _UNITS[match[2]]
