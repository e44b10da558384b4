"""The search of the exercise: Hyperband of KerasTuner, and of eyetune with two workers.

    EYETUNE_DATA=FOLDER python benchmarks/tuner_vs_keras_tuner.py --results FILE

Hyperband with max_epochs 10 and factor 3 (30 trials as KerasTuner counts them, 120 epochs), and
early stopping on the validation loss with a patience of 5. The tuners alternate on the same images,
in separate processes, and the start of Python and Keras is included. Prints seconds, the best
validation accuracy and the peak memory (proportional set size of all processes, sampled every
second) for each seed, and the medians and means.

A large network takes many times as long as a small one, so the networks matter. eyetune searches
with the networks that KerasTuner drew, in the same brackets, in float32 as the model function asks
and with precision auto. Then it searches with its own sampler (tpe). The work is printed too, in
units of 10^9: the multiply-accumulates (MACs) of each network times its number of trained epochs.

Results are appended to the file, and what is in it is not measured again. Targets for the same
networks: not slower than before in float32 (2.1 to 2.4 times as fast as KerasTuner), and at least
2.7 times as fast with precision auto where bfloat16 is faster.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from measuring import Improvements, Measurement, note_improvement, run_measured
from recorded import Result, commit, machine, markdown_table, measured

MODEL = Path(__file__).with_name("lab_model.py")
PATIENCE = 5
WORK_UNIT = 1e9  # MACs
KERAS_TUNER = "KerasTuner"


@dataclass(frozen=True)
class Search:
    """A search of eyetune.

    Attributes:
        name: Its name in the table.
        precision: Value of fit.precision; "" leaves the arithmetic to the model function.
        same_networks: Whether it tries the networks that KerasTuner drew.
    """

    name: str
    precision: str
    same_networks: bool


SEARCHES = (
    Search("eyetune, same networks", "", same_networks=True),
    Search("eyetune, same networks, precision auto", "measured", same_networks=True),
    Search("eyetune", "", same_networks=False),
    Search("eyetune, precision auto", "measured", same_networks=False),
)


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes:
        best: Best validation accuracy.
        work: MACs times epochs, in units of `WORK_UNIT`.
        precisions: Number of trials in each precision.
        draws: Hyperparameters of each new trial, in order.
        improvements: When KerasTuner's best validation accuracy became better.
    """

    best: float
    work: float
    precisions: dict[str, int] = field(default_factory=dict)
    draws: list[dict[str, Any]] = field(default_factory=list)
    improvements: Improvements = field(default_factory=list)


def with_keras_tuner(subset: int, epochs: int, seed: int) -> SearchResult:
    """Search with KerasTuner, as in the exercise."""
    import keras
    import keras_tuner

    import eyetune as et
    from lab_model import build_model

    improvements: Improvements = []

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            note_improvement(improvements, float(logs["val_accuracy"]))

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
            callbacks=[stop, Clock()],
            verbose=0,
        )
        trials = [tuner.oracle.trials[name] for name in sorted(tuner.oracle.trials)]
        draws = []
        for trial in trials:
            values = trial.hyperparameters.values
            if not values["tuner/round"]:  # not a promotion
                draws.append({name: values[name] for name in values if "/" not in name})
        best = float(tuner.oracle.get_best_trials(1)[0].score)
        work = sum(_work(trial.hyperparameters) for trial in trials)
        return SearchResult(best, work, {"float32": len(draws)}, draws, improvements)


def _work(hyperparameters: Any) -> float:
    """Return the work of a trial of KerasTuner. Early stopping, which is rare, is ignored."""
    from eyetune.models.structure import structure
    from lab_model import build_model

    values = hyperparameters.values
    num_epochs = values["tuner/epochs"] - values["tuner/initial_epoch"]
    network = structure(build_model(hyperparameters))  # type: ignore[no-untyped-call]
    return float(num_epochs * network.macs / WORK_UNIT)


def with_eyetune(
    subset: int, epochs: int, seed: int, workers: int, precision: str, draws: list[dict[str, Any]]
) -> SearchResult:
    """Search with eyetune in a temporary workspace."""
    import eyetune as et

    changes: dict[str, Any] = {"data.subset": subset, "fit.early_stopping": PATIENCE}
    if precision:
        changes["fit.precision"] = precision
    with tempfile.TemporaryDirectory() as folder, _drawn(draws):
        study = et.tune(
            f"{MODEL}:build_model",
            "cifar10",
            recipe=et.Recipe().with_(changes),
            scheduler="hyperband",
            max_epochs=epochs,
            seed=seed,
            workers=workers,
            workspace=folder,
            progress=False,
            plots=False,
        )
        runs = et.Workspace(folder).runs
        trained = {trial.run: trial.network["macs"] for trial in study.trials if trial.run}
        work = sum(len(study.histories[run]) * macs for run, macs in trained.items())
        precisions = Counter(str(runs.get(run).precision) for run in trained)
        return SearchResult(study.best_value, work / WORK_UNIT, dict(precisions))


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
    parser.add_argument("--results", type=Path, help="file of the results, to resume")
    parser.add_argument("--subset", type=int, default=3000, help="number of images")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of the longest training")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--workers", type=int, default=2, help="workers of eyetune")
    parser.add_argument("--precision", default="", help="precision of eyetune (internal)")
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
        result = with_eyetune(*size, arguments.workers, arguments.precision, draws)
    print(json.dumps(asdict(result)))


def compare(arguments: argparse.Namespace) -> None:
    """Run all searches for each seed and print a table."""
    rows = []
    speedups: dict[str, list[float]] = {}
    accuracies: dict[str, list[float]] = {}
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        searches = _searches(arguments, seed)
        for name, (measurement, result) in searches.items():
            speedup = searches[KERAS_TUNER][0].seconds / measurement.seconds
            speedups.setdefault(name, []).append(speedup)
            accuracies.setdefault(name, []).append(result.best)
            precisions = ", ".join(f"{count} {kind}" for kind, count in result.precisions.items())
            times = [f"{measurement.seconds:.0f} s", f"{speedup:.2f}", f"{result.work:.2f}"]
            memory = f"{measurement.peak_megabytes:,.0f} MB"
            rows.append([str(seed), name, *times, f"{result.best:.2%}", memory, precisions])
    print(f"{machine()}, {arguments.workers} workers of eyetune\n")
    header = ["seed", "search", "time", "times faster", "work", "best", "memory", "trials"]
    print(markdown_table(header, rows))
    print()
    for name, values in speedups.items():
        times_faster = f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
        best = f"{statistics.mean(accuracies[name]):.2%}"
        print(f"{name}: times faster, median (range) {times_faster}; mean best {best}")


def measured_keras_tuner(path: Path | None, size: Result) -> tuple[Measurement, SearchResult]:
    """Return the measurement and the result of KerasTuner's search.

    Args:
        path: The file of the results; the search is run if it is not there.
        size: Number of images ("subset"), epochs of the longest training ("epochs") and "seed".
    """
    key = {"tuner": KERAS_TUNER, **size, **machine()}
    return _read(measured(path, key, lambda: _measure(["keras-tuner", *_flags(size)])))


def _flags(size: Result) -> list[str]:
    return [f"--{name}={value}" for name, value in size.items()]


def _searches(
    arguments: argparse.Namespace, seed: int
) -> dict[str, tuple[Measurement, SearchResult]]:
    """Return the measurement and the result of each search with a seed, by name."""
    size = {"subset": arguments.subset, "epochs": arguments.epochs, "seed": seed}
    reference = measured_keras_tuner(arguments.results, size)
    searches = {KERAS_TUNER: reference}
    for search in SEARCHES:
        draws = reference[1].draws if search.same_networks else []
        options = {**size, "workers": arguments.workers, "precision": search.precision}
        key = {"tuner": search.name, **options, **machine()}
        measure = partial(_measure_eyetune, _flags(options), draws)
        searches[search.name] = _read(measured(arguments.results, key, measure))
    return searches


def _measure_eyetune(options: list[str], draws: list[dict[str, Any]]) -> Result:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(draws, file)
        file.flush()
        return _measure(["eyetune", *options, "--draws", file.name])


def _measure(arguments: list[str]) -> Result:
    measurement = run_measured([sys.executable, __file__, *arguments])
    result = json.loads(measurement.output.strip().splitlines()[-1])
    cost = asdict(replace(measurement, output=""))
    return {"measurement": cost, "result": result, "commit": commit()}


def _read(result: Result) -> tuple[Measurement, SearchResult]:
    return Measurement(**result["measurement"]), SearchResult(**result["result"])


if __name__ == "__main__":
    main()
