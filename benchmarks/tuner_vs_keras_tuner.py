"""The lab's own search: KerasTuner's Hyperband and eyetune's with two workers, in turns, on the
same images.

    EYETUNE_DATA=FOLDER python benchmarks/tuner_vs_keras_tuner.py

Hyperband with max_epochs 10 and factor 3 (30 trials as KerasTuner counts them, 120 epochs), early
stopping on the validation loss with a patience of 5. Each runs in processes of its own, the start
of Python and Keras included. Prints seconds, the best validation accuracy and the peak memory
(proportional set size of all processes together, sampled every second) of each seed, and the means.

A large network takes many times as long as a small one, so the networks matter. eyetune searches
twice with each seed: once as it is, with its own sampler (tpe), and once trying the very networks
that KerasTuner drew in the same brackets. The work of each is printed too, in units of 10^9: the
multiply-adds of each network times the epochs that it was trained for.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from measuring import Measured, measured

MODEL = Path(__file__).with_name("lab_model.py")
PATIENCE = 5
WORK_UNIT = 1e9  # multiply-adds


@dataclass(frozen=True)
class Searched:
    """What a search came to.

    Attributes:
        best: Validation accuracy.
        work: Multiply-adds times epochs, in `WORK_UNIT`.
        draws: The hyperparameters of each new trial, in their order.
    """

    best: float
    work: float
    draws: list[dict[str, Any]] = field(default_factory=list)


def with_keras_tuner(subset: int, epochs: int, seed: int) -> Searched:
    """Search as the lab does."""
    import keras
    import keras_tuner

    import eyetune as et
    from lab_model import build_model

    (x_train, y_train), validation, _ = et.load("cifar10", subset=subset).arrays()
    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.Hyperband(
            build_model,
            objective="val_accuracy",
            max_epochs=epochs,
            factor=3,
            seed=seed,
            directory=folder,
        )
        stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=PATIENCE)
        tuner.search(
            x_train,
            y_train,
            epochs=50,
            validation_data=tuple(validation),
            callbacks=[stop],
            verbose=0,
        )
        trials = [tuner.oracle.trials[name] for name in sorted(tuner.oracle.trials)]
        new = [
            one.hyperparameters.values
            for one in trials
            if not one.hyperparameters.values["tuner/round"]
        ]
        draws = [
            {name: value for name, value in values.items() if "/" not in name} for values in new
        ]
        best = float(tuner.oracle.get_best_trials(1)[0].score)
        return Searched(best, sum(_work(one.hyperparameters) for one in trials), draws)


def _work(hyperparameters: Any) -> float:
    """Return the work of a trial of KerasTuner's; early stopping, which ends few of them, is not
    counted.
    """
    from eyetune.models.structure import structure
    from lab_model import build_model

    values = hyperparameters.values
    num_epochs = values["tuner/epochs"] - values["tuner/initial_epoch"]
    network = structure(build_model(hyperparameters))  # type: ignore[no-untyped-call]
    return float(num_epochs * network.macs / WORK_UNIT)


def with_eyetune(
    subset: int, epochs: int, seed: int, workers: int, draws: list[dict[str, Any]]
) -> Searched:
    """Let eyetune search, into a workspace of its own."""
    import eyetune as et

    recipe = et.Recipe().with_({"data.subset": subset, "fit.early_stopping": PATIENCE})
    with tempfile.TemporaryDirectory() as folder, _drawn(draws):
        study = et.tune(
            f"{MODEL}:build_model",
            "cifar10",
            recipe=recipe,
            scheduler="hyperband",
            max_epochs=epochs,
            seed=seed,
            workers=workers,
            workspace=folder,
            progress=False,
            plots=False,
        )
        work = sum(
            len(study.histories[one.run]) * one.network["multiply_adds"]
            for one in study.trials
            if one.run
        )
        return Searched(study.best_value, work / WORK_UNIT)


@contextmanager
def _drawn(draws: list[dict[str, Any]]) -> Iterator[None]:
    """Let a search within it try these hyperparameters one after the other, if there are any."""
    if not draws:
        yield
        return
    from eyetune.tuning.samplers import Suggestion

    sampler = mock.Mock(
        suggest=lambda number: Suggestion(draws[number]) if number < len(draws) else None
    )
    with mock.patch("eyetune.tuning.planner.Sampler", return_value=sampler):
        yield


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "how", nargs="?", choices=["keras-tuner", "eyetune"], help="run one way only (used inside)"
    )
    parser.add_argument("--subset", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--draws", type=Path, help="JSON list of the hyperparameters to try (used inside)"
    )
    arguments = parser.parse_args()
    if arguments.how is None:
        compare(arguments)
        return
    size = arguments.subset, arguments.epochs, arguments.seed
    if arguments.how == "keras-tuner":
        searched = with_keras_tuner(*size)
    else:
        draws = json.loads(arguments.draws.read_text(encoding="utf-8")) if arguments.draws else []
        searched = with_eyetune(*size, arguments.workers, draws)
    print(json.dumps(asdict(searched)))


def compare(arguments: argparse.Namespace) -> None:
    print(
        "| seed | search | time | times faster | work | best | memory |\n|---|---|---|---|---|---|---|"
    )
    ratios: dict[str, list[float]] = {}
    bests: dict[str, list[float]] = {}
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        words = [
            "--subset",
            str(arguments.subset),
            "--epochs",
            str(arguments.epochs),
            "--seed",
            str(seed),
        ]
        words += ["--workers", str(arguments.workers)]
        theirs = _measured("keras-tuner", words)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(theirs[1].draws, file)
            file.flush()
            same = _measured("eyetune", [*words, "--draws", file.name])
        own = _measured("eyetune", words)
        for name, (one, came) in {
            "KerasTuner": theirs,
            "eyetune, same networks": same,
            "eyetune": own,
        }.items():
            ratio = theirs[0].seconds / one.seconds
            ratios.setdefault(name, []).append(ratio)
            bests.setdefault(name, []).append(came.best)
            figures = f"{one.seconds:.0f} s | {ratio:.2f} | {came.work:.2f} | {came.best:.2%}"
            print(f"| {seed} | {name} | {figures} | {one.peak_megabytes:,.0f} MB |", flush=True)
    print()
    for name, faster in ratios.items():
        best = statistics.mean(bests[name])
        print(f"{name}: median {statistics.median(faster):.2f} times faster, mean best {best:.2%}")


def _measured(how: str, words: list[str]) -> tuple[Measured, Searched]:
    one = measured([sys.executable, __file__, how, *words])
    return one, Searched(**json.loads(one.output.strip().splitlines()[-1]))


if __name__ == "__main__":
    main()
