"""Accuracy after training in mixed bfloat16 and in float32, on three networks.

    EYETUNE_DATA=FOLDER python benchmarks/precision_accuracy.py --results precision.jsonl

Each network is trained with each seed in both precisions, with a cosine schedule, and classifies
the validation images in float32. Both precisions of a seed have the same initial weights and see
the same images in the same order. The table shows the mean difference with its 95% interval
(Student's t distribution of the differences per seed), beside the deviation between seeds of
float32.

Started again with the same file after an interruption, it skips the trainings in the file.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from scipy import stats

from eyetune.data import Dataset, load
from eyetune.recipe import Recipe
from eyetune.training.backend import start_keras
from eyetune.training.evaluate import probabilities
from eyetune.training.fit import fit
from eyetune.training.precision import Arithmetic
from eyetune.training.prepared_network import prepare_network
from recorded import Result, commit, machine, markdown_table, measured

NETWORKS = ("lab", "resnet8", "mobilenet")
Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
CONFIDENCE = 0.95


def recipe_of(network: str, epochs: int) -> Recipe:
    """Return the recipe of a training, without its precision."""
    model = {} if network == "lab" else {"model": network}
    edits = {
        "augment.flip": True,
        "augment.shift": 4,
        "optimizer.schedule": "cosine",
        "fit.batch_size": 128,
        "fit.epochs": epochs,
    }
    return Recipe().with_({**model, **edits})


def accuracy(recipe: Recipe, dataset: Dataset, seed: int, precision: Precision) -> Result:
    """Train a recipe and return its accuracy on the validation images, with its duration."""
    arithmetic = Arithmetic(precision)
    prepared = prepare_network(recipe, dataset, seed=seed, arithmetic=arithmetic)
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit(prepared, Path(folder))
    validation = dataset.validation
    is_correct = probabilities(fitted.model, validation).argmax(axis=1) == validation.labels
    seconds = sum(epoch.duration_seconds for epoch in fitted.history)
    return {
        "accuracy": float(is_correct.mean()),
        "seconds": seconds,
        "machine": machine(),
        "commit": commit(),
    }


def row(network: str, values: dict[Precision, np.ndarray]) -> list[str]:
    """Return the row of a network.

    Args:
        network: Its name.
        values: Accuracy of each seed, by precision.
    """
    float32, bfloat16 = (100 * values[precision] for precision in PRECISIONS)
    differences = bfloat16 - float32
    deviation, interval = "", ""
    if len(differences) > 1:
        deviation = f"{float32.std(ddof=1):.2f}"
        half = stats.sem(differences) * stats.t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1)
        interval = f"{differences.mean() - half:+.2f} to {differences.mean() + half:+.2f}"
    means = [f"{accuracies.mean():.2f}" for accuracies in (float32, bfloat16)]
    return [network, *means, deviation, f"{differences.mean():+.2f}", interval]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, help="file of results, to resume from")
    parser.add_argument("--data", default="cifar10", help="a source of images")
    parser.add_argument("--subset", type=int, default=12_500, help="number of images")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of each training")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, help="names of the networks")
    options = parser.parse_args()
    start_keras()
    dataset = load(options.data, subset=options.subset)
    rows = []
    for network in options.networks:
        recipe = recipe_of(network, options.epochs)
        accuracies: dict[Precision, list[float]] = {precision: [] for precision in PRECISIONS}
        for seed in range(options.seeds):
            for precision in PRECISIONS:
                key = {
                    "network": network,
                    "recipe": recipe.fingerprint,
                    "data": dataset.fingerprint,
                    "seed": seed,
                    "precision": precision,
                }
                train = partial(accuracy, recipe, dataset, seed, precision)
                result = measured(options.results, key, train)
                accuracies[precision].append(result["accuracy"])
                print(f"{network}, seed {seed}, {precision}: {result['accuracy']:.2%}", flush=True)
        rows.append(row(network, {name: np.array(list_) for name, list_ in accuracies.items()}))
    images = f"{len(dataset.train):,} training and {len(dataset.validation):,} validation images"
    print(f"\n{images} of {dataset.name}, {options.epochs} epochs, {options.seeds} seeds; percent")
    header = ("network", "float32", "bfloat16", "deviation of seeds", "difference", "95% interval")
    print(markdown_table(header, rows))


if __name__ == "__main__":
    main()
