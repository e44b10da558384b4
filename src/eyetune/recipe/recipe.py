"""A recipe: everything that defines one training, as one immutable value.

The default recipe is the lab's: CIFAR-10, two convolutions with pooling, one hidden dense layer,
Adam. It goes to TOML and back, and is edited by path:

    >>> recipe = Recipe().with_({"optimizer.learning_rate": 1e-4, "model.blocks.0.activation": "tanh"})
    >>> recipe.optimizer.learning_rate, recipe.model.blocks[0].activation
    (0.0001, 'tanh')
    >>> Recipe.from_toml(recipe.to_toml()) == recipe
    True
"""

from __future__ import annotations

import hashlib
import html
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import pydantic
from pydantic import BeforeValidator, model_validator

from eyetune.errors import RecipeError, nearest
from eyetune.recipe.descriptions import explain, with_comments
from eyetune.recipe.edits import NOT_TOML, leaves, put
from eyetune.recipe.sections import (
    MONITORS,
    AugmentSection,
    DataSection,
    FitSection,
    LossSection,
    ModelSection,
    OptimizerSection,
    Section,
    known_network,
)


class Recipe(Section):
    """Everything that defines one training.

    Args:
        data: Source, split and subset.
        augment: Variations of the training images.
        model: The network.
        optimizer: Name, rate and the rest.
        loss: Loss function and label smoothing.
        fit: Epochs, batch size, early stopping, precision.

    Raises:
        RecipeError: From `make`, `with_`, `from_toml` and `load`: a name is unknown or a value out
            of range.

    Example:
        >>> Recipe.make({"fit": {"epochs": 3}}).fit.epochs
        3
    """

    data: DataSection = DataSection()
    augment: AugmentSection = AugmentSection()
    model: Annotated[ModelSection, BeforeValidator(known_network)] = ModelSection()
    optimizer: OptimizerSection = OptimizerSection()
    loss: LossSection = LossSection()
    fit: FitSection = FitSection()

    @model_validator(mode="after")
    def _warmup_ends(self) -> Self:
        if self.optimizer.warmup_epochs >= self.fit.epochs:
            raise ValueError(
                f"optimizer.warmup_epochs ({self.optimizer.warmup_epochs:g}) must be below fit.epochs "
                f"({self.fit.epochs})"
            )
        return self

    @model_validator(mode="after")
    def _fine_tuning_has_layers(self) -> Self:
        if self.fit.fine_tune_epochs and not self.model.has_backbone:
            raise ValueError(
                "fit.fine_tune_epochs train a pre-trained network further, but model.base is none"
            )
        if self.fit.fine_tune_epochs and not self.model.trainable_from:
            raise ValueError(
                "fit.fine_tune_epochs need model.trainable_from, the base's first layer that they train"
            )
        return self

    @model_validator(mode="after")
    def _something_measures_the_monitor(self) -> Self:
        if self.fit.monitor.partition(":")[0] not in MONITORS and not self.model.has_function:
            hint = nearest(self.fit.monitor, MONITORS).rstrip(".")
            raise ValueError(f"nothing in it measures fit.monitor, {self.fit.monitor}. {hint}")
        return self

    @model_validator(mode="after")
    def _function_does_the_rest(self) -> Self:
        if not self.model.has_function:
            return self
        if self.optimizer != OptimizerSection() or self.loss != LossSection():
            raise ValueError(
                "model.function compiles its network itself, so optimizer and loss would do nothing"
            )
        if self.fit.weight_averaging or self.fit.precision == "bfloat16":
            raise ValueError(
                "model.function goes without fit.weight_averaging and fit.precision=bfloat16"
            )
        return self

    @model_validator(mode="after")
    def _teacher_counts_all_classes_alike(self) -> Self:
        if self.loss.teacher and self.fit.class_weight != "none":
            raise ValueError(
                "with loss.teacher all classes count alike, so fit.class_weight must be none"
            )
        return self

    @classmethod
    def make(cls, values: Mapping[str, Any], *, origin: str = "the recipe") -> Recipe:
        """Build a recipe from nested dictionaries; `origin` says in an error where they came from."""
        try:
            return cls.model_validate(values)
        except pydantic.ValidationError as error:
            raise explain(error, origin, cls) from None

    def with_(self, edits: Mapping[str, Any] | None = None, /, **more: Any) -> Recipe:
        """Return a copy with some values changed.

        A whole is changed before its parts: `{"model.blocks.2.filters": 16, "model.blocks": [8, 8,
        8]}` makes 8, 8, 16.

        Args:
            edits: New values by path, for example `{"model.blocks.0.filters": 16}`.
            more: The same with a double underscore for the dot: `optimizer__learning_rate=0.01`.

        Raises:
            RecipeError: A path is unknown or a value out of its range.
        """
        paths = {
            **(edits or {}),
            **{name.replace("__", "."): value for name, value in more.items()},
        }
        wholes = {
            path: value
            for path, value in paths.items()
            if any(one.startswith(f"{path}.") for one in paths)
        }
        if wholes:
            return self.with_(wholes).with_(
                {path: value for path, value in paths.items() if path not in wholes}
            )
        # Values left at their default stay open, so that a default that hangs on another value
        # follows it.
        values = self.model_dump(exclude_unset=True)
        for path, value in paths.items():
            put(values, self.model_dump(), path, value)
        return Recipe.make(values, origin="the edited recipe")

    def to_toml(self, *, comments: bool = False) -> str:
        """Return the recipe as TOML, every value written out; with `comments`, what each one means
        behind it.
        """
        import tomli_w

        text = tomli_w.dumps(self.model_dump(mode="json", exclude_none=True), indent=2)
        return with_comments(text, Recipe) if comments else text

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.to_toml(comments=True))}</pre>"

    @classmethod
    def from_toml(cls, text: str, *, origin: str = "the recipe") -> Recipe:
        """Read a recipe from TOML; what is not given takes the default."""
        try:
            values = tomllib.loads(text)
        except NOT_TOML as error:
            raise RecipeError(
                f"{origin} is not valid TOML.",
                received=error,
                fix="See https://toml.io for the notation.",
            ) from None
        return cls.make(values, origin=origin)

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Read a recipe from a TOML file."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise RecipeError(
                f"The recipe {path} cannot be read.",
                received=error.strerror or error,
                fix="`eyetune recipe > recipe.toml` writes one to begin with.",
            ) from None
        except UnicodeDecodeError as error:
            raise RecipeError(f"The recipe {path} is not a text file.", received=error) from None
        return cls.from_toml(text, origin=str(path))

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that are the same for equal recipes only.

        Values at their defaults are left out, so that those of recorded recipes stay when recipes
        learn new values.
        """
        text = json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def values(self) -> dict[str, Any]:
        """Return every value by its path.

        Example:
            >>> Recipe().values()["model.blocks.0.filters"]
            32
        """
        return dict(leaves(self.model_dump()))

    def difference(self, other: Recipe) -> dict[str, tuple[Any, Any]]:
        """Return the values that differ, by path: (mine, the other's); None where one has no such
        place.

        Example:
            >>> Recipe().difference(Recipe().with_(fit__epochs=20))
            {'fit.epochs': (10, 20)}
        """
        mine, theirs = self.values(), other.values()
        paths = [*mine, *(path for path in theirs if path not in mine)]
        return {
            path: (mine.get(path), theirs.get(path))
            for path in paths
            if mine.get(path) != theirs.get(path)
        }
