"""Checks of a recipe against the images that it is trained on; they need no Keras."""

from __future__ import annotations

from eyetune.data.dataset import Dataset
from eyetune.errors import DataError, RecipeError
from eyetune.models import cnn
from eyetune.recipe import Recipe


def check_images(recipe: Recipe, dataset: Dataset) -> None:
    """Check that there are enough images for a recipe, and that they are large enough.

    Args:
        recipe: What is trained and how.
        dataset: The images that it is trained on.

    Raises:
        DataError: The batch is larger than the training data.
        RecipeError: An augmentation is too large for the images, or the blocks shrink them to
            nothing.
    """
    if recipe.fit.batch_size > len(dataset.train):
        raise DataError(
            "The batch size exceeds the number of training images.",
            expected=f"fit.batch_size of at most {len(dataset.train)}",
            received=recipe.fit.batch_size,
        )
    side = min(dataset.image_shape[:2])
    for name, size in (("shift", recipe.augment.shift), ("cutout", recipe.augment.cutout)):
        if size >= side:
            raise RecipeError(
                f"augment.{name} is as large as the images.",
                expected=f"fewer pixels than the side length of the images, {side}",
                received=size,
            )
    cnn.check_sizes(recipe.model, dataset.image_shape)
