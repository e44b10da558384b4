"""The lab's own search: KerasTuner's Hyperband and eyetune's with two workers, in turns, on the same images.

    EYETUNE_DATA=FOLDER python benchmarks/tuner_vs_keras_tuner.py

Hyperband with max_epochs 10 and factor 3 (30 trials as KerasTuner counts them, 120 epochs), early stopping on the
validation loss with a patience of 5. Each runs in processes of its own, the start of Python and Keras included. Prints
seconds, the best validation accuracy and the peak memory (proportional set size of all processes together, sampled
every second) of each seed, and the means.

The two try other networks, and a large one takes many times as long as a small one. So the work is printed too, in
units of 10^9: the multiply-adds of each network times the epochs that it was trained for; and how many times faster
eyetune is at equal work.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from measuring import measured

MODEL = Path(__file__).with_name("lab_model.py")
PATIENCE = 5
WORK_UNIT = 1e9  # multiply-adds


def with_keras_tuner(subset: int, epochs: int, seed: int) -> tuple[float, float]:
    """Search as the lab does, and return the best validation accuracy and the work."""
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
        work = sum(_work(trial.hyperparameters) for trial in tuner.oracle.trials.values())
        return float(tuner.oracle.get_best_trials(1)[0].score), work


def _work(hyperparameters: Any) -> float:
    """Return the work of a trial of KerasTuner's; early stopping, which ends few of them, is not counted."""
    from eyetune.models.structure import structure
    from lab_model import build_model

    values = hyperparameters.values
    num_epochs = values["tuner/epochs"] - values["tuner/initial_epoch"]
    network = structure(build_model(hyperparameters))  # type: ignore[no-untyped-call]
    return float(num_epochs * network.multiply_adds / WORK_UNIT)


def with_eyetune(subset: int, epochs: int, seed: int, workers: int) -> tuple[float, float]:
    """Let eyetune search, into a workspace of its own, and return the best validation accuracy and the work."""
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
        work = sum(len(study.histories[one.run]) * one.network["multiply_adds"] for one in study.trials if one.run)
        return study.best_value, work / WORK_UNIT


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
    headings = [
        "seed",
        "KerasTuner",
        "eyetune",
        "times faster",
        "work of each",
        "at equal work",
        "best of each",
        "memory",
    ]
    print(f"| {' | '.join(headings)} |")
    print("|---|---|---|---|---|---|---|---|")
    ratios, fair, bests = [], [], []
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        words = ["--subset", str(arguments.subset), "--epochs", str(arguments.epochs), "--seed", str(seed)]
        theirs, ours = (
            measured([sys.executable, __file__, how, *words, "--workers", str(arguments.workers)])
            for how in ("keras-tuner", "eyetune")
        )
        best, work = zip(*(json.loads(one.output.strip().splitlines()[-1]) for one in (theirs, ours)), strict=True)
        ratios.append(theirs.seconds / ours.seconds)
        fair.append(ratios[-1] * work[1] / work[0])
        bests.append(best)
        cells = [
            f"{seed} | {theirs.seconds:.0f} s | {ours.seconds:.0f} s | {ratios[-1]:.2f}",
            f"{work[0]:.2f} and {work[1]:.2f} | {fair[-1]:.2f} | {best[0]:.2%} and {best[1]:.2%}",
            f"{theirs.peak_megabytes:,.0f} and {ours.peak_megabytes:,.0f} MB",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)
    mean = [statistics.mean(values) for values in zip(*bests, strict=True)]
    print(
        f"\nmedian {statistics.median(ratios):.2f} times faster, {statistics.median(fair):.2f} at equal work; ", end=""
    )
    print(f"mean best {mean[0]:.2%} and {mean[1]:.2%}")


if __name__ == "__main__":
    main()
