"""Eight trainings of the lab: plain Keras one after another, and eyetune with two workers, in
turns.

    EYETUNE_DATA=FOLDER python benchmarks/lab_parallel.py

Both train the lab's network with eight learning rates and batch sizes on the same images, for as
many epochs, and classify the validation images at the end; eyetune also writes checkpoints,
networks, predictions and records. Each runs in processes of its own, the start of Python and Keras
included, on all cores. Prints seconds, their ratio and the peak memory (proportional set size of
all its processes together, sampled every second).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile

from measuring import Measured, measured

CHANGES = [
    {"optimizer.learning_rate": rate, "fit.batch_size": size}
    for rate in (1e-2, 1e-3, 1e-4, 1e-5)
    for size in (32, 64)
]


def plain_keras(subset: int, epochs: int) -> None:
    """Do it as the lab does: arrays in memory, one model after another."""
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
    """Let eyetune's workers do the same, into a workspace of its own."""
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
        done = Runner(Workspace(folder), executor, WorkersDisplay(enabled=False)).train(plans)
        assert all(not one.reason for one in done), done


def measure(how: str, arguments: argparse.Namespace) -> Measured:
    """Run one way in a process of its own."""
    words = [how, "--subset", str(arguments.subset), "--epochs", str(arguments.epochs)]
    return measured([sys.executable, __file__, *words, "--workers", str(arguments.workers)])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "how", nargs="?", choices=["keras", "eyetune"], help="run one way only (used inside)"
    )
    parser.add_argument("--subset", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.how == "keras":
        plain_keras(arguments.subset, arguments.epochs)
    elif arguments.how == "eyetune":
        with_workers(arguments.subset, arguments.epochs, arguments.workers)
    else:
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    ratios = []
    print(
        "| round | plain Keras | eyetune | ratio | memory of Keras | memory of eyetune |\n|---|---|---|---|---|---|"
    )
    for number in range(1, arguments.rounds + 1):
        plain, ours = measure("keras", arguments), measure("eyetune", arguments)
        ratios.append(plain.seconds / ours.seconds)
        cells = f"{plain.seconds:.1f} s | {ours.seconds:.1f} s | {ratios[-1]:.2f}"
        print(
            f"| {number} | {cells} | {plain.peak_megabytes:,.0f} MB | {ours.peak_megabytes:,.0f} MB |",
            flush=True,
        )
    print(f"\nmedian ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
