"""Speed of one training: eyetune and plain Keras `fit` with the same network and images.

    EYETUNE_DATA=FOLDER python benchmarks/train_throughput.py --results FILE

Four networks are trained on the same images of CIFAR-10, and validated after each epoch: the lab's
network, ResNet-8, MobileNet and MobileNetV2 (inverted bottlenecks). Plain Keras trains them with
`fit` on float arrays in memory, eyetune in float32, in bfloat16 and with precision auto. Each
measurement has a process of its own with a fixed number of threads. The variants alternate, so that
other load on the machine affects all of them. The first epoch of a process, which includes
compilation, does not count. The speed is that of the median epoch, with validation and, for
eyetune, the checkpoint. The ratio is computed per round.

Each round also measures the peak of the machine: products of large matrices in float32 and
bfloat16. A training computes 2 operations for each multiply-accumulate (MAC) of the network, three
times for a training image (forward, gradients of activations, gradients of weights) and once for a
validation image. The share of the peak compares this with products in the precision of the variant.

Results are appended to the file, and what is in it is not measured again. The table is printed from
it. Targets for ResNet-8 at batch size 128: at least 1.3 times plain Keras in float32, and at least
1.9 times with precision auto where bfloat16 is faster.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from eyetune.data import Dataset, load
from eyetune.recipe import Recipe
from eyetune.tuning.executors.machine import usable_cores
from measuring import run_measured
from recorded import Result, commit, machine, markdown_table, measured

PLAIN = "plain Keras"
PRECISIONS = {"eyetune float32": "float32", "eyetune bfloat16": "bfloat16", "eyetune auto": "auto"}
VARIANTS = (PLAIN, *PRECISIONS)
PEAK_PRECISIONS = ("float32", "bfloat16")
PEAK_SIDE = 2048  # of the square matrices
PEAK_PRODUCTS = 8  # in a measurement
PEAK_REPEATS = 5
RECIPE_EPOCHS = 100  # precision auto measures nothing for a short training
PASSES_OF_TRAINING = 3
OPERATIONS_OF_MAC = 2


# The last one consists of inverted bottlenecks.
NETWORKS = ("lab", "resnet8", "mobilenet", "mobilenet2")


@dataclass(frozen=True)
class Setting:
    """What a process trains.

    Attributes:
        network: Name in `NETWORKS`.
        batch_size: Images in each step.
        data: Source of the images.
        subset: Number of images of the source.
        epochs: Number of epochs; the first does not count.
        threads: Number of threads.
    """

    network: str
    batch_size: int
    data: str
    subset: int
    epochs: int
    threads: int

    def recipe(self, precision: str = "float32") -> Recipe:
        """Return the recipe of the training."""
        return Recipe.make(
            {
                "model": self.network,
                "fit": {
                    "batch_size": self.batch_size,
                    "epochs": RECIPE_EPOCHS,
                    "precision": precision,
                },
            }
        )


def plain_keras(setting: Setting) -> Result:
    """Train with Keras's `fit` on float arrays in memory."""
    import keras

    from eyetune.models import build
    from eyetune.models.structure import structure

    dataset = load(setting.data, subset=setting.subset)
    model = build.build(setting.recipe().model, dataset.image_shape, dataset.num_classes)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    ends = [time.perf_counter()]

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            ends.append(time.perf_counter())

    (x_train, y_train), validation, _ = dataset.arrays()
    model.fit(
        x_train,
        y_train,
        batch_size=setting.batch_size,
        epochs=setting.epochs,
        validation_data=tuple(validation),
        verbose=0,
        callbacks=[Clock()],
    )
    return _result(dataset, ends, structure(model).macs, "float32")


def eyetune(setting: Setting, precision: str) -> Result:
    """Train with eyetune, with a checkpoint after each epoch."""
    from eyetune.models.structure import structure
    from eyetune.training.fit import fit
    from eyetune.training.precision import choose_arithmetic
    from eyetune.training.prepared_network import prepare_network

    dataset = load(setting.data, subset=setting.subset)
    recipe = setting.recipe(precision)
    with tempfile.TemporaryDirectory() as folder:
        arithmetic = choose_arithmetic(recipe, dataset)
        prepared = prepare_network(recipe, dataset, seed=0, arithmetic=arithmetic)
        macs = structure(prepared.model).macs
        ends = [time.perf_counter()]
        fit(
            prepared,
            Path(folder),
            stop_after=setting.epochs,
            on_epoch=lambda _: ends.append(time.perf_counter()),
        )
    return _result(dataset, ends, macs, arithmetic.precision)


def _result(dataset: Dataset, ends: Sequence[float], macs: int, precision: str) -> Result:
    seconds = [end - start for start, end in pairwise(ends[1:])]
    images = len(dataset.train) * PASSES_OF_TRAINING + len(dataset.validation)
    return {
        "seconds": statistics.median(seconds),
        "training_images": len(dataset.train),
        "operations": OPERATIONS_OF_MAC * macs * images,
        "precision": precision,
    }


def peak() -> Result:
    """Return the operations per second of products of large matrices, by precision."""
    import tensorflow as tf

    operations = OPERATIONS_OF_MAC * PEAK_SIDE**3 * PEAK_PRODUCTS
    return {
        name: operations / min(_seconds_of_products(getattr(tf, name))) for name in PEAK_PRECISIONS
    }


def _seconds_of_products(dtype: Any) -> Iterator[float]:
    import tensorflow as tf

    # Divided by its side, so that the values neither grow nor vanish in the chain of products.
    left = tf.cast(tf.random.normal((PEAK_SIDE, PEAK_SIDE)) / PEAK_SIDE**0.5, dtype)

    @tf.function  # type: ignore[untyped-decorator]
    def multiply(right: Any) -> Any:
        for _ in range(PEAK_PRODUCTS):
            right = left @ right
        return right

    multiply(left).numpy()
    for _ in range(PEAK_REPEATS):
        started_at = time.perf_counter()
        multiply(left).numpy()
        yield time.perf_counter() - started_at


def memory(data: str) -> Result:
    """Run `eyetune train` for one epoch on all images; return its peak resident memory."""
    with tempfile.TemporaryDirectory() as workspace:
        arguments = ["train", "--data", data, "--epochs", "1", "--json", "--workspace", workspace]
        subprocess.run(
            [sys.executable, "-m", "eyetune", *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"megabytes": kilobytes / 1000}


def throughput(path: Path | None, settings: Sequence[Setting], rounds: int) -> None:
    """Measure all variants in each round, then print a table."""
    results: dict[tuple[Setting, str], list[Result]] = {}
    peaks: list[Result] = []
    for number in range(1, rounds + 1):
        peaks.append(_measured(path, number, "peak", settings[0]))
        for setting in settings:
            for variant in VARIANTS:
                result = _measured(path, number, variant, setting)
                results.setdefault((setting, variant), []).append(result)
    speeds = [
        f"{precision} {statistics.median(best[precision] for best in peaks) / 1e9:,.0f}"
        for precision in PEAK_PRECISIONS
    ]
    print(f"Products of matrices, 10^9 operations per second: {', '.join(speeds)}\n")
    header = ["network", "batch size", "variant", "images/s", "ratio", "range", "of the peak"]
    rows = []
    for (setting, variant), values in results.items():
        cells = _cells(variant, results[setting, PLAIN], values, peaks)
        rows.append([setting.network, str(setting.batch_size), *cells])
    print(markdown_table(header, rows))


def _cells(
    variant: str, plain: Sequence[Result], values: Sequence[Result], peaks: Sequence[Result]
) -> list[str]:
    pairs = zip(plain, values, strict=True)
    ratios = [reference["seconds"] / value["seconds"] for reference, value in pairs]
    pace = statistics.median(value["training_images"] / value["seconds"] for value in values)
    share = statistics.median(
        value["operations"] / value["seconds"] / best[value["precision"]]
        for value, best in zip(values, peaks, strict=True)
    )
    if variant == "eyetune auto":
        variant += f" ({', '.join(sorted({value['precision'] for value in values}))} here)"
    return [
        variant,
        f"{pace:,.0f}",
        f"{statistics.median(ratios):.2f}",
        f"{min(ratios):.2f} to {max(ratios):.2f}",
        f"{share:.0%}",
    ]


def _measured(path: Path | None, number: int, variant: str, setting: Setting) -> Result:
    """Return a measurement, made by a process of this script if it is not in the file."""
    key = {"round": number, "variant": variant, **_relevant(variant, setting), **machine()}

    def measure() -> Result:
        print(f"round {number}: {variant}, {setting.network}", file=sys.stderr)
        output = run_measured([sys.executable, __file__, variant, *_options(setting)]).output
        return {**json.loads(output.strip().splitlines()[-1]), "commit": commit()}

    return measured(path, key, measure)


def _relevant(variant: str, setting: Setting) -> Result:
    """Return the parts of a setting that a measurement depends on."""
    match variant:
        case "peak":
            return {"threads": setting.threads}
        case "memory":
            return {"data": setting.data}
        case _:
            return asdict(setting)


def _options(setting: Setting) -> list[str]:
    return [
        "--networks",
        setting.network,
        "--batch-sizes",
        str(setting.batch_size),
        "--data",
        setting.data,
        "--subset",
        str(setting.subset),
        "--epochs",
        str(setting.epochs),
        "--threads",
        str(setting.threads),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "variant",
        nargs="?",
        choices=[*VARIANTS, "peak", "memory"],
        help="only this measurement (internal)",
    )
    parser.add_argument("--results", type=Path, help="file of the results, to resume")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[128])
    parser.add_argument("--data", default="cifar10", help="a source of images")
    parser.add_argument("--subset", type=int, default=12_500, help="number of images")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds")
    parser.add_argument(
        "--epochs", type=int, default=4, help="epochs per process; the first does not count"
    )
    parser.add_argument("--threads", type=int, default=usable_cores(), help="threads per process")
    options = parser.parse_args()
    if options.epochs < 2:
        parser.error("--epochs must be at least 2, because the first epoch does not count.")
    settings = [
        Setting(network, batch_size, options.data, options.subset, options.epochs, options.threads)
        for network in options.networks
        for batch_size in options.batch_sizes
    ]
    if options.variant is not None:
        print(json.dumps(_measurement(options.variant, settings[0])))
        return
    print(f"{machine()}, {options.threads} threads in each process")
    print(f"{options.subset:,} images of {options.data}, a fifth of them for validation")
    throughput(options.results, settings, options.rounds)
    megabytes = _measured(options.results, 1, "memory", settings[0])["megabytes"]
    print(f"\nPeak memory of `eyetune train` on all of {options.data}: {megabytes:,.0f} MB")


def _measurement(variant: str, setting: Setting) -> Result:
    """Make one measurement in this process."""
    if variant == "memory":
        return memory(setting.data)
    from eyetune.training.backend import start_keras

    start_keras(setting.threads)
    if variant == "peak":
        return peak()
    if variant == PLAIN:
        return plain_keras(setting)
    return eyetune(setting, PRECISIONS[variant])


if __name__ == "__main__":
    main()
