"""Sizes of .tflite files as TensorFlow's converter writes them, and as eyetune does.

    python benchmarks/compact_files.py

Each network has random weights and is converted with random images, in some seconds. The table
shows whether both files give the same scores in TensorFlow Lite Micro and in LiteRT's reference
kernels, and the processor time per image of LiteRT's default kernels, in milliseconds.
"""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np

from eyetune.device.export import tflm
from eyetune.device.export.compact_file import compact
from eyetune.device.export.litert import LiteRTInterpreter, litert_scores
from eyetune.device.export.quantize import quantize
from eyetune.models.build import build
from eyetune.recipe import Recipe

NETWORKS: dict[str, dict[str, Any]] = {
    "lab": {"model": "lab"},
    "resnet14": {"model": "resnet14"},
    "resnet8": {"model": "resnet8"},
    "mobilenet2 x 0.5": {"model": "mobilenet2", "model.width": 0.5},
    "mobilenet x 0.25": {"model": "mobilenet", "model.width": 0.25},
}
NUM_CALIBRATION_IMAGES = 20
NUM_TIMED_RUNS = 20


def network(values: dict[str, Any]) -> keras.Model:
    """Return a network with random weights, none of which are all equal as before a training."""
    keras.utils.set_random_seed(0)
    model = build(Recipe().with_(values).model, (32, 32, 3), 10)
    random = np.random.default_rng(0)
    weights = model.get_weights()
    model.set_weights([weight + random.uniform(0, 0.01, weight.shape) for weight in weights])
    return model


def milliseconds(content: bytes, images: Any) -> float:
    """Return the processor time per image of LiteRT's default kernels."""
    interpreter = LiteRTInterpreter(content, reference=False)
    interpreter.scores(images)
    start = time.process_time()
    for _ in range(NUM_TIMED_RUNS):
        interpreter.scores(images)
    return 1000 * (time.process_time() - start) / NUM_TIMED_RUNS / len(images)


def computes_the_same(first: bytes, second: bytes, images: Any) -> bool:
    """Return whether two files give the same scores in both interpreters."""
    scores = [litert_scores(content, images) for content in (first, second)]
    if tflm.is_available():
        micro = [tflm.MicroInterpreter(content).scores(images) for content in (first, second)]
        return np.array_equal(scores[0], scores[1]) and np.array_equal(micro[0], micro[1])
    return np.array_equal(scores[0], scores[1])


def main() -> None:
    images = np.random.default_rng(0).integers(
        0, 256, (NUM_CALIBRATION_IMAGES, 32, 32, 3), np.uint8
    )
    rows = []
    for name, values in NETWORKS.items():
        content = quantize(network(values), images, with_names=True)
        smaller = compact(content)
        sizes = f"| {len(content):,} | {len(smaller):,} | {len(smaller) / len(content) - 1:+.0%} "
        same = "yes" if computes_the_same(content, smaller, images) else "no"
        times = f"| {milliseconds(content, images):.2f} | {milliseconds(smaller, images):.2f} |"
        rows.append(f"| {name} {sizes}| {same} {times}")
    print("| network | bytes as converted | compact | change | same scores | ms before | after |")
    print("|---|---|---|---|---|---|---|")
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()
