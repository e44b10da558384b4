"""Find the learning rate to train with."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from eyetune.analysis import learning_rates
from eyetune.api.preparing import check_seed, checked_recipe, note, start, workspace_of
from eyetune.api.shown import ShownRangeTest
from eyetune.data import Dataset
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.report.progress.training_progress import step_bar
from eyetune.tuning.load_images import load_images
from eyetune.tuning.references import resolve, teacher_file


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
    """Find the learning rate to train a recipe with, by a range test.

    The network trains for some hundred steps as `train` would train it, while the learning rate
    rises from far too small to far too large. The test's rates replace the recipe's rate, schedule
    and warm-up. Only training images are used, and only the losses are kept: nothing is recorded.

    Source: Smith, 2017, Cyclical Learning Rates for Training Neural Networks (arXiv:1506.01186).

    Args:
        recipe: The recipe to test. Default: the lab's network on CIFAR-10.
        data: A source that replaces the recipe's (see `load`), or a loaded dataset.
        smallest: The first rate, above 0. Default: 1e-6.
        largest: The last rate, at most 100 and at least 10 times the smallest. Default: 10.
        steps: Number of steps, 20 to 100,000. Default: 500, fewer on small data.
        seed: Random seed, 0 or above; the same seed gives the same result. Default: 0.
        threads: Number of threads for arithmetic. Default: 0, one per core.
        workspace: Where the runs are recorded that the recipe names, as teacher or initial weights.
        progress: Show progress on standard error, or below the cell of a notebook.

    Returns:
        The losses, the suggestion and the usable range. The suggestion is None if the loss did not
        fall.

    Raises:
        UsageError: A value is out of range.
        EyetuneError: The data or the recipe cannot be used.

    Example:
        >>> import eyetune as et
        >>> test = et.find_learning_rate(data="digits", steps=100, progress=False)
        >>> 0.0003 < test.suggestion < 0.03
        True
    """
    recipe = checked_recipe(recipe)
    learning_rates.check_range(smallest, largest, steps)
    check_seed(seed)
    recipe = recipe.with_({"data.train_on_validation": False})
    dataset = data if isinstance(data, Dataset) else load_images(recipe, data, progress=progress)
    start(threads, progress=progress)
    from eyetune.training.precision import choose_arithmetic
    from eyetune.training.range_test import batches_per_epoch, step_losses

    num_steps = steps or learning_rates.default_steps(batches_per_epoch(recipe, dataset))
    rates = learning_rates.rising_rates(smallest, largest, num_steps)
    arithmetic = choose_arithmetic(recipe, dataset, on_note=partial(note, progress=progress))
    workspace = workspace_of(workspace)
    recipe = resolve(recipe.with_({"data.source": dataset.source}), workspace)
    teacher = teacher_file(workspace, recipe)
    title = f"Range test of {recipe.optimizer.name} on {dataset.name}"
    heading = f"{title}: {num_steps:,} steps, in {arithmetic}"
    losses: list[float] = []
    with step_bar(num_steps, heading, enabled=progress) as on_step:
        steps_taken = step_losses(
            recipe, dataset, rates, seed=seed, arithmetic=arithmetic, teacher=teacher
        )
        for loss in learning_rates.until_diverged(steps_taken, num_steps):
            losses.append(loss)
            on_step(len(losses), rates[len(losses) - 1], loss)
    test = learning_rates.judge(rates, losses, num_steps)
    return ShownRangeTest(**vars(test), title=title)
