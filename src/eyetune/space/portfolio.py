"""The portfolio: recipes whose accuracy and size have been measured, for a search to start from.

Each TOML file in `portfolios/` is for one situation, such as few images. It holds what its recipes
have in common, the space around them, and an entry for each recipe with its measurements:

    >>> portfolio = choose(40_000, (32, 32, 3))
    >>> portfolio.name, portfolio.entries[0].name
    ('images', 'resnet8')
"""

from __future__ import annotations

import math
import tomllib
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from typing import Any, Self

from pydantic import Field, model_validator

from eyetune.errors import RecipeError, SpaceError, nearest
from eyetune.recipe import Recipe
from eyetune.space.hyperparameters import Choice, Range, SpacePart, Value
from eyetune.space.space import Space
from eyetune.space.toml import read_tables

# What the durations of the entries are for
REFERENCE_IMAGES = 40_000
REFERENCE_SIDE = 32
# ResNet-8's error after 3, 10 and 30 epochs is in proportion to (1 / epochs + 1 / LEVEL_EPOCHS) to
# the power of 0.41. Other networks are assumed to be alike where they were not measured, but to
# gain more from the first epochs.
LEVEL_EPOCHS = 40
LATE_EXPONENT = 0.4
EARLY_EXPONENT = 0.5

_IN_PIXELS = ("augment.shift", "augment.cutout")

ImageShape = tuple[int, int, int]


class Entry(SpacePart):
    """A recipe of a portfolio, with what was measured.

    The costs are those of the int8 model for images of 32x32 pixels in color and ten classes.

    Attributes:
        name: Its name, unique in the portfolio.
        source: The paper or script that it is from.
        values: Its values in the portfolio's space.
        accuracy: Measured validation accuracies, above 0 and below 1, by the number of epochs of a
            whole schedule. One is enough; estimates are better with three.
        epoch_seconds: Duration of an epoch of 40,000 such images on the portfolio's machine.
        parameters: Number of weights.
        macs: Multiply-accumulates (MACs) for one image.
        flash_bytes: Size of the .tflite file.
        arena_bytes: Size of the tensor arena.
    """

    name: str = Field(min_length=1)
    source: str = Field(min_length=1)
    values: dict[str, Value]
    accuracy: dict[int, float] = Field(min_length=1)
    epoch_seconds: float = Field(gt=0)
    parameters: int = Field(gt=0)
    macs: int = Field(gt=0)
    flash_bytes: int = Field(gt=0)
    arena_bytes: int = Field(gt=0)

    @model_validator(mode="after")
    def _check_accuracy_rises(self) -> Self:
        if list(self.accuracy) != sorted(self.accuracy) or min(self.accuracy) < 1:
            raise ValueError(f"the epochs of {self.name} must be at least 1 and in order")
        accuracies = list(self.accuracy.values())
        if accuracies != sorted(accuracies):
            raise ValueError(f"the accuracy of {self.name} falls with more epochs: measure again")
        if not 0 < accuracies[0] <= accuracies[-1] < 1:
            raise ValueError(f"the accuracy of {self.name} must be above 0 and below 1")
        return self

    def accuracy_after(self, epochs: float) -> float:
        """Return the validation accuracy to expect after a whole schedule.

        Between measurements and beyond, the error follows a power law of the epochs that levels
        off: twice as many epochs help less and less. Before the first measurement it is at least as
        steep as that of other networks, so that no network is chosen for a short time because of
        what it reaches in a long one.

        Args:
            epochs: Number of epochs, 0 or more.

        Returns:
            A value from 0 to 1 that does not fall with more epochs.

        Example:
            >>> measured = {"accuracy": {3: 0.72, 10: 0.82, 30: 0.87}}
            >>> entry = load_portfolio("images").entries[0].model_copy(update=measured)
            >>> [round(entry.accuracy_after(epochs), 3) for epochs in (1, 17, 100)]
            [0.526, 0.848, 0.895]
        """
        if epochs <= 0:
            return 0.0
        points = [(_progress(count), math.log1p(-value)) for count, value in self.accuracy.items()]
        exponents = [
            (error - next_error) / (next_progress - progress)
            for (progress, error), (next_progress, next_error) in pairwise(points)
        ]
        now = _progress(epochs)
        num_before = sum(progress <= now for progress, _ in points)
        if num_before == 0:
            exponent = max([EARLY_EXPONENT, *exponents[:1]])
        elif num_before == len(points):
            exponent = [LATE_EXPONENT, *exponents][-1]
        else:
            exponent = exponents[num_before - 1]
        progress, error = points[max(0, num_before - 1)]
        return 1.0 - math.exp(min(0.0, error - exponent * (now - progress)))

    def slope_at(self, epochs: float) -> float:
        """Return how much validation accuracy twice as many epochs would add.

        Args:
            epochs: Number of epochs, 0 or more.

        Example:
            >>> entry = load_portfolio("images").entries[0]
            >>> entry.slope_at(3) > entry.slope_at(30) > 0
            True
        """
        return max(0.0, self.accuracy_after(2 * epochs) - self.accuracy_after(epochs))

    def epochs_in(
        self, seconds: float, num_images: int, image_shape: ImageShape, speed: float = 1.0
    ) -> float:
        """Return the number of epochs that fit into a time.

        Args:
            seconds: Time for the training.
            num_images: Number of training images, at least 1.
            image_shape: Height and width in pixels, and number of channels.
            speed: Speed relative to the machine of the measurements, above 0. Default: 1.

        Example:
            >>> entry = load_portfolio("images").entries[0]
            >>> entry.epochs_in(10 * entry.epoch_seconds, 20_000, (32, 32, 3))
            20.0
        """
        num_pixels = image_shape[0] * image_shape[1]
        share = num_images * num_pixels / (REFERENCE_IMAGES * REFERENCE_SIDE**2)
        return seconds * speed / (self.epoch_seconds * share)


class Portfolio(SpacePart):
    """Measured recipes for one situation, and the space around them.

    Attributes:
        name: Name of its file.
        title: What its recipes do.
        why: A sentence for users: why these recipes.
        measured_on: Images on which the accuracies were measured.
        machine: Machine on which the durations were measured.
        min_images: Smallest number of training images that it is for.
        max_images: Largest number; None for no limit.
        channels: Numbers of color channels that it is for; empty for all.
        is_searched: Whether searches start from it; otherwise, its recipes are trained by name.
        recipe: Values of all its recipes that the search leaves alone, by path.
        space: What the search may change.
        entries: Its recipes.

    Example:
        >>> load_portfolio("few-images").recipe["model.initial_weights"]
        'cifar10'
    """

    name: str
    title: str = Field(min_length=1)
    why: str = Field(min_length=1)
    measured_on: str = Field(min_length=1)
    machine: str = Field(min_length=1)
    min_images: int = Field(1, ge=1)
    max_images: int | None = Field(None, ge=1)
    channels: tuple[int, ...] = ()
    is_searched: bool = True
    recipe: dict[str, Value]
    space: Space
    entries: tuple[Entry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_entries(self) -> Self:
        if len({entry.name for entry in self.entries}) < len(self.entries):
            raise ValueError("two entries have one name")
        for entry in self.entries:
            if not self.space.contains(entry.values):
                raise ValueError(f"the space does not contain the values of {entry.name}")
        return self

    @property
    def is_pretrained(self) -> bool:
        """Whether its recipes start from weights in the package."""
        return bool(self.recipe.get("model.initial_weights"))

    def applies(self, num_images: int, image_shape: ImageShape) -> bool:
        """Return whether searches with this number of training images and shape start from it."""
        if not self.is_searched:
            return False
        is_number = self.min_images <= num_images <= (self.max_images or num_images)
        return is_number and (not self.channels or image_shape[2] in self.channels)

    def ordered(
        self, num_images: int, image_shape: ImageShape, seconds: float, speed: float = 1.0
    ) -> tuple[Entry, ...]:
        """Return the entries by the accuracy to expect in a time, the best one first.

        Entries that do not finish their first epoch come last.

        Args:
            num_images: Number of training images, at least 1.
            image_shape: Height and width in pixels, and number of channels.
            seconds: Time for the training of one entry.
            speed: Speed relative to the machine of the measurements, above 0. Default: 1.

        Example:
            >>> portfolio = load_portfolio("images")
            >>> short, long = (portfolio.ordered(40_000, (32, 32, 3), time) for time in (15, 3600))
            >>> short[0].macs < long[0].macs
            True
        """

        def key(entry: Entry) -> tuple[bool, float]:
            epochs = entry.epochs_in(seconds, num_images, image_shape, speed)
            return epochs < 1, -entry.accuracy_after(epochs)

        return tuple(sorted(self.entries, key=key))

    def ordered_after(self, epochs: float) -> tuple[Entry, ...]:
        """Return the entries by the accuracy to expect after a number of epochs, best first."""
        return tuple(sorted(self.entries, key=lambda entry: -entry.accuracy_after(epochs)))

    def starts(
        self, num_images: int, image_shape: ImageShape, seconds: float, speed: float = 1.0
    ) -> tuple[dict[str, Value], ...]:
        """Return the values of the entries in the space, in the order of `ordered`.

        Args:
            num_images: Number of training images, at least 1.
            image_shape: Height and width in pixels, and number of channels.
            seconds: Time for the training of one entry.
            speed: Speed relative to the machine of the measurements, above 0. Default: 1.
        """
        entries = self.ordered(num_images, image_shape, seconds, speed)
        return tuple(dict(entry.values) for entry in entries)

    def starting_recipe(self, recipe: Recipe) -> Recipe:
        """Return a recipe with the network, the optimizer and the loss of this portfolio.

        The data section stays, as does the fit section with the exception of the batch size. Values
        of the augment section that the recipe names stay too: whether images may be mirrored is a
        property of the images.

        Example:
            >>> recipe = Recipe().with_(augment__flip=False, data__source="photos")
            >>> changed = load_portfolio("images").starting_recipe(recipe)
            >>> changed.augment.flip, changed.augment.shift, changed.data.source
            (False, 4, 'photos')
        """
        named = {f"augment.{name}" for name in recipe.augment.model_fields_set}
        edits: dict[str, Any] = {**self.recipe, **self.space.defaults()}
        edits = {path: value for path, value in edits.items() if path not in named}
        warmup = float(edits.get("optimizer.warmup_epochs", 0.0))
        edits["optimizer.warmup_epochs"] = min(warmup, recipe.fit.epochs / 4)
        return recipe.with_({"model": {}, "optimizer": {}, "loss": {}, **edits})

    def recipe_of(self, entry: Entry) -> Recipe:
        """Return the recipe of an entry, with the largest number of epochs that was measured.

        Example:
            >>> portfolio = load_portfolio("images")
            >>> portfolio.recipe_of(portfolio.entries[0]).fit.batch_size
            128
        """
        recipe = Recipe().with_({"fit.epochs": max(entry.accuracy)})
        return self.starting_recipe(recipe).with_(entry.values)

    def fitted_to(self, num_images: int, image_shape: ImageShape) -> Portfolio:
        """Return this portfolio with values that suit some images.

        Shifts and painted squares change in proportion to the side of the images. No batch is
        larger than all training images. Gray images are not mirrored, because many of them show
        characters.

        Args:
            num_images: Number of training images, at least 1.
            image_shape: Height and width in pixels, and number of channels.
        """

        def fitted(path: str, value: Value) -> Value:
            if path in _IN_PIXELS:
                return round(float(value) * min(image_shape[:2]) / REFERENCE_SIDE)
            if path == "fit.batch_size":
                return min(int(value), num_images)
            return False if path == "augment.flip" and image_shape[2] == 1 else value

        def fitted_distribution(part: Choice | Range) -> Choice | Range:
            if isinstance(part, Range):
                return part
            values = tuple(dict.fromkeys(fitted(part.name, value) for value in part.values))
            default = fitted(part.name, part.default)
            return part.model_copy(update={"values": values, "default": default})

        def fitted_values(values: dict[str, Value]) -> dict[str, Value]:
            return {path: fitted(path, value) for path, value in values.items()}

        parts = tuple(fitted_distribution(part) for part in self.space.distributions)
        entries = tuple(
            entry.model_copy(update={"values": fitted_values(entry.values)})
            for entry in self.entries
        )
        return self.model_copy(
            update={
                "recipe": fitted_values(self.recipe),
                "space": Space(distributions=parts),
                "entries": entries,
            }
        )


def portfolios() -> tuple[Portfolio, ...]:
    """Return the portfolios of the package, by name.

    Example:
        >>> [portfolio.name for portfolio in portfolios()]
        ['few-images', 'frontier', 'images']
    """
    names = sorted(file.name for file in _folder().iterdir() if file.name.endswith(".toml"))
    return tuple(_read(name.removesuffix(".toml")) for name in names)


def load_portfolio(name: str) -> Portfolio:
    """Return the portfolio of a name.

    Args:
        name: The name of one of `portfolios()`.

    Raises:
        SpaceError: There is no such portfolio.
    """
    by_name = {portfolio.name: portfolio for portfolio in portfolios()}
    if name not in by_name:
        raise SpaceError(
            f"There is no portfolio named {name}.",
            expected=f"one of {', '.join(by_name)}",
            received=name,
            fix=nearest(name, by_name),
        )
    return by_name[name]


def portfolio_recipes() -> dict[str, tuple[Portfolio, Entry]]:
    """Return the recipes of all portfolios by name, each with its portfolio.

    Example:
        >>> portfolio, entry = portfolio_recipes()["resnet14"]
        >>> portfolio.name, entry.parameters
        ('images', 176378)
    """
    return {
        entry.name: (portfolio, entry) for portfolio in portfolios() for entry in portfolio.entries
    }


def portfolio_recipe(name: str) -> Recipe:
    """Return a recipe whose accuracy has been measured, by its name in a portfolio.

    It has the number of epochs of its longest measurement. docs/tuning.md shows the accuracies.

    Args:
        name: The name of an entry, such as `resnet14`.

    Raises:
        RecipeError: No portfolio has a recipe of this name.

    Example:
        >>> portfolio_recipe("resnet14").optimizer.name
        'sgd'
    """
    recipes = portfolio_recipes()
    if name not in recipes:
        raise RecipeError(
            f"There is no recipe named {name} in the package.",
            expected=f"one of {', '.join(recipes)}",
            received=name,
            fix=nearest(name, recipes),
        )
    portfolio, entry = recipes[name]
    return portfolio.recipe_of(entry)


def choose(num_images: int, image_shape: ImageShape, *, pretrained: bool = True) -> Portfolio:
    """Return the portfolio for some images, with values that suit them.

    Of several, it is the one for the smallest number of images.

    Args:
        num_images: Number of training images, at least 1.
        image_shape: Height and width in pixels, and number of channels.
        pretrained: Whether recipes may start from weights in the package. Default: true.

    Raises:
        SpaceError: No portfolio is for such images.

    Example:
        >>> choose(400, (96, 96, 3)).name, choose(400, (28, 28, 1)).name
        ('few-images', 'images')
        >>> choose(400, (96, 96, 3), pretrained=False).recipe["augment.shift"]
        12
    """
    suitable = [
        portfolio
        for portfolio in portfolios()
        if portfolio.applies(num_images, image_shape)
        and (pretrained or not portfolio.is_pretrained)
    ]
    if not suitable:
        raise SpaceError(
            "No portfolio is for such images.",
            expected="at least one training image",
            received=f"{num_images} images of shape {image_shape}",
            fix="Use another space, for example `small`.",
        )
    chosen = min(suitable, key=lambda portfolio: portfolio.max_images or math.inf)
    return chosen.fitted_to(num_images, image_shape)


def _progress(epochs: float) -> float:
    """Return the logarithm of the epochs that count: it levels off at LEVEL_EPOCHS."""
    return -math.log(1 / epochs + 1 / LEVEL_EPOCHS)


def _folder() -> Traversable:
    return resources.files("eyetune.space") / "portfolios"


@cache
def _read(name: str) -> Portfolio:
    tables = tomllib.loads((_folder() / f"{name}.toml").read_text(encoding="utf-8"))
    space = Space.make(read_tables(tables["space"], name), origin=name)
    entries = [
        {**entry, "values": {**space.defaults(), **entry["values"]}} for entry in tables["entries"]
    ]
    return Portfolio.model_validate({**tables, "name": name, "space": space, "entries": entries})
