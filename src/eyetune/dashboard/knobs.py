"""The knobs of the workbench: what a recipe's value may be, as the recipe declares it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Literal

import annotated_types
from pydantic.fields import FieldInfo

from eyetune.recipe import Block, DenseLayer, Recipe, edit_text
from eyetune.recipe.changes import changes_from_default
from eyetune.recipe.descriptions import allowed_names

# Knobs without effect on a network with a backbone, or on one that a function builds.
OF_BLOCKS = frozenset(
    f"model.{name}" for name in ("activation", "width", "padding", "batch_norm", "global_pooling")
)
# The lab's techniques, in the order of the page. Blocks and dense layers have their own editor.
KNOBS = {
    "Training": (
        "optimizer.learning_rate",
        "fit.batch_size",
        "fit.epochs",
        "optimizer.name",
        "optimizer.momentum",
        "optimizer.schedule",
        "optimizer.warmup_epochs",
        "optimizer.weight_decay",
        "loss.label_smoothing",
        "fit.early_stopping",
        "fit.weight_averaging",
        "fit.class_weight",
        "fit.sampling",
        "fit.quantize",
    ),
    "Network": (
        "model.base",
        "model.activation",
        "model.width",
        "model.padding",
        "model.batch_norm",
        "model.global_pooling",
        "model.dropout",
    ),
    "Augmentation": (
        "augment.flip",
        "augment.upside_down",
        "augment.shift",
        "augment.rotate",
        "augment.zoom",
        "augment.contrast",
        "augment.color",
        "augment.noise",
        "augment.cutout",
        "augment.mixup",
        "augment.cutmix",
        "data.camera",
    ),
}


@dataclass(frozen=True)
class Knob:
    """A value of a recipe that a person can change.

    Attributes:
        path: Its path, such as "optimizer.learning_rate".
        kind: "number", "whole number", "switch" or "choice".
        description: What it means, for people.
        choices: The names that are allowed, for a choice.
        minimum: Smallest allowed number; None: there is none.
        maximum: Largest allowed number; None: there is none.
    """

    path: str
    kind: Literal["number", "whole number", "switch", "choice"]
    description: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    @property
    def label(self) -> str:
        """Its name as words; that of the section where it is the name of what the section is."""
        section, _, name = self.path.partition(".")
        return section if name == "name" else name.replace("_", " ")

    def value_in(self, recipe: Recipe) -> Any:
        """Return its value in a recipe."""
        section, _, name = self.path.partition(".")
        return getattr(getattr(recipe, section), name)


def knob(path: str) -> Knob:
    """Return the knob of a recipe's value, from the declaration of the recipe.

    Args:
        path: Path of the value, such as "fit.epochs".

    Example:
        >>> knob("fit.epochs").kind, knob("fit.epochs").minimum
        ('whole number', 1)
        >>> "adam" in knob("optimizer.name").choices
        True
    """
    section, _, name = path.partition(".")
    declared = Recipe.model_fields[section].annotation
    assert declared is not None
    field = declared.model_fields[name]
    description = _meaning(field)
    limits: dict[str, Any] = {}
    for constraint in field.metadata:
        if isinstance(constraint, annotated_types.Ge):
            limits["minimum"] = constraint.ge
        elif isinstance(constraint, annotated_types.Gt):
            limits["minimum"] = constraint.gt
        elif isinstance(constraint, annotated_types.Le):
            limits["maximum"] = constraint.le
        elif isinstance(constraint, annotated_types.Lt):
            limits["maximum"] = constraint.lt
    if field.annotation is bool:
        return Knob(path, "switch", description)
    if field.annotation is int:
        return Knob(path, "whole number", description, **limits)
    if field.annotation is float:
        return Knob(path, "number", description, **limits)
    return Knob(path, "choice", description, tuple(allowed_names(field.annotation)))


def layer_meanings() -> dict[str, str]:
    """Return what the values of blocks and dense layers mean, by their names.

    Example:
        >>> layer_meanings()["filters"]
        'filters of each convolution'
    """
    fields = {name: Block.model_fields[name] for name in ("filters", "convolutions")}
    fields["units"] = DenseLayer.model_fields["units"]
    return {name: _meaning(field) for name, field in fields.items()}


def _meaning(field: FieldInfo) -> str:
    """Return what a value of a recipe means, as plain text."""
    return (field.description or "").replace("`", "")


def as_command(recipe: Recipe, *, seed: int = 0, name: str = "") -> str:
    """Return the command that trains a recipe.

    Args:
        recipe: The recipe.
        seed: Random seed.
        name: Name of the run; "": none.

    Example:
        >>> as_command(Recipe().with_({"fit.epochs": 3, "data.source": "digits"}))
        'eyetune train --data digits --set fit.epochs=3'
    """
    parts = ["eyetune", "train", "--data", recipe.data.source]
    for path, value in _edits(recipe).items():
        parts += ["--set", edit_text(path, value)]
    parts += ["--seed", str(seed)] if seed else []
    parts += ["--name", name] if name else []
    return " ".join(map(shlex.quote, parts))


def as_python(recipe: Recipe, *, seed: int = 0, name: str = "") -> str:
    """Return Python that trains a recipe.

    Args:
        recipe: The recipe.
        seed: Random seed.
        name: Name of the run; "": none.

    Example:
        >>> print(as_python(Recipe().with_({"fit.epochs": 3, "data.source": "digits"})))
        import eyetune as et
        <BLANKLINE>
        recipe = et.Recipe().with_({'fit.epochs': 3})
        run = et.train(recipe, 'digits')
    """
    edits = f"et.Recipe().with_({_edits(recipe)!r})" if _edits(recipe) else "et.Recipe()"
    lines = ["import eyetune as et", "", f"recipe = {edits}"]
    options = [f"seed={seed}"] if seed else []
    options += [f"name={name!r}"] if name else []
    arguments = ", ".join(["recipe", repr(recipe.data.source), *options])
    return "\n".join([*lines, f"run = et.train({arguments})"])


def _edits(recipe: Recipe) -> dict[str, Any]:
    """Return the edits that make a recipe out of the default one, besides its source of data."""
    model = recipe.model_dump(mode="json", exclude_unset=True).get("model", {})
    edits = {
        change.path: change.after
        for change in changes_from_default(recipe)
        if not change.path.startswith(("model.blocks", "model.dense"))
    }
    network = Recipe().with_({"model": edits["model"]} if "model" in edits else {}).model
    for name in ("blocks", "dense"):
        if name in model and getattr(recipe.model, name) != getattr(network, name):
            edits[f"model.{name}"] = model[name]
    return edits
