"""Speed and memory of one training: eyetune and plain Keras `fit` with the same network.

    EYETUNE_DATA=FOLDER python benchmarks/train_throughput.py

Both train the baseline network on the same images of CIFAR-10 and validate after each epoch. They
alternate, so that other load on the machine affects both. The first epoch of each turn, which
includes compilation, does not count. The speed of a turn is that of its median epoch, validation
included; the ratio is computed per round. Target: float32 at least 1.0; auto at least 1.3 times
plain float32 at batch size 128 where the processor has matrix units for bfloat16.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from eyetune.data import Dataset, load
from eyetune.recipe import Recipe
from eyetune.training.backend import choose_arithmetic
from eyetune.training.fit import fit
from eyetune.training.prepared_network import prepare_network

BATCH_SIZES = (32, 128)
VARIANTS = ("float32", "auto", "bfloat16")


def plain_keras(dataset: Dataset, batch_size: int, epochs: int) -> list[float]:
    """Return the seconds of each epoch of Keras's `fit` on float arrays in memory."""
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input(dataset.image_shape),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(dataset.num_classes, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    seconds: list[float] = []

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seconds.append(time.perf_counter() - self.started)

    (x_train, y_train), validation, _ = dataset.arrays()
    model.fit(
        x_train,
        y_train,
        batch_size=batch_size,
        epochs=epochs,
        validation_data=tuple(validation),
        verbose=0,
        callbacks=[Clock()],
    )
    return seconds


def eyetune(dataset: Dataset, batch_size: int, epochs: int, precision: str) -> list[float]:
    """Return the seconds of each epoch of eyetune, checkpoints included."""
    recipe = Recipe().with_(
        fit__batch_size=batch_size, fit__epochs=epochs, fit__precision=precision
    )
    with tempfile.TemporaryDirectory() as folder:
        arithmetic = choose_arithmetic(recipe.fit.precision)
        prepared = prepare_network(recipe, dataset, seed=0, arithmetic=arithmetic)
        fitted = fit(prepared, Path(folder))
    return [epoch.duration_seconds for epoch in fitted.history]


def throughput(dataset: Dataset, rounds: int, epochs: int) -> None:
    """Measure all variants in each round and print a table."""
    print(f"{'batch':>5}  {'variant':<18} {'images/s':>9}  {'ratio':>5}  range over the rounds")
    for batch_size in BATCH_SIZES:
        plain: list[float] = []
        ours: dict[str, list[float]] = {name: [] for name in VARIANTS}
        for _ in range(rounds):
            plain.append(statistics.median(plain_keras(dataset, batch_size, epochs)[1:]))
            for name in VARIANTS:
                ours[name].append(statistics.median(eyetune(dataset, batch_size, epochs, name)[1:]))
        rows = {"plain Keras": plain, **{f"eyetune {name}": ours[name] for name in VARIANTS}}
        for variant, seconds in rows.items():
            pairs = zip(plain, seconds, strict=True)
            ratios = [reference / duration for reference, duration in pairs]
            pace = len(dataset.train) / statistics.median(seconds)
            print(
                f"{batch_size:>5}  {variant:<18} {pace:>9,.0f}  {statistics.median(ratios):>5.2f}  "
                f"{min(ratios):.2f} to {max(ratios):.2f}",
                flush=True,
            )


def memory(source: str) -> None:
    """Run `eyetune train` for one epoch on all images and print its peak resident memory."""
    with tempfile.TemporaryDirectory() as workspace:
        arguments = ["train", "--data", source, "--epochs", "1", "--json", "--workspace", workspace]
        subprocess.run(
            [sys.executable, "-m", "eyetune", *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"Peak memory of `eyetune train` on all of {source}: {kilobytes / 1000:,.0f} MB\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="cifar10", help="a source of images")
    parser.add_argument("--subset", type=int, default=12_500, help="number of images")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds")
    parser.add_argument(
        "--epochs", type=int, default=4, help="epochs per turn; the first does not count"
    )
    options = parser.parse_args()
    memory(
        options.data
    )  # first: the peak of a child process includes its parent's memory at the fork
    dataset = load(options.data, subset=options.subset)
    cores = os.cpu_count()
    print(f"{platform.platform()}, {cores} cores; auto is {choose_arithmetic('auto')}")
    num_images = (
        f"{len(dataset.train):,} training and {len(dataset.validation):,} validation images"
    )
    print(f"{num_images} of {dataset.name}\n")
    throughput(dataset, options.rounds, options.epochs)


if __name__ == "__main__":
    main()
