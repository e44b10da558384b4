"""The frontier: what accuracy int8 networks reach for what they take of a board, beside the two of
MLPerf Tiny.

    EYETUNE_DATA=FOLDER python benchmarks/frontier.py               # the short version: few epochs,
    fewer images EYETUNE_DATA=FOLDER python benchmarks/frontier.py --full        # all images, 100
    epochs: hours on an accelerator

Each network is trained on CIFAR-10 with flips, shifts and a cosine rate, exported for an ESP-EYE
and verified: the accuracy is that of the int8 network on test images in TensorFlow Lite Micro, and
the arena is what that used. Nothing is chosen on test images: every network of the ladder is in the
table.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Measured with TensorFlow Lite Micro on the files of https://github.com/mlcommons/tiny; the accuracies are MLPerf's.
REFERENCES = (
    ("MLPerf Tiny ResNet-8", 0.8697, 98_496, 55_984, 12.5),
    ("MLPerf Tiny large ResNet", 0.9131, 512_024, 133_744, 76.5),
)
LADDER: dict[str, dict[str, Any]] = {
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
class Point:
    """A network on the frontier."""

    name: str
    float_accuracy: float
    int8_accuracy: float
    flash_bytes: int
    arena_bytes: int
    macs: int
    latency: str
    seconds: float


def measure(name: str, subset: int, epochs: int, num_images: int | None) -> Point:
    """Train, export and verify a network."""
    import eyetune as et

    lengths = {
        "data.subset": subset,
        "fit.epochs": epochs,
        "optimizer.warmup_epochs": int(epochs > 1),
    }
    recipe = et.Recipe().with_(LADDER[name]).with_({**TRAINING, **lengths})
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = et.train(recipe, workspace=folder, progress=False, plots=False)
        exported = et.export(run, Path(folder) / "export", formats=["c"], progress=False)
        proof = et.verify(exported.folder, num_images=num_images, workspace=folder, progress=False)
    assert proof.passed, proof.failures
    known = exported.manifest
    return Point(
        name,
        proof.float_accuracy or 0.0,
        proof.int8_accuracy,
        known.flash_bytes,
        proof.arena.bytes if proof.arena else known.arena_bytes,
        known.macs,
        f"{known.latency_ms:,.0f} ± {known.latency_error_ms:,.0f} ms",
        time.perf_counter() - began,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="all images and 100 epochs")
    parser.add_argument("--subset", type=int, default=10_000, help="images of the short version")
    parser.add_argument("--epochs", type=int, default=5, help="epochs of the short version")
    parser.add_argument("--images", type=int, default=1000, help="test images of the short version")
    parser.add_argument("--only", nargs="*", choices=list(LADDER), help="some of the ladder")
    arguments = parser.parse_args()
    subset, epochs, images = arguments.subset, arguments.epochs, arguments.images
    if arguments.full:
        subset, epochs, images = 0, 100, None
    else:
        print(
            f"The short version: {subset:,} images, {epochs} epochs, {images:,} test images. Networks that are trained"
        )
        print("to the end, which --full does, reach far more.\n")
    print(
        "| network | float | int8 | .tflite bytes | arena | M multiply-adds | ESP-EYE, predicted | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, accuracy, flash, arena, millions in REFERENCES:
        print(
            f"| {name} (published) | | {accuracy:.2%} | {flash:,} | {arena:,} | {millions:.1f} | | |"
        )
    for name in arguments.only or LADDER:
        point = measure(name, subset, epochs, images)
        print(
            f"| {point.name} | {point.float_accuracy:.2%} | {point.int8_accuracy:.2%} | {point.flash_bytes:,} | "
            f"{point.arena_bytes:,} | {point.macs / 1e6:.1f} | {point.latency} | {point.seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
