"""Eight trainings: plain Keras, one after another, and eyetune with two workers.

    EYETUNE_DATA=FOLDER python benchmarks/lab_parallel.py

Both train the baseline network with eight combinations of learning rate and batch size on the same
images, for the same number of epochs, and classify the validation images at the end. eyetune also
writes checkpoints, networks, predictions and records. They alternate, in separate processes, and
the start of Python and Keras is included. Prints seconds, their ratio and the peak memory
(proportional set size of all processes, sampled every second).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile

from measuring import Measurement, run_measured

CHANGES = [
    {"optimizer.learning_rate": rate, "fit.batch_size": size}
    for rate in (1e-2, 1e-3, 1e-4, 1e-5)
    for size in (32, 64)
]


def plain_keras(subset: int, epochs: int) -> None:
    """Train with arrays in memory, one model after another."""
    import keras

    import eyetune as et

    (x_train, y_train), (x_validation, y_validation), _ = et.load("cifar10", subset=subset).arrays()
    for change in CHANGES:
        model = keras.Sequential(
            [
                keras.layers.Input((32, 32, 3)),
                keras.layers.Conv2D(32, (3, 3), activation="relu"),
                keras.layers.MaxPooling2D((2, 2)),
                keras.layers.Conv2D(64, (3, 3), activation="relu"),
                keras.layers.MaxPooling2D((2, 2)),
                keras.layers.Flatten(),
                keras.layers.Dense(64, activation="relu"),
                keras.layers.Dense(10, activation="softmax"),
            ]
        )
        optimizer = keras.optimizers.Adam(change["optimizer.learning_rate"])
        model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
        validation = (x_validation, y_validation)
        size = int(change["fit.batch_size"])
        model.fit(
            x_train, y_train, batch_size=size, epochs=epochs, validation_data=validation, verbose=0
        )
        model.evaluate(*validation, verbose=0)


def with_workers(subset: int, epochs: int, workers: int) -> None:
    """Train with eyetune's workers in a temporary workspace."""
    from eyetune.recipe import Recipe
    from eyetune.records import Workspace
    from eyetune.report.progress.training_progress import WorkersDisplay
    from eyetune.tuning.executors import LocalExecutor
    from eyetune.tuning.runner import Plan, Runner

    recipe = Recipe().with_(
        {"data.subset": subset, "fit.epochs": epochs, "fit.precision": "float32"}
    )
    plans = [Plan(str(change), recipe.with_(change), 0) for change in CHANGES]
    with tempfile.TemporaryDirectory() as folder, LocalExecutor(workers) as executor:
        results = Runner(Workspace(folder), executor, WorkersDisplay(enabled=False)).train(plans)
        assert not any(result.reason for result in results), results


def measure(variant: str, arguments: argparse.Namespace) -> Measurement:
    """Run a variant in a separate process."""
    options = ["--subset", str(arguments.subset), "--epochs", str(arguments.epochs)]
    options += ["--workers", str(arguments.workers)]
    return run_measured([sys.executable, __file__, variant, *options])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "variant", nargs="?", choices=["keras", "eyetune"], help="only this variant (internal)"
    )
    parser.add_argument("--subset", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.variant == "keras":
        plain_keras(arguments.subset, arguments.epochs)
    elif arguments.variant == "eyetune":
        with_workers(arguments.subset, arguments.epochs, arguments.workers)
    else:
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    """Measure both variants in each round and print a table."""
    ratios = []
    print("| round | plain Keras | eyetune | ratio | memory of Keras | memory of eyetune |")
    print("|---|---|---|---|---|---|")
    for number in range(1, arguments.rounds + 1):
        plain = measure("keras", arguments)
        ours = measure("eyetune", arguments)
        ratios.append(plain.seconds / ours.seconds)
        times = f"{plain.seconds:.1f} s | {ours.seconds:.1f} s | {ratios[-1]:.2f}"
        memory = f"{plain.peak_megabytes:,.0f} MB | {ours.peak_megabytes:,.0f} MB"
        print(f"| {number} | {times} | {memory} |", flush=True)
    print(f"\nmedian ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
