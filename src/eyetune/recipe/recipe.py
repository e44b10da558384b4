"""A recipe: everything that defines one training, as one immutable value.

The default recipe is the lab's: CIFAR-10, two convolutions with pooling, one hidden dense layer,
Adam. A recipe can be written to TOML, read back, and edited by path:

    >>> edits = {"optimizer.learning_rate": 1e-4, "model.blocks.0.activation": "tanh"}
    >>> recipe = Recipe().with_(edits)
    >>> recipe.optimizer.learning_rate, recipe.model.blocks[0].activation
    (0.0001, 'tanh')
    >>> Recipe.from_toml(recipe.to_toml()) == recipe
    True
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import pydantic
from pydantic import BeforeValidator, model_validator

from eyetune.errors import RecipeConflictError, RecipeError, nearest
from eyetune.inputs import toml_text
from eyetune.inputs.limits import TEXT_BYTES, LimitExceededError, fix_for
from eyetune.inputs.regular_file import read_text
from eyetune.recipe.descriptions import explain, with_comments
from eyetune.recipe.earlier_recipes import (
    implied_resize,
    recipe_in_file,
    recorded_data,
    recorded_recipe,
)
from eyetune.recipe.edits import is_removal, leaves, put, without_removed
from eyetune.recipe.image_sections import AugmentSection, DataSection
from eyetune.recipe.known_networks import known_network
from eyetune.recipe.model_section import ModelSection
from eyetune.recipe.named_functions import is_called_by_user, note_named
from eyetune.recipe.sections import (
    MONITORS,
    FitSection,
    LossSection,
    OptimizerSection,
    Section,
)


class Recipe(Section):
    """Everything that defines one training.

    Args:
        data: The images: source, split and subset.
        augment: Random changes to the training images.
        model: The network.
        optimizer: The optimizer, its learning rate and the schedule of that rate.
        loss: The loss function, label smoothing and distillation.
        fit: Epochs, batch size, early stopping and precision.

    Raises:
        RecipeError: From `make`, `with_`, `from_toml` and `load`: a name is unknown or a value is
            out of range.
        RecipeConflictError: From the same: values exclude each other.

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

    @property
    def augments_images(self) -> bool:
        """Whether training images are changed at random, by `augment` or `data.camera`."""
        return self.augment.active or self.data.camera != "none"

    @model_validator(mode="after")
    def _check_copies_differ(self) -> Self:
        if self.augment.copies and not self.augments_images:
            raise ValueError(
                "augment.copies need an augmentation that changes them, for example "
                "augment.noise=0.05"
            )
        return self

    @model_validator(mode="after")
    def _check_warmup_ends(self) -> Self:
        if self.optimizer.warmup_epochs >= self.fit.epochs:
            raise ValueError(
                f"optimizer.warmup_epochs ({self.optimizer.warmup_epochs:g}) must be below "
                f"fit.epochs ({self.fit.epochs})"
            )
        return self

    @model_validator(mode="after")
    def _check_time_limit_stands_alone(self) -> Self:
        if self.fit.seconds and self.fit.fine_tune_epochs:
            raise ValueError("fit.seconds would end the training before fit.fine_tune_epochs start")
        if self.fit.seconds and self.optimizer.cycle_epochs:
            raise ValueError("with fit.seconds, the schedule has one cycle: cycle_epochs must be 0")
        return self

    @model_validator(mode="after")
    def _check_restarts_are_in_the_training(self) -> Self:
        restarts = self.optimizer.restarts
        if restarts and restarts[-1] >= self.fit.epochs:
            raise ValueError(
                f"optimizer.restarts ({restarts[-1]}) must be below fit.epochs ({self.fit.epochs})"
            )
        if restarts and self.fit.seconds:
            raise ValueError("with fit.seconds, the schedule has one cycle: restarts must be []")
        return self

    @model_validator(mode="after")
    def _check_fine_tuning_has_layers(self) -> Self:
        if self.fit.fine_tune_epochs and not self.model.has_backbone:
            raise ValueError(
                "fit.fine_tune_epochs needs a pre-trained network, but model.base is none"
            )
        if self.fit.fine_tune_epochs and not self.model.trainable_from:
            raise ValueError(
                "fit.fine_tune_epochs needs model.trainable_from, the first layer of the base that "
                "it trains"
            )
        return self

    @model_validator(mode="after")
    def _check_quantization_is_possible(self) -> Self:
        if self.fit.quantize == "none":
            return self
        if self.fit.seconds:
            raise ValueError("fit.seconds would end the training before fit.quantize_epochs start")
        if self.model.has_function:
            raise ValueError("model.function trains its network itself, without fit.quantize")
        if self.model.has_backbone:
            raise ValueError("fit.quantize is for blocks, but model.base replaces them")
        return self

    @model_validator(mode="after")
    def _check_monitor_is_measured(self) -> Self:
        if self.fit.monitor.partition(":")[0] not in MONITORS and not self.model.has_function:
            hint = nearest(self.fit.monitor, MONITORS).rstrip(".")
            raise ValueError(f"fit.monitor is {self.fit.monitor}, which is not measured. {hint}")
        return self

    @model_validator(mode="after")
    def _check_function_compiles_itself(self) -> Self:
        if not self.model.has_function:
            return self
        if self.optimizer != OptimizerSection() or self.loss != LossSection():
            raise ValueError(
                "model.function compiles its network itself, so optimizer and loss would have no "
                "effect"
            )
        if self.fit.weight_averaging:
            raise ValueError("model.function does not support fit.weight_averaging")
        if self.fit.sampling != "all":
            raise ValueError(
                "model.function does not support fit.sampling: use fit.class_weight instead"
            )
        return self

    @model_validator(mode="after")
    def _check_teacher_without_class_weights(self) -> Self:
        if self.loss.teacher and self.fit.class_weight != "none":
            raise ValueError(
                "loss.teacher does not support class weights: fit.class_weight must be none"
            )
        return self

    @classmethod
    def make(cls, values: Mapping[str, Any], *, origin: str = "the recipe") -> Recipe:
        """Build a recipe from nested dictionaries.

        Args:
            values: Sections by name, each a dictionary of values.
            origin: Where the values came from, for error messages.

        Raises:
            RecipeError: A name is unknown or a value is out of range.
        """
        try:
            return cls.model_validate(values)
        except pydantic.ValidationError as error:
            raise explain(error, origin, cls) from None

    def with_(self, edits: Mapping[str, Any] | None = None, /, **more: Any) -> Recipe:
        """Return a copy with some values changed.

        Sections and lists are replaced before their parts, whatever the order of the edits:
        `{"model.blocks.2.filters": 16, "model.blocks": [8, 8, 8]}` makes 8, 8, 16. "none" removes a
        block or hidden dense layer: `{"model.blocks.2": "none"}`.

        A model function that your own code names here may run; see docs/security.md.

        Args:
            edits: New values by path, for example `{"model.blocks.0.filters": 16}`.
            more: The same, with two underscores in place of a dot: `optimizer__learning_rate=0.01`.

        Raises:
            RecipeError: A path is unknown or a value is out of range.
            RecipeConflictError: What an edit removes is edited by another.
        """
        paths = dict(edits or {})
        for name, value in more.items():
            paths[name.replace("__", ".")] = value
        recipe = self._edited(paths)
        names = [paths.get("model.function"), paths.get("model")]
        if any(isinstance(name, str | dict) for name in names) and is_called_by_user():
            note_named(recipe.model.function)
        return recipe

    def _edited(self, paths: Mapping[str, Any]) -> Recipe:
        def has_parts(path: str) -> bool:
            return any(other.startswith(f"{path}.") for other in paths)

        wholes = {path: value for path, value in paths.items() if has_parts(path)}
        removed = next((path for path, value in wholes.items() if is_removal(value)), None)
        if removed is not None:
            part = next(path for path in paths if path.startswith(f"{removed}."))
            raise RecipeConflictError(
                "What is removed cannot be edited.",
                received=f"{removed}=none and {part}={paths[part]}",
                fix="Leave one of these edits out.",
            )
        if wholes:
            parts = {path: value for path, value in paths.items() if path not in wholes}
            return self._edited(wholes)._edited(parts)
        # Unset values stay unset, so that a default that depends on another value follows it.
        values = self.model_dump(exclude_unset=True)
        for path, value in paths.items():
            put(values, self.model_dump(), path, value)
        return Recipe.make(without_removed(values), origin="the edited recipe")

    def to_toml(self, *, comments: bool = False) -> str:
        """Return the recipe as TOML with every value.

        Args:
            comments: Add a comment to each value that says what it means.
        """
        import tomli_w

        text = tomli_w.dumps(self.model_dump(mode="json", exclude_none=True), indent=2)
        return with_comments(text, Recipe) if comments else text

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.to_toml(comments=True))}</pre>"

    @classmethod
    def from_toml(cls, text: str, *, origin: str = "the recipe") -> Recipe:
        """Read a recipe from TOML; missing values take their defaults.

        A file that eyetune wrote has every value. In one from before `data.resize` existed, photos
        are squashed, as they were then.

        Args:
            text: The TOML document.
            origin: Where it came from, for error messages.

        Raises:
            RecipeError: The text is not TOML, a name is unknown or a value is out of range.
        """
        try:
            values = toml_text.parse(text)
        except ValueError as error:
            problem = "too large" if isinstance(error, LimitExceededError) else "not valid TOML"
            raise RecipeError(
                f"{origin} is {problem}.",
                received=error,
                fix=fix_for(error, "See https://toml.io for the notation."),
            ) from None
        return cls.make(recipe_in_file(values), origin=origin)

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Read a recipe from a TOML file.

        Raises:
            RecipeError: The file cannot be read, or is not a recipe.
        """
        try:
            text = read_text(Path(path), TEXT_BYTES)
        except OSError as error:
            raise RecipeError(
                f"The recipe {path} cannot be read.",
                received=error.strerror or error,
                fix="To create a recipe file: `eyetune recipe > recipe.toml`.",
            ) from None
        except UnicodeDecodeError as error:
            raise RecipeError(f"The recipe {path} is not a text file.", received=error) from None
        except ValueError as error:  # a path with a NUL character, or a large file
            raise RecipeError(
                f"The recipe {path} cannot be read.", received=error, fix=fix_for(error)
            ) from None
        return cls.from_toml(text, origin=str(path))

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits, the same for equal recipes only.

        Default values are left out, so that the fingerprints of recorded recipes stay valid when
        recipes get new values. `data.resize` is left out where it is what earlier recipes imply.
        """
        values = self.model_dump(mode="json", exclude_defaults=True)
        data = values.pop("data", {})
        data.pop("resize", None)
        if self.data.resize != implied_resize(self.data.source):
            data["resize"] = self.data.resize
        text = json.dumps(values | ({"data": data} if data else {}), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def values(self) -> dict[str, Any]:
        """Return every value by its path.

        Example:
            >>> Recipe().values()["model.blocks.0.filters"]
            32
        """
        return dict(leaves(self.model_dump()))

    def difference(self, other: Recipe) -> dict[str, tuple[Any, Any]]:
        """Return the values that differ from another recipe's.

        Returns:
            Pairs (own value, other value) by path; None where a recipe has no such path.

        Example:
            >>> Recipe().difference(Recipe().with_(fit__epochs=20))
            {'fit.epochs': (10, 20)}
        """
        own_values = self.values()
        other_values = other.values()
        result = {}
        for path in dict.fromkeys([*own_values, *other_values]):
            own, others = own_values.get(path), other_values.get(path)
            if own != others:
                result[path] = (own, others)
        return result


# In records, whose recipes may be from before a value existed
RecordedRecipe = Annotated[Recipe, BeforeValidator(recorded_recipe)]
RecordedData = Annotated[DataSection, BeforeValidator(recorded_data)]
