"""Time until a search of eyetune is as good as KerasTuner's Hyperband is at its end.

    EYETUNE_DATA=FOLDER python benchmarks/time_to_quality.py --results FILE

KerasTuner searches the model function of the exercise as in tuner_vs_keras_tuner.py: Hyperband with
max_epochs 10 and factor 3 and early stopping. Its time and its best validation accuracy at its end
are the reference. eyetune then searches the same model function with the same seed and images, in a
process of its own with two workers and precision auto. It ends when it is as good as the reference,
or when the time of the reference has passed.

Both are measured on the same validation images, and both take the best of all epochs that they
trained, so both gain from the noise of that choice; eyetune stops at the first epoch that is good
enough, KerasTuner has trained all of its epochs. An epoch of eyetune counts when it is recorded.
The start of Python and Keras is included for both.

Prints for each seed when KerasTuner first had its best accuracy ("first after"), when eyetune was
as good, and the ratio of this time to that of KerasTuner's whole search; then the median ratio with
an interval. A search that was not as good in time counts as infinitely long. Results are appended
to the file, and what is in it is not measured again. Target: a median of at most a third.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from eyetune.values.history import Epoch
from measuring import Improvements, note_improvement, run_measured
from recorded import Result, commit, machine, markdown_table, measured
from tuner_vs_keras_tuner import MODEL, PATIENCE, measured_keras_tuner

TARGET = 1 / 3  # of KerasTuner's time
CONFIDENCE = 0.9
ROUNDING = 1e-6  # of an accuracy in float32, far less than a validation image


@dataclass(frozen=True)
class Options:
    """Settings of eyetune's search.

    Attributes:
        workers: Number of workers.
        precision: Value of fit.precision; "" leaves the arithmetic to the model function.
        max_epochs: Epochs of the longest training.
        patience: Epochs without a better validation loss after which a training ends; 0 for never.
        scheduler: Scheduler of the trials; "" for the default.
        sampler: Sampler; "" for the default.
    """

    workers: int
    precision: str
    max_epochs: int
    patience: int
    scheduler: str
    sampler: str


def search(size: Result, options: Options, target: float, seconds: float) -> Improvements:
    """Search with eyetune in a temporary workspace until a target or a time is reached.

    Args:
        size: Number of images, epochs of the longest training, and seed.
        options: Settings of the search.
        target: Validation accuracy that is good enough.
        seconds: Wall time of the search.

    Returns:
        When its best validation accuracy became better.
    """
    import eyetune as et
    from eyetune.records.run_store import RunStore

    improvements: Improvements = []
    save_epochs = RunStore.save_epochs

    def save(store: RunStore, run: str, history: Sequence[Epoch]) -> None:
        save_epochs(store, run, history)
        for epoch in history:
            note_improvement(improvements, epoch.value("val_accuracy"))

    changes: dict[str, Any] = {
        "data.subset": size["subset"],
        "fit.early_stopping": options.patience,
    }
    if options.precision:
        changes["fit.precision"] = options.precision
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(RunStore, "save_epochs", save):
        et.tune(
            f"{MODEL}:build_model",
            "cifar10",
            recipe=et.Recipe().with_(changes),
            scheduler=options.scheduler or None,
            sampler=options.sampler or None,
            max_epochs=options.max_epochs,
            seed=size["seed"],
            seconds=seconds,
            target=target - ROUNDING,
            workers=options.workers,
            workspace=folder,
            progress=False,
            plots=False,
        )
    return improvements


def seconds_until(improvements: Sequence[Sequence[float]], target: float) -> float:
    """Return when a search was as good as a target; infinity if it was not.

    Args:
        improvements: Pairs of seconds and best accuracy so far.
        target: Accuracy that is good enough.
    """
    times = (when for when, best in improvements if best >= target - ROUNDING)
    return min(times, default=math.inf)


def interval_of_median(values: Sequence[float]) -> tuple[float, float, float]:
    """Return an interval for the median, from two of the sorted values, and its confidence.

    The interval is the narrowest symmetric one with at least `CONFIDENCE`, or the range. It needs
    no assumption about the distribution.

    Source:
        David and Nagaraja, Order Statistics, 3rd edition, section 7.1.
    """
    ordered, count = sorted(values), len(values)
    lower = 0
    while lower + 1 < (count + 1) // 2 and _coverage(lower + 1, count) >= CONFIDENCE:
        lower += 1
    return ordered[lower], ordered[-1 - lower], _coverage(lower, count)


def _coverage(lower: int, count: int) -> float:
    """Return the probability that the median is between two of the sorted values."""
    outside = sum(math.comb(count, position) for position in range(lower + 1))
    return 1.0 - 2.0 * outside / 2.0**count


def compare(path: Path | None, sizes: Sequence[Result], options: Options) -> None:
    """Search with both tuners for each seed, and print a table."""
    rows, ratios = [], []
    for size in sizes:
        measurement, reference = measured_keras_tuner(path, size)
        target, limit = reference.best, measurement.seconds
        ours = _measured(path, size, options, {"target": target, "limit": limit})
        first = seconds_until(reference.improvements, target)
        reached = seconds_until(ours["improvements"], target)
        if reached > limit:  # a training that began in time
            reached = math.inf
        ratios.append(reached / limit)
        best = max((best for _, best in ours["improvements"]), default=0.0)
        rows.append(
            [
                str(size["seed"]),
                f"{limit:.0f} s",
                f"{target:.2%}",
                f"{first:.0f} s",
                f"{reached:.0f} s" if reached < math.inf else "not reached",
                f"{best:.2%}",
                f"{ratios[-1]:.2f}" if reached < math.inf else "more than 1",
            ]
        )
    print(f"{machine()}; eyetune: {options}\n")
    header = ["seed", "KerasTuner", "best", "first after", "eyetune as good after"]
    header += ["best of eyetune", "ratio"]
    print(markdown_table(header, rows))
    low, high, confidence = interval_of_median(ratios)
    print(
        f"\nmedian ratio {statistics.median(ratios):.2f}, {confidence:.1%} interval {low:.2f} to "
        f"{high:.2f}; target at most {TARGET:.2f}; not as good in KerasTuner's time: "
        f"{sum(ratio == math.inf for ratio in ratios)} of {len(ratios)}"
    )


def _measured(path: Path | None, size: Result, options: Options, limits: Result) -> Result:
    """Return the result of eyetune's search, measured if it is not in the file."""
    settings = {**size, **asdict(options), **limits}

    def measure() -> Result:
        measurement = run_measured([sys.executable, __file__, "eyetune", *_flags(settings)])
        improvements = json.loads(measurement.output.strip().splitlines()[-1])
        return {"seconds": measurement.seconds, "improvements": improvements, "commit": commit()}

    return measured(path, {"tuner": "eyetune until as good", **settings, **machine()}, measure)


def _flags(values: Result) -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tuner", nargs="?", choices=["eyetune"], help="only eyetune (internal)")
    parser.add_argument("--results", type=Path, help="file of the results, to resume")
    parser.add_argument("--subset", type=int, default=3000, help="number of images")
    parser.add_argument(
        "--epochs", type=int, default=10, help="epochs of KerasTuner's longest training"
    )
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=8, help="number of seeds")
    parser.add_argument("--workers", type=int, default=2, help="workers of eyetune")
    parser.add_argument(
        "--precision",
        default="measured",  # as `eyetune tune --precision auto`
        help='fit.precision of eyetune ("": as the model function asks)',
    )
    parser.add_argument(
        "--max-epochs", type=int, default=10, help="epochs of eyetune's longest training"
    )
    parser.add_argument(
        "--patience", type=int, default=PATIENCE, help="early stopping of eyetune (0: none)"
    )
    parser.add_argument("--scheduler", default="hyperband", help='scheduler of eyetune ("": full)')
    parser.add_argument("--sampler", default="", help='sampler of eyetune ("": its default)')
    parser.add_argument("--target", type=float, default=1.0, help="good enough (internal)")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds (internal)")
    arguments = parser.parse_args()
    options = Options(
        arguments.workers,
        arguments.precision,
        arguments.max_epochs,
        arguments.patience,
        arguments.scheduler,
        arguments.sampler,
    )
    sizes = [
        {"subset": arguments.subset, "epochs": arguments.epochs, "seed": seed}
        for seed in range(arguments.seed, arguments.seed + arguments.seeds)
    ]
    if arguments.tuner is None:
        compare(arguments.results, sizes, options)
        return
    print(json.dumps(search(sizes[0], options, arguments.target, arguments.limit)))


if __name__ == "__main__":
    main()
