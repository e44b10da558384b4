"""What the trials of a study start from: the recipe, the space and the first values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eyetune.data import Dataset
from eyetune.errors import UsageError
from eyetune.models.initial_weights import in_package
from eyetune.recipe import CIFAR10_WEIGHTS, Recipe
from eyetune.records import Workspace
from eyetune.records.study import Objective
from eyetune.space.presets import StartingSpace, check_space, recipe_space
from eyetune.space.space import Space
from eyetune.training.job import Discovered, discover_apart
from eyetune.tuning.executors import Executor
from eyetune.tuning.image_limits import LimitedSpace, limited_space
from eyetune.tuning.load_images import ImageLoader
from eyetune.tuning.objectives import check_objective_names, monitor_of
from eyetune.tuning.references import resolve


@dataclass(frozen=True)
class StartingPoint:
    """What trials start from, as far as the caller named it.

    Attributes:
        recipe: Recipe of every trial.
        space: What trials may change: a built-in space's name, a TOML file, or a space; None for
            the function's own, or `lab`.
        data: A source in place of the recipe's.
        is_given: Whether the caller named a model function, a recipe or a run.
    """

    recipe: Recipe
    space: str | Path | Space | None = None
    data: str | Path | None = None
    is_given: bool = False


def starting_space(
    workspace: Workspace,
    start: StartingPoint,
    max_epochs: int | None,
    objectives: tuple[Objective, ...],
    executor: Executor,
    images: ImageLoader,
    seconds: float | None = None,
    discovered: Discovered | None = None,
) -> StartingSpace:
    """Return the recipe that trials start from, with their number of epochs, and the space.

    Args:
        workspace: Workspace that resolves references to runs.
        start: What trials start from, as far as the caller named it.
        max_epochs: Epochs of the longest trial. Default: those of the recipe.
        objectives: Objectives of the study.
        executor: Executor whose worker reads the space of a model function.
        images: Loader of the study's data.
        seconds: Time of the study: starts are then in the order of what they promise within it.
        discovered: What is known about the model function already. Default: a worker reads it.
    """
    recipe = located_recipe(start, images)
    if start.recipe.model.has_function:
        if start.space is not None:
            raise UsageError(
                "A model function defines its own space.",
                received=start.space,
                fix="Leave the space out.",
            )
        discovered = discovered or discover(recipe, executor)
        starting = StartingSpace(with_length(recipe, max_epochs, objectives), discovered.space)
    else:
        check_objective_names(objectives)
        recipe = with_length(recipe, max_epochs, objectives)
        starting = _recipe_space(recipe, start.space, images.load_images(recipe), seconds)
    return replace(starting, recipe=resolve(starting.recipe, workspace))


def located_recipe(start: StartingPoint, images: ImageLoader) -> Recipe:
    """Return the recipe of a start with its data, by the absolute path of the source."""
    recipe = with_source(start.recipe, start.data)
    return recipe.with_({"data.source": images.load(recipe).source})


def discover(recipe: Recipe, executor: Executor) -> Discovered:
    """Return what a worker finds out about the model function of a recipe.

    Raises:
        FunctionError: The function or its network cannot be used.
    """
    discovered: Discovered = executor.submit(discover_apart, recipe, executor.threads).result()
    return discovered


def limited_starting_space(starting: StartingSpace, images: ImageLoader) -> LimitedSpace:
    """Return a space of recipes without the values that cannot work with the images."""
    if starting.recipe.model.has_function:
        return LimitedSpace(starting.space, ())
    return limited_space(starting.recipe, starting.space, images.load_images(starting.recipe))


def with_source(recipe: Recipe, source: str | Path | None) -> Recipe:
    """Return a recipe with another source, if one is given, and images to validate on."""
    edits: dict[str, Any] = {"data.train_on_validation": False}
    if source is not None:
        edits["data.source"] = str(source)
    return recipe.with_(edits)


def with_length(
    recipe: Recipe, max_epochs: int | None, objectives: tuple[Objective, ...]
) -> Recipe:
    """Return a recipe that trains for `max_epochs` and keeps the epoch with the best metric."""
    epochs = recipe.fit.epochs if max_epochs is None else max_epochs
    edits: dict[str, Any] = {
        "fit.epochs": epochs,
        "fit.keep_best": True,
        "fit.monitor": monitor_of(objectives),
    }
    if recipe.optimizer.warmup_epochs >= epochs:
        edits["optimizer.warmup_epochs"] = epochs / 4
    if recipe.optimizer.restarts:  # of a run that was continued; trials begin again
        edits["optimizer.restarts"] = ()
    return recipe.with_(edits)


def _recipe_space(
    recipe: Recipe,
    space: str | Path | Space | None,
    dataset: Dataset,
    seconds: float | None = None,
) -> StartingSpace:
    if isinstance(space, Space):
        check_space(recipe, space)
        return StartingSpace(recipe, space)
    return recipe_space(
        str(space or "lab"),
        recipe,
        num_images=len(dataset.train),
        image_shape=dataset.image_shape,
        # The weights in the package have seen the validation images of CIFAR-10.
        pretrained=bool(in_package()) and dataset.name != CIFAR10_WEIGHTS,
        seconds=seconds,
    )
