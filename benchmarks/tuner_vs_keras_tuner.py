"""The search of the exercise: Hyperband of KerasTuner, and of eyetune with two workers.

    EYETUNE_DATA=FOLDER python benchmarks/tuner_vs_keras_tuner.py

Hyperband with max_epochs 10 and factor 3 (30 trials as KerasTuner counts them, 120 epochs), and
early stopping on the validation loss with a patience of 5. The tuners alternate on the same images,
in separate processes, and the start of Python and Keras is included. Prints seconds, the best
validation accuracy and the peak memory (proportional set size of all processes, sampled every
second) for each seed, and the means.

A large network takes many times as long as a small one, so the networks matter. eyetune searches
twice with each seed: once with its own sampler (tpe), and once with the networks that KerasTuner
drew, in the same brackets. The work is printed too, in units of 10^9: the multiply-accumulates
(MACs) of each network times its number of trained epochs.
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

from measuring import Measurement, run_measured

MODEL = Path(__file__).with_name("lab_model.py")
PATIENCE = 5
WORK_UNIT = 1e9  # MACs


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes:
        best: Best validation accuracy.
        work: MACs times epochs, in units of `WORK_UNIT`.
        draws: Hyperparameters of each new trial, in order.
    """

    best: float
    work: float
    draws: list[dict[str, Any]] = field(default_factory=list)


def with_keras_tuner(subset: int, epochs: int, seed: int) -> SearchResult:
    """Search with KerasTuner, as in the exercise."""
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
        draws = []
        for trial in trials:
            values = trial.hyperparameters.values
            if not values["tuner/round"]:  # not a promotion
                draws.append({name: values[name] for name in values if "/" not in name})
        best = float(tuner.oracle.get_best_trials(1)[0].score)
        return SearchResult(best, sum(_work(trial.hyperparameters) for trial in trials), draws)


def _work(hyperparameters: Any) -> float:
    """Return the work of a trial of KerasTuner. Early stopping, which is rare, is ignored."""
    from eyetune.models.structure import structure
    from lab_model import build_model

    values = hyperparameters.values
    num_epochs = values["tuner/epochs"] - values["tuner/initial_epoch"]
    network = structure(build_model(hyperparameters))  # type: ignore[no-untyped-call]
    return float(num_epochs * network.macs / WORK_UNIT)


def with_eyetune(
    subset: int, epochs: int, seed: int, workers: int, draws: list[dict[str, Any]]
) -> SearchResult:
    """Search with eyetune in a temporary workspace."""
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
            len(study.histories[trial.run]) * trial.network["macs"]
            for trial in study.trials
            if trial.run
        )
        return SearchResult(study.best_value, work / WORK_UNIT)


@contextmanager
def _drawn(draws: list[dict[str, Any]]) -> Iterator[None]:
    """Make a search inside the context try these hyperparameters in order, if there are any."""
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
        "tuner", nargs="?", choices=["keras-tuner", "eyetune"], help="only this tuner (internal)"
    )
    parser.add_argument("--subset", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--draws", type=Path, help="JSON list of hyperparameters to try (internal)")
    arguments = parser.parse_args()
    if arguments.tuner is None:
        compare(arguments)
        return
    size = arguments.subset, arguments.epochs, arguments.seed
    if arguments.tuner == "keras-tuner":
        result = with_keras_tuner(*size)
    else:
        draws = json.loads(arguments.draws.read_text(encoding="utf-8")) if arguments.draws else []
        result = with_eyetune(*size, arguments.workers, draws)
    print(json.dumps(asdict(result)))


def compare(arguments: argparse.Namespace) -> None:
    """Run all searches for each seed and print a table."""
    print(
        "| seed | search | time | speedup | work | best | memory |\n|---|---|---|---|---|---|---|"
    )
    speedups: dict[str, list[float]] = {}
    accuracies: dict[str, list[float]] = {}
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        options = ["--subset", str(arguments.subset), "--epochs", str(arguments.epochs)]
        options += ["--seed", str(seed), "--workers", str(arguments.workers)]
        reference = _measure("keras-tuner", options)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(reference[1].draws, file)
            file.flush()
            same_networks = _measure("eyetune", [*options, "--draws", file.name])
        rows = {
            "KerasTuner": reference,
            "eyetune, same networks": same_networks,
            "eyetune": _measure("eyetune", options),
        }
        for name, (measurement, result) in rows.items():
            speedup = reference[0].seconds / measurement.seconds
            speedups.setdefault(name, []).append(speedup)
            accuracies.setdefault(name, []).append(result.best)
            cells = f"{measurement.seconds:.0f} s | {speedup:.2f} | {result.work:.2f}"
            cells += f" | {result.best:.2%} | {measurement.peak_megabytes:,.0f} MB"
            print(f"| {seed} | {name} | {cells} |", flush=True)
    print()
    for name, values in speedups.items():
        accuracy = statistics.mean(accuracies[name])
        print(f"{name}: median speedup {statistics.median(values):.2f}, mean best {accuracy:.2%}")


def _measure(tuner: str, options: list[str]) -> tuple[Measurement, SearchResult]:
    measurement = run_measured([sys.executable, __file__, tuner, *options])
    return measurement, SearchResult(**json.loads(measurement.output.strip().splitlines()[-1]))


if __name__ == "__main__":
    main()
