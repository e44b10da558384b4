"""What all commands share: their common options, and how they read arguments and print results."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Group, Parameter

from eyetune.cli.help_format import HelpFormatter
from eyetune.errors import UsageError
from eyetune.values.json_text import json_text
from eyetune.values.pixels import Pixels

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from eyetune.recipe import Recipe
    from eyetune.records import Workspace

INTERRUPTED = 130  # exit status after Ctrl-C: 128 + SIGINT, as shells define it
_FILE_SUFFIXES = (".png", ".svg", ".html", ".json", ".tflite", ".keras")
_SECONDS_PER_UNIT = {"": 1, "s": 1, "m": 60, "h": 3600}

_ARGUMENTS_GROUP = Group("Arguments", sort_key=0)
_OPTIONS_GROUP = Group("Options", sort_key=10)
_COMMON_GROUP = Group("Options of every command", sort_key=100)
_MODEL_FILE_GROUP = Group("Options for model files", sort_key=50)
_RECIPE_GROUP = Group(
    "Recipe options",
    sort_key=50,
    help="They change the recipe that START names. The defaults are those of the lab's recipe.",
)
_COMPACT_RECIPE_GROUP = Group(
    "Recipe options",
    sort_key=50,
    help="Details: eyetune train --help",
    help_formatter=HelpFormatter(is_compact=True),
)


def command_group(name: str, description: str | None = None) -> App:
    """Return an application for commands, with the layout of help that all commands share.

    Args:
        name: What is typed.
        description: Its help. Default: the docstring of the function that runs without a command.
    """
    return App(
        name=name,
        help=description,
        help_format="plaintext",
        help_formatter=HelpFormatter(),
        group_arguments=_ARGUMENTS_GROUP,
        group_parameters=_OPTIONS_GROUP,
    )


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """Options of every command."""

    json: Annotated[bool, Parameter(group=_COMMON_GROUP, negative="")] = False
    """Print one JSON object on standard output, and everything else on standard error."""
    workspace: Annotated[
        Path | None,
        Parameter(
            group=_COMMON_GROUP,
            env_var="EYETUNE_WORKSPACE",
            metavar="FOLDER",
            show_default="./eyetune-workspace",
        ),
    ] = None
    """Folder of the records."""
    trust: Annotated[bool, Parameter(group=_COMMON_GROUP, negative="")] = False
    """Show a model function that a recipe or the workspace names and that you have not named
    yourself, and trust it from then on. In a terminal, it asks first."""
    debug: Annotated[bool, Parameter(group=_COMMON_GROUP, negative="")] = False
    """Show the traceback of an error."""

    def open_workspace(self) -> Workspace:
        """Open the workspace."""
        from eyetune.records import Workspace

        return Workspace(self.workspace)

    def workspace_arguments(self) -> list[str]:
        """Return the arguments that a suggested command needs to find the workspace."""
        is_default = str(self.workspace) == os.environ.get("EYETUNE_WORKSPACE")
        return [] if self.workspace is None or is_default else ["--workspace", str(self.workspace)]

    def show(self, value: Mapping[str, Any], *parts: RenderableType) -> None:
        """Print a command's result: with --json the value, otherwise the parts for people."""
        if self.json:
            print(json_text(value))
            return
        console = output()
        for part in parts:
            console.print(part)


@Parameter(name="*")
@dataclass(frozen=True)
class ModelFileFlags:
    """Options for a .keras or .tflite file in place of a run."""

    data: Annotated[str | None, Parameter(metavar="NAME|PATH", show_default=False)] = None
    """Images for a model file: a name or a path, as for `eyetune train`. The classes must be in
    the order of the network's outputs."""
    pixels: Annotated[Pixels, Parameter(show_default="auto", allow_leading_hyphen=True)] = "auto"
    """Range of pixels that a model file takes. auto infers it from the scale of a quantized input
    or from a Rescaling layer, and otherwise means 0-1 (0-255 for integers without a scale)."""
    unsafe: Annotated[bool, Parameter(negative="")] = False
    """Run code inside a .keras file. The code can do anything that you can."""

    def check_absent(self, origin: object) -> None:
        """Check that no option for a model file is given with something else.

        Raises:
            UsageError: One is given.
        """
        from eyetune.api.file_images import refuse_file_options

        refuse_file_options(origin, data=self.data, pixels=self.pixels, unsafe=self.unsafe)


ModelFileOptions = Annotated[ModelFileFlags, Parameter(group=_MODEL_FILE_GROUP)]


def _recipe_default(path: str) -> Callable[[Any], str]:
    """Return a function that looks up a default when help is shown: recipes load slowly."""

    def default(_: Any) -> str:
        from eyetune.recipe import Recipe

        value: Any = Recipe()
        for name in path.split("."):
            value = getattr(value, name)
        return str(value)

    return default


@Parameter(name="*")
@dataclass(frozen=True)
class RecipeFlags:
    """Options that change a recipe: the usual values by name, and every value with --set.

    A first sentence stands alone in the compact help of `tune`, `lab` and `deploy`.
    """

    data: Annotated[
        str | None, Parameter(metavar="NAME|PATH", show_default=_recipe_default("data.source"))
    ] = None
    """Data set: a name or a path. Names: cifar10, cifar100, digits. Paths: a CIFAR archive, a
    folder with a folder of images for each class, or an .npz file."""
    model: Annotated[str | None, Parameter(metavar="NAME", show_default="lab")] = None
    """Network by name. From scratch: lab, vgg, resnet8, resnet14, resnet20, mobilenet or mobilenet2
    (to make it narrower: --set model.width=0.5). Pre-trained: vgg16, mobilenet_v1, mobilenet_v2,
    efficientnet_b0 or resnet50, whose layers stay frozen."""
    learning_rate: Annotated[
        float | None, Parameter(show_default=_recipe_default("optimizer.learning_rate"))
    ] = None
    """Step size of the optimizer."""
    optimizer: Annotated[
        str | None, Parameter(metavar="NAME", show_default=_recipe_default("optimizer.name"))
    ] = None
    """Optimizer by name. One of adam, sgd, rmsprop, adamw, nadam, adagrad, adadelta, adamax, ftrl,
    lion or muon."""
    batch_size: Annotated[int | None, Parameter(show_default=_recipe_default("fit.batch_size"))] = (
        None
    )
    """Images per step."""
    epochs: Annotated[int | None, Parameter(show_default=_recipe_default("fit.epochs"))] = None
    """Passes over the training images."""
    activation: Annotated[
        str | None, Parameter(metavar="NAME", show_default=_recipe_default("model.activation"))
    ] = None
    """Activation of all hidden layers. For example relu, tanh or gelu. To change one layer: --set
    model.blocks.0.activation=tanh."""
    precision: Annotated[
        str | None, Parameter(metavar="NAME", show_default=_recipe_default("fit.precision"))
    ] = None
    """Arithmetic: auto, float32 or bfloat16. auto measures which of the two is faster. A model
    function keeps the arithmetic that it compiled unless this option is given."""
    subset: Annotated[int | None, Parameter(show_default="all")] = None
    """Use the first N training images only. Four fifths of them train and the rest validate; the
    test uses N/5 images."""
    image_size: Annotated[
        int | None, Parameter(show_default=_recipe_default("data.image_size"))
    ] = None
    """Side in pixels of images from a folder."""
    skip_unreadable: Annotated[bool, Parameter(negative="")] = False
    """Skip image files that cannot be read. Without it, they are an error."""
    technique: Annotated[
        tuple[str, ...], Parameter(negative="", metavar="NAME=VALUE", show_default=False)
    ] = ()
    """Apply a technique; repeatable. `eyetune techniques` lists them."""
    set: Annotated[
        tuple[str, ...], Parameter(negative="", metavar="PATH=VALUE", show_default=False)
    ] = ()
    """Set any value of the recipe; repeatable. `eyetune recipe` lists all paths."""

    def apply(self, start: str | None, common: Common, *, for_function: bool = False) -> Recipe:
        """Return the recipe that `start` names, changed by these options.

        Args:
            start: A recipe file (.toml), the name of a recipe in the package, or a reference to a
                run; None for the lab's recipe.
            common: The common options, which name the workspace.
            for_function: Whether the recipe is for a model function, which it does not name yet.

        Raises:
            UsageError: `start` names no recipe, or an option has an invalid value.
        """
        from eyetune.recipe import parse_edits
        from eyetune.recipe.named_functions import note_named

        recipe = _starting_recipe(start, common)
        for text in self.technique:
            recipe = _apply_technique(recipe, text)
        edits = self._named_edits() | parse_edits(self.set)
        recipe = recipe.with_(edits) if edits else recipe
        if {"model", "model.function"} & edits.keys():
            note_named(recipe.model.function)
        if edits.get("fit.precision") == "auto" and (for_function or recipe.model.has_function):
            # Without the option, auto means what the model function compiled.
            recipe = recipe.with_({"fit.precision": "measured"})
        return recipe

    def _named_edits(self) -> dict[str, Any]:
        edits = {
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
        return {path: value for path, value in edits.items() if value is not None}


RecipeOptions = Annotated[RecipeFlags, Parameter(group=_RECIPE_GROUP)]
CompactRecipeOptions = Annotated[RecipeFlags, Parameter(group=_COMPACT_RECIPE_GROUP)]


def _starting_recipe(start: str | None, common: Common) -> Recipe:
    from eyetune.recipe import Recipe

    if start is None:
        return Recipe()
    if is_recipe_file(start):
        return Recipe.load(start)
    from eyetune.space.portfolio import portfolio_recipe, portfolio_recipes

    if start in portfolio_recipes():
        say(f"Starting from the recipe {start} of the package.")
        return portfolio_recipe(start)
    if Path(start).is_dir():
        raise UsageError(
            f"{start} is a folder, not a recipe or a run.",
            fix=f"If it holds images: --data {start}",
        )
    return common.open_workspace().runs.find(start).recipe


def _apply_technique(recipe: Recipe, text: str) -> Recipe:
    from eyetune.techniques import find

    name, _, value = text.partition("=")
    technique = find(name)
    return technique.apply(recipe, value or technique.values[0])


def is_recipe_file(text: str) -> bool:
    """Return whether an argument names a recipe file rather than a run."""
    return text.endswith(".toml") or Path(text).is_file()


def is_function(text: str | None) -> bool:
    """Return whether an argument names a model function, as file.py:name."""
    return text is not None and (".py:" in text or text.endswith(".py"))


def check_output_folder(path: Path | None) -> None:
    """Check that --output can name a folder, before any work is done.

    Raises:
        UsageError: It names a file, or looks like one.
    """
    if path is None:
        return
    if path.is_file() or (path.suffix in _FILE_SUFFIXES and not path.exists()):
        raise UsageError(
            "--output must name a folder: this command writes several files.",
            expected="the path of a folder, which is created if necessary",
            received=path,
            fix=f"--output {path.with_suffix('')}",
        )


def check_output_file(path: Path | None) -> None:
    """Check that --output can name a file, before any work is done.

    Raises:
        UsageError: It names a folder.
    """
    if path is not None and path.is_dir():
        raise UsageError(
            "--output must name a file: this command writes one.",
            expected="the path of a file",
            received=f"{path}, which is a folder",
        )


def output() -> Console:
    """Return the console for results.

    It is as wide as the terminal or as COLUMNS says, otherwise 120 columns.
    """
    from eyetune.report.console import SafeConsole

    class Output(SafeConsole):
        def on_broken_pipe(self) -> None:
            # Rich would exit with status 1, but it is not a failure if a reader stops early.
            raise BrokenPipeError

    is_terminal = sys.stdout.isatty()
    has_width = is_terminal or os.environ.get("COLUMNS", "").isdecimal()
    return Output(highlight=False, width=None if has_width else 120, soft_wrap=not is_terminal)


def say(text: str) -> None:
    """Print a message that is not a result, on standard error."""
    from eyetune.report.console import SafeConsole

    SafeConsole(file=sys.stderr, highlight=False).print(text, markup=False, soft_wrap=True)


def load_keras() -> None:
    """Load Keras without its messages, and say that it takes a moment."""
    from eyetune.training.backend import start_keras

    say("Loading Keras ...")
    start_keras()


def read_seconds(text: str) -> float:
    """Read a duration such as 90s, 30m or 2h; a number alone is in seconds.

    Raises:
        UsageError: It is not a duration, or not above 0.

    Example:
        >>> read_seconds("30m"), read_seconds("1.5h"), read_seconds("20")
        (1800.0, 5400.0, 20.0)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)\s*([smh]?)", text.strip().lower())
    if match is None or float(match[1]) <= 0:
        raise UsageError(
            "A duration cannot be read.",
            expected="a number above 0 with s, m or h, such as 30m",
            received=text,
        )
    return float(match[1]) * _SECONDS_PER_UNIT[match[2]]
