"""The lab's own search: KerasTuner's Hyperband and eyetune's with two workers, in turns, on the same images.

    EYETUNE_DATA=FOLDER python benchmarks/tuner_vs_keras_tuner.py

Hyperband with max_epochs 10 and factor 3 (30 trials as KerasTuner counts them, 120 epochs), early stopping on the
validation loss with a patience of 5. Each runs in processes of its own, the start of Python and Keras included. Prints
seconds, the best validation accuracy and the peak memory (proportional set size of all processes together, sampled
every second) of each seed, and the means.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from measuring import measured

MODEL = Path(__file__).with_name("lab_model.py")
PATIENCE = 5


def with_keras_tuner(subset: int, epochs: int, seed: int) -> float:
    """Search as the lab does, and return the best validation accuracy."""
    import keras
    import keras_tuner

    import eyetune as et
    from lab_model import build_model

    (x_train, y_train), validation, _ = et.load("cifar10", subset=subset).arrays()
    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.Hyperband(
            build_model, objective="val_accuracy", max_epochs=epochs, factor=3, seed=seed, directory=folder
        )
        stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=PATIENCE)
        tuner.search(x_train, y_train, epochs=50, validation_data=tuple(validation), callbacks=[stop], verbose=0)
        return float(tuner.oracle.get_best_trials(1)[0].score)


def with_eyetune(subset: int, epochs: int, seed: int, workers: int) -> float:
    """Let eyetune search, into a workspace of its own, and return the best validation accuracy."""
    import eyetune as et

    recipe = et.Recipe().with_({"data.subset": subset, "fit.early_stopping": PATIENCE})
    with tempfile.TemporaryDirectory() as folder:
        study = et.tune(
            f"{MODEL}:build_model",
            "cifar10",
            recipe=recipe,
            schedule="hyperband",
            max_epochs=epochs,
            seed=seed,
            workers=workers,
            workspace=folder,
            progress=False,
            plots=False,
        )
        return study.best_value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("how", nargs="?", choices=["keras-tuner", "eyetune"], help="run one way only (used inside)")
    parser.add_argument("--subset", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.how == "keras-tuner":
        print(json.dumps(with_keras_tuner(arguments.subset, arguments.epochs, arguments.seed)))
    elif arguments.how == "eyetune":
        print(json.dumps(with_eyetune(arguments.subset, arguments.epochs, arguments.seed, arguments.workers)))
    else:
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    print("| seed | KerasTuner | eyetune | times faster | best of KerasTuner | best of eyetune | memory of each |")
    print("|---|---|---|---|---|---|---|")
    ratios, bests = [], []
    for seed in range(arguments.seeds):
        words = ["--subset", str(arguments.subset), "--epochs", str(arguments.epochs), "--seed", str(seed)]
        theirs, ours = (
            measured([sys.executable, __file__, how, *words, "--workers", str(arguments.workers)])
            for how in ("keras-tuner", "eyetune")
        )
        best = [float(json.loads(one.output.strip().splitlines()[-1])) for one in (theirs, ours)]
        ratios.append(theirs.seconds / ours.seconds)
        bests.append(best)
        print(
            f"| {seed} | {theirs.seconds:.0f} s | {ours.seconds:.0f} s | {ratios[-1]:.2f} | {best[0]:.2%} | "
            f"{best[1]:.2%} | {theirs.peak_megabytes:,.0f} and {ours.peak_megabytes:,.0f} MB |",
            flush=True,
        )
    mean = [statistics.mean(values) for values in zip(*bests, strict=True)]
    print(f"\nmedian {statistics.median(ratios):.2f} times faster; mean best {mean[0]:.2%} and {mean[1]:.2%}")


if __name__ == "__main__":
    main()
