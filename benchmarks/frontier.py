"""Accuracy of int8 networks by flash and arena bytes, compared with two networks of MLPerf Tiny.

    # Short version: few epochs, fewer images
    EYETUNE_DATA=FOLDER python benchmarks/frontier.py
    # All images, 100 epochs: hours on a GPU
    EYETUNE_DATA=FOLDER python benchmarks/frontier.py --full

Each network is trained on CIFAR-10 with flip, shift and a cosine schedule, exported for an ESP-EYE
and verified: the accuracy is that of the int8 network on test images in TensorFlow Lite Micro, and
the arena is the measured one. The table shows every network, so nothing is chosen on test images.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Accuracies as published by MLPerf; the rest measured with TensorFlow Lite Micro on the files of
# https://github.com/mlcommons/tiny.
REFERENCES = (
    ("MLPerf Tiny ResNet-8", 0.8697, 98_496, 55_984, 12.5),
    ("MLPerf Tiny large ResNet", 0.9131, 512_024, 133_744, 76.5),
)
NETWORKS: dict[str, dict[str, Any]] = {
    "lab": {"model": "lab"},
    "lab, batch norm, global pooling": {
        "model": "lab",
        "model.batch_norm": True,
        "model.global_pooling": True,
    },
    "resnet8 x 0.5": {"model": "resnet8", "model.width": 0.5},
    "resnet8": {"model": "resnet8"},
    "mobilenet x 0.5": {"model": "mobilenet", "model.width": 0.5},
    "resnet8 x 1.5": {"model": "resnet8", "model.width": 1.5},
    "resnet20": {"model": "resnet20"},
}
TRAINING = {
    "augment.flip": True,
    "augment.shift": 4,
    "optimizer.schedule": "cosine",
    "optimizer.learning_rate": 3e-3,
    "fit.batch_size": 64,
}


@dataclass(frozen=True)
class Result:
    """The accuracy and the cost of a network."""

    name: str
    float_accuracy: float
    int8_accuracy: float
    flash_bytes: int
    arena_bytes: int
    macs: int
    latency: str
    seconds: float


def measure(name: str, subset: int, epochs: int, num_images: int | None) -> Result:
    """Train, export and verify a network."""
    import eyetune as et

    duration = {
        "data.subset": subset,
        "fit.epochs": epochs,
        "optimizer.warmup_epochs": int(epochs > 1),
    }
    recipe = et.Recipe().with_(NETWORKS[name]).with_({**TRAINING, **duration})
    started_at = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = et.train(recipe, workspace=folder, progress=False, plots=False)
        exported = et.export(run, Path(folder) / "export", formats=["c"], progress=False)
        proof = et.verify(exported.folder, num_images=num_images, workspace=folder, progress=False)
    assert proof.passed, proof.failures
    manifest = exported.manifest
    return Result(
        name,
        proof.float_accuracy or 0.0,
        proof.int8_accuracy,
        manifest.flash_bytes,
        proof.arena.bytes if proof.arena else manifest.arena_bytes,
        manifest.macs,
        f"{manifest.latency_ms:,.0f} ± {manifest.latency_error_ms:,.0f} ms",
        time.perf_counter() - started_at,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="all images and 100 epochs")
    parser.add_argument(
        "--subset", type=int, default=10_000, help="number of images of the short version"
    )
    parser.add_argument(
        "--epochs", type=int, default=5, help="number of epochs of the short version"
    )
    parser.add_argument(
        "--images", type=int, default=1000, help="number of test images of the short version"
    )
    parser.add_argument("--only", nargs="*", choices=list(NETWORKS), help="only these networks")
    arguments = parser.parse_args()
    subset, epochs, images = arguments.subset, arguments.epochs, arguments.images
    if arguments.full:
        subset, epochs, images = 0, 100, None
    else:
        print(f"Short version: {subset:,} images, {epochs} epochs, {images:,} test images.")
        print("Networks reach a much higher accuracy with --full.\n")
    header = ("network", "float", "int8", ".tflite bytes", "arena bytes", "million MACs")
    print_row(*header, "ESP-EYE, predicted", "seconds")
    print_row(*["---"] * 8)
    for name, accuracy, flash, arena, millions in REFERENCES:
        costs = (f"{flash:,}", f"{arena:,}", f"{millions:.1f}")
        print_row(f"{name} (published)", "", f"{accuracy:.2%}", *costs, "", "")
    for name in arguments.only or NETWORKS:
        result = measure(name, subset, epochs, images)
        print_row(
            result.name,
            f"{result.float_accuracy:.2%}",
            f"{result.int8_accuracy:.2%}",
            f"{result.flash_bytes:,}",
            f"{result.arena_bytes:,}",
            f"{result.macs / 1e6:.1f}",
            result.latency,
            f"{result.seconds:.0f}",
        )


def print_row(*cells: str) -> None:
    """Print a row of a Markdown table."""
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
