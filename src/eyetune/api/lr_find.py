"""Find the learning rate to train with."""

from __future__ import annotations

from pathlib import Path

from eyetune.analysis import learning_rates
from eyetune.api.preparing import check_seed, checked_recipe, start, workspace_of
from eyetune.api.shown import ShownRangeTest
from eyetune.data import Dataset
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.report.progress.training_progress import step_bar
from eyetune.tuning.load_images import load_images
from eyetune.tuning.references import teacher_file


def find_learning_rate(
    recipe: Recipe | None = None,
    data: str | Path | Dataset | None = None,
    *,
    smallest: float = learning_rates.SMALLEST,
    largest: float = learning_rates.LARGEST,
    steps: int | None = None,
    seed: int = 0,
    threads: int = 0,
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
) -> ShownRangeTest:
    """Find the learning rate to train a recipe with, by a range test (Smith, 2017,
    arXiv:1506.01186).

    For some hundred steps the network trains as `train` would train it, while the rate rises from
    far too small to far too large; then everything is thrown away but the losses. The recipe's own
    rate, schedule and warm-up give way to the test's learning_rates. Only training images are
    looked at, and nothing is recorded.

    Args:
        recipe: What to test; the default is the lab's network on CIFAR-10.
        data: As for `train`.
        smallest: The first rate, above 0.
        largest: The last rate, at most 100 and at least ten times the smallest.
        steps: From the first to the last, 20 or more (None: 500, fewer on small data).
        seed: Of everything that is random, as for `train`.
        threads: As for `train`.
        workspace: Where the recipe's teacher is recorded, if it has one.
        progress: Show the progress on standard error.

    Returns:
        The losses, the suggestion and the usable range. Where the loss did not fall, the suggestion
        is None.

    Raises:
        UsageError: A value is out of its range.
        EyetuneError: The data or the recipe cannot be used.

    Example:
        >>> import eyetune as et
        >>> found = et.find_learning_rate(data="digits", steps=100, progress=False)
        >>> 0.0003 < found.suggestion < 0.03
        True
    """
    recipe = checked_recipe(recipe)
    learning_rates.check_range(smallest, largest, steps)
    check_seed(seed)
    recipe = recipe.with_({"data.train_on_validation": False})
    dataset = data if isinstance(data, Dataset) else load_images(recipe, data, progress=progress)
    start(threads, progress=progress)
    from eyetune.training.backend import choose_arithmetic
    from eyetune.training.range_test import batches_per_epoch, step_losses

    num_steps = steps or learning_rates.default_steps(batches_per_epoch(recipe, dataset))
    tried = learning_rates.rising_rates(smallest, largest, num_steps)
    arithmetic = choose_arithmetic(recipe.fit.precision)
    title = f"Range test of {recipe.optimizer.name} on {dataset.name}"
    with step_bar(
        num_steps, f"{title}: {num_steps:,} steps, in {arithmetic}", enabled=progress
    ) as on_step:
        losses: list[float] = []
        teacher = teacher_file(workspace_of(workspace), recipe)
        trained = step_losses(
            recipe, dataset, tried, seed=seed, arithmetic=arithmetic, teacher=teacher
        )
        for loss in learning_rates.until_diverged(trained, num_steps):
            losses.append(loss)
            on_step(len(losses), tried[len(losses) - 1], loss)
    test = learning_rates.judge(tried, losses, num_steps)
    return ShownRangeTest(**vars(test), title=title)
