"""How well the accuracy of short trainings ranks recipes: Kendall's tau with whole trainings.

    EYETUNE_DATA=FOLDER python benchmarks/early_ranking.py --results ranking.jsonl \
        --picture ranking.png

Recipes are drawn from the built-in space `small` and from spaces around ResNet-8 with Adam and with
SGD. Each is trained twice on a part of CIFAR-10, and its validation accuracy is read at the rungs
of successive halving:

before  one cosine schedule over all epochs, running averages with Keras's momentum of 0.99
after   cosine schedules that end at each rung (`cycle_epochs`), `batch_norm_momentum = auto`

The final accuracy of a recipe is that at the end of its single schedule, the last epoch of
`before`. So the early epochs of `before` share their initial weights and their order of images with
it, which favors `before`. Intervals are from a bootstrap over recipes. The loss of accuracy is what
a search gives away that continues only the recipe that is best at the rung. The confirmed share
says how much of the differences at the rung remains at the end: 1 if a recipe that is ahead at the
rung ends as far ahead as predicted.

Two trainings run in parallel with a thread each. Each is stored in the file of results, and a later
invocation skips it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.errors import DivergedError
from eyetune.recipe import Recipe
from eyetune.records.study import Objective
from eyetune.space.hyperparameters import Choice, Range
from eyetune.space.presets import apply, recipe_space
from eyetune.space.space import Space
from eyetune.tuning.executors.local import LocalExecutor
from eyetune.tuning.samplers import Sampler
from eyetune.values.rungs import geometric_rungs
from recorded import Result, add_result, commit, machine, markdown_table, read_results

FACTOR = 3.0  # between rungs
MIN_EPOCHS = 1
KERAS_MOMENTUM = 0.99
WARMUP_SHARE = 0.25  # of the first cycle: a longer warm-up would leave no epochs to decay in
WORKERS = 2
JOBS_PER_PROCESS = 20
RESAMPLES = 2000
VARIANTS = ("before", "after")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """A recipe that was drawn from a space.

    Attributes:
        family: Name of the space.
        values: The values of its hyperparameters.
        recipe: The recipe, with a single cosine schedule.
    """

    family: str
    values: Mapping[str, Any]
    recipe: Recipe


def draw(count: int, start: Recipe, seed: int) -> list[Drawn]:
    """Draw recipes from all spaces in turn.

    Args:
        count: Number of recipes.
        start: Data and number of epochs of all recipes.
        seed: Random seed.
    """
    objective = Objective(name="val_accuracy", direction="max")
    spaces = {name: space(start) for name, space in SPACES.items()}
    samplers = {
        name: Sampler("random", space, [objective], seed=seed)
        for name, (_, space) in spaces.items()
    }
    drawn = []
    for number in range(count):
        family = list(SPACES)[number % len(SPACES)]
        suggestion = samplers[family].suggest(number)
        assert suggestion is not None  # the spaces are infinite
        recipe = apply(spaces[family][0], suggestion.values)
        cosine = recipe.with_({"optimizer.schedule": "cosine"})
        drawn.append(Drawn(family, suggestion.values, cosine))
    return drawn


def _small(start: Recipe) -> tuple[Recipe, Space]:
    """Return the built-in space without its schedules: all recipes here have the same."""
    small = recipe_space("small", start)
    return small.recipe, Space.make(
        part for part in small.space.distributions if part.name != "optimizer.schedule"
    )


def _resnet8(optimizer: Mapping[str, Any], rates: tuple[float, float]) -> SpaceOf:
    """Return a space around ResNet-8 with an optimizer and a range of learning rates."""

    def space(start: Recipe) -> tuple[Recipe, Space]:
        recipe = start.with_({"model": "resnet8", "optimizer.warmup_epochs": 1, **optimizer})
        return recipe, Space.make(
            [
                Range(
                    name="optimizer.learning_rate",
                    low=rates[0],
                    high=rates[1],
                    sampling="log",
                    whole=False,
                ),
                Choice(name="model.width", values=(0.5, 0.75, 1.0, 1.5), ordered=True),
                Choice(name="fit.batch_size", values=(32, 64, 128), ordered=True),
                Choice(name="augment.flip", values=(False, True)),
                Choice(name="augment.shift", values=(0, 2, 4), ordered=True),
                Choice(name="loss.label_smoothing", values=(0.0, 0.05, 0.1), ordered=True),
                Choice(name="optimizer.weight_decay", values=(0.0, 1e-3, 5e-3), ordered=True),
            ]
        )

    return space


SpaceOf = Callable[[Recipe], tuple[Recipe, Space]]
_SGD = {"optimizer.name": "sgd", "optimizer.momentum": 0.9, "optimizer.nesterov": True}
SPACES: dict[str, SpaceOf] = {
    "small": _small,
    "ResNet-8, Adam": _resnet8({"optimizer.name": "adam"}, (3e-4, 2e-2)),
    "ResNet-8, SGD": _resnet8(_SGD, (1e-2, 5e-1)),
}


def edits(variant: str, rungs: Sequence[int]) -> dict[str, Any]:
    """Return what a variant changes in a recipe with a single schedule."""
    if variant == "before":
        return {"model.batch_norm_momentum": KERAS_MOMENTUM}
    return {
        "model.batch_norm_momentum": "auto",
        "optimizer.cycle_epochs": rungs[0],
        "optimizer.cycle_factor": FACTOR,
        "optimizer.warmup_epochs": WARMUP_SHARE * rungs[0],
    }


def train(recipe: Recipe, seed: int) -> Result:
    """Train a recipe in a worker process and return its validation accuracy after each epoch.

    There are no accuracies if the training diverged.
    """
    import eyetune

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as workspace:
        try:
            run = eyetune.train(
                recipe, seed=seed, workspace=workspace, threads=1, progress=False, plots=False
            )
        except DivergedError:
            return {"accuracies": [], "seconds": time.perf_counter() - started}
    return {
        "accuracies": [epoch.val_accuracy for epoch in run.history],
        "seconds": time.perf_counter() - started,
        "precision": run.record.precision,
        "macs": run.record.network.macs,
    }


def measure(arguments: argparse.Namespace, settings: Result) -> None:
    """Train all recipes that are not in the file of results, in both variants."""
    num_images = arguments.train + arguments.validation
    start = Recipe().with_(
        {
            "data.subset": num_images,
            "data.validation": arguments.validation / num_images,
            "fit.epochs": arguments.epochs,
        }
    )
    rungs = geometric_rungs(arguments.epochs, FACTOR, MIN_EPOCHS)
    done = {
        (result["recipe"], result["variant"])
        for result in _selected(read_results(arguments.results), settings)
    }
    about = {**machine(), "commit": commit()}
    with LocalExecutor(WORKERS, jobs_per_process=JOBS_PER_PROCESS) as executor:
        futures: dict[Future[Result], Result] = {}
        for number, drawn in enumerate(draw(arguments.recipes, start, arguments.seed)):
            for variant in VARIANTS:
                if (number, variant) not in done:
                    recipe = drawn.recipe.with_(edits(variant, rungs))
                    key = {"recipe": number, "variant": variant, **settings}
                    key |= {"family": drawn.family, "values": drawn.values}
                    futures[executor.submit(train, recipe, arguments.seed)] = key
        started = time.perf_counter()
        for count, future in enumerate(as_completed(futures), 1):
            add_result(arguments.results, {**futures[future], **future.result(), **about})
            minutes = (time.perf_counter() - started) / 60
            left = minutes / count * (len(futures) - count)
            print(
                f"{count} of {len(futures)} trainings in {minutes:.0f} min, {left:.0f} min left",
                file=sys.stderr,
                flush=True,
            )


def _selected(results: Sequence[Result], settings: Result) -> list[Result]:
    return [
        result
        for result in results
        if all(result[name] == value for name, value in settings.items())
    ]


@dataclass(frozen=True)
class Curves:
    """The validation accuracies of all recipes that were trained in both variants.

    Attributes:
        families: The space of each recipe.
        at_rungs: For each variant, the accuracy of each recipe at each rung.
        final: The accuracy of each recipe at the end of its single schedule.
        num_dropped: Recipes without results of both variants, because a training diverged or has
            not been made.
    """

    families: tuple[str, ...]
    at_rungs: Mapping[str, Floats]
    final: Floats
    num_dropped: int


def curves(results: Sequence[Result], rungs: Sequence[int]) -> Curves:
    """Return the curves of a file of results."""
    by_recipe: dict[int, dict[str, Result]] = {}
    for result in results:
        by_recipe.setdefault(result["recipe"], {})[result["variant"]] = result
    whole = [
        variants
        for _, variants in sorted(by_recipe.items())
        if all(variants.get(variant, {}).get("accuracies") for variant in VARIANTS)
    ]
    indices = [rung - 1 for rung in rungs]
    at_rungs = {
        variant: np.array([variants[variant]["accuracies"] for variants in whole])[:, indices]
        for variant in VARIANTS
    }
    families = tuple(variants["before"]["family"] for variants in whole)
    return Curves(families, at_rungs, at_rungs["before"][:, -1], len(by_recipe) - len(whole))


def tau(early: Floats, final: Floats) -> float:
    """Return Kendall's tau of two accuracies of the same recipes, -1 to 1."""
    from scipy.stats import kendalltau

    return float(kendalltau(early, final).statistic)


def interval(statistic: Callable[[NDArray[np.int64]], float], count: int) -> tuple[float, float]:
    """Return the 95% bootstrap interval of a statistic of resampled recipes.

    Args:
        statistic: Function of the indices of the recipes.
        count: Number of recipes.
    """
    generator = np.random.default_rng(0)
    samples = [statistic(generator.integers(0, count, count)) for _ in range(RESAMPLES)]
    low, high = np.nanpercentile(samples, [2.5, 97.5])
    return float(low), float(high)


def table(found: Curves, rungs: Sequence[int]) -> str:
    """Return a table with a row per rung."""
    count = len(found.final)
    header = ["epochs", *(f"tau {variant}" for variant in VARIANTS), "difference"]
    header += [f"accuracy lost {variant}" for variant in VARIANTS]
    header += [f"confirmed {variant}" for variant in VARIANTS]
    rows = []
    for index, rung in enumerate(rungs):
        columns = {variant: found.at_rungs[variant][:, index] for variant in VARIANTS}
        taus = {variant: partial(_tau_of, columns[variant], found.final) for variant in VARIANTS}
        gain = partial(_gain, taus["before"], taus["after"])
        cells = [_cell(taus[variant], count) for variant in VARIANTS]
        lost = [f"{100 * _lost(columns[variant], found.final):.1f} points" for variant in VARIANTS]
        shares = [
            _cell(partial(_confirmed, columns[variant], found.final), count) for variant in VARIANTS
        ]
        rows.append([str(rung), *cells, _cell(gain, count), *lost, *shares])
    dropped = f"; {found.num_dropped} recipes without both results" if found.num_dropped else ""
    final = f"final accuracy {found.final.min():.1%} to {found.final.max():.1%}"
    return f"{markdown_table(header, rows)}\n\n{count} recipes, {final}{dropped}"


def _tau_of(early: Floats, final: Floats, indices: NDArray[np.int64]) -> float:
    return tau(early[indices], final[indices])


def _gain(
    before: Callable[[NDArray[np.int64]], float],
    after: Callable[[NDArray[np.int64]], float],
    indices: NDArray[np.int64],
) -> float:
    return after(indices) - before(indices)


def _cell(statistic: Callable[[NDArray[np.int64]], float], count: int) -> str:
    low, high = interval(statistic, count)
    return f"{statistic(np.arange(count)):.2f} ({low:.2f} to {high:.2f})"


def _confirmed(early: Floats, final: Floats, indices: NDArray[np.int64]) -> float:
    """Return how much of the differences at a rung remains at the end.

    With more epochs, the error of each recipe is predicted to fall in the same proportion, as a
    search predicts it. The share is the slope of the final accuracies over the predicted ones.
    """
    early, final = early[indices], final[indices]
    predicted = 1 - (1 - early) * (1 - final).mean() / (1 - early).mean()
    return float(np.polyfit(predicted, final, 1)[0])


def _lost(early: Floats, final: Floats) -> float:
    """Return the final accuracy that the choice of the best recipe at a rung gives away."""
    return float(final.max() - final[early.argmax()])


def draw_picture(found: Curves, rungs: Sequence[int], path: Path) -> None:
    """Draw the final accuracy over that at each rung before the last, and write the picture."""
    from eyetune.report.figures.picture import new_picture, save

    picture = new_picture(3.2 * (len(rungs) - 1), 6.4)
    grid = picture.subplots(len(VARIANTS), len(rungs) - 1, squeeze=False, sharey=True)
    families = np.array(found.families)
    for row, variant in enumerate(VARIANTS):
        for column, rung in enumerate(rungs[:-1]):
            axes = grid[row, column]
            early = found.at_rungs[variant][:, column]
            for family in SPACES:
                chosen = families == family
                axes.scatter(100 * early[chosen], 100 * found.final[chosen], s=14, label=family)
            epochs = "epoch" if rung == 1 else "epochs"
            axes.set_title(f"{variant}, {rung} {epochs}: tau {tau(early, found.final):.2f}")
            axes.set_xlabel(f"validation accuracy after {rung} {epochs} (%)")
            axes.grid(alpha=0.3)
        grid[row, 0].set_ylabel(f"after a whole schedule of {rungs[-1]} epochs (%)")
    grid[0, 0].legend()
    save(picture, path.parent, path.stem, [path.suffix.removeprefix(".")])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--results", type=Path, required=True, help="file of results; what is in it is skipped"
    )
    parser.add_argument("--recipes", type=int, default=40, help="number of recipes (40)")
    parser.add_argument("--epochs", type=int, default=27, help="epochs of a training (27)")
    parser.add_argument("--train", type=int, default=4000, help="training images (4000)")
    parser.add_argument("--validation", type=int, default=2500, help="validation images (2500)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (0)")
    parser.add_argument("--picture", type=Path, help="file of a picture (.png or .svg) to write")
    parser.add_argument("--table", action="store_true", help="only print the table of the file")
    arguments = parser.parse_args()
    if arguments.epochs < FACTOR:
        parser.error(f"--epochs must be at least {FACTOR:.0f}, to have two rungs")
    settings = {name: getattr(arguments, name) for name in ("epochs", "train", "validation")}
    settings["seed"] = arguments.seed
    rungs = geometric_rungs(arguments.epochs, FACTOR, MIN_EPOCHS)
    if not arguments.table:
        measure(arguments, settings)
    found = curves(_selected(read_results(arguments.results), settings), rungs)
    print(table(found, rungs))
    if arguments.picture is not None:
        draw_picture(found, rungs, arguments.picture)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
