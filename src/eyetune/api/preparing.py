"""The first steps of every call: check the arguments, load Keras."""

from __future__ import annotations

import sys
from pathlib import Path

from eyetune.errors import ArgumentTypeError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.report.progress.training_progress import TrainingDisplay

EVALUATED_SPLITS = ("test", "validation")


def checked_recipe(recipe: Recipe | None) -> Recipe:
    """Return a recipe, or the default recipe.

    Raises:
        ArgumentTypeError: It is not a recipe.
    """
    if recipe is not None and not isinstance(recipe, Recipe):
        raise ArgumentTypeError(
            "The first argument is not a recipe.",
            expected="an eyetune.Recipe, or None for the lab's",
            received=f"{type(recipe).__name__}: {recipe!r:.60}",
            fix="To train the lab's recipe on other images: eyetune.train(data=...)",
        )
    return recipe or Recipe()


def check_seed(seed: int) -> None:
    """Check a random seed.

    Raises:
        UsageError: It is out of range.
    """
    from eyetune.training.backend import MAX_SEED

    if not 0 <= seed <= MAX_SEED:
        raise UsageError("The seed is out of range.", expected=f"0 to {MAX_SEED}", received=seed)


def check_num_images(num_images: int | None) -> None:
    """Check a number of images to classify; None is all.

    Raises:
        UsageError: It is below 1.
    """
    if num_images is not None and num_images < 1:
        raise UsageError(
            "The number of images must be at least 1.", expected="1 or more", received=num_images
        )


def check_evaluated_split(split: str) -> None:
    """Check the name of a split that a network is evaluated or verified on.

    Raises:
        UsageError: It is neither test nor validation.
    """
    if split not in EVALUATED_SPLITS:
        raise UsageError(
            f"A network cannot be evaluated or verified on the split {split}.",
            expected=" or ".join(EVALUATED_SPLITS),
            received=split,
        )


def start(threads: int, *, progress: bool) -> None:
    """Load Keras, with a message if that takes seconds."""
    from eyetune.training.backend import start_keras

    if "keras" not in sys.modules:
        note("Loading Keras ...", progress=progress)
    start_keras(threads)


def note(text: str, *, progress: bool) -> None:
    """Print a line about the next step, if progress is shown."""
    with TrainingDisplay(0, enabled=progress) as display:
        display.note(text)


def workspace_of(workspace: str | Path | Workspace | None) -> Workspace:
    """Return a workspace from its path, or the default workspace."""
    return workspace if isinstance(workspace, Workspace) else Workspace(workspace)
