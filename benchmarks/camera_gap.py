"""What training with the look of a camera gains on pictures of a simulated camera.

    EYETUNE_DATA=FOLDER python benchmarks/camera_gap.py --results camera_gap.jsonl
    python benchmarks/camera_gap.py --images 4000 --epochs 6 --seeds 1    # a first impression

For each seed, a network is trained on CIFAR-10 with `data.camera` as "none" and as "ov2640". Both
are evaluated on the test images, and on the same images through `simulated_camera`, which shares no
code and no numbers with the training. Bar: on the simulated camera the look gains at least 5
points, and on clean images it costs at most half a point, on average over the seeds.

Started again with the same file after an interruption, it resumes the training that was
interrupted, and skips the results in the file. With --gap it also writes some of the simulated
pictures into a folder and prints the command that looks for the causes of the gap.
"""

from __future__ import annotations

import argparse
import statistics
import time
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

import eyetune as et
from eyetune.data import Dataset, Split
from eyetune.recipe import CAMERA_SHARE
from eyetune.records import Workspace
from eyetune.training.evaluate import probabilities
from recorded import Result, commit, machine, markdown_table, measured
from simulated_camera import photographs
from trainings import complete_run

CAMERAS = ("none", "ov2640")
MIN_GAIN, MAX_LOSS = 0.05, 0.005
SEED_OF_PICTURES = 2640


def recipe_of(model: str, images: int, epochs: int, camera: str, share: float) -> et.Recipe:
    """Return the recipe of a training: the same but for the camera.

    Args:
        model: Name of a known network.
        images: Number of training images, 0 for all.
        epochs: Number of epochs.
        camera: The camera whose look images get.
        share: Share of the images that get it.
    """
    edits = {
        "model": model,
        "data.source": "cifar10",
        "data.subset": images,
        "data.camera": camera,
        "data.camera_share": CAMERA_SHARE if camera == "none" else share,
        "augment.flip": True,
        "augment.shift": 4,
        "optimizer.learning_rate": 0.002,
        "optimizer.schedule": "cosine",
        "fit.batch_size": 128,
        "fit.epochs": epochs,
    }
    return et.Recipe().with_(edits)


def measure(
    workspace: Workspace, recipe: et.Recipe, dataset: Dataset, taken: Split, split: str, seed: int
) -> Result:
    """Train once, and return both accuracies and the time of the training."""
    start = time.perf_counter()
    run = complete_run(workspace, recipe, dataset, seed)
    seconds = time.perf_counter() - start
    network = run.classifier()
    right = {
        name: float((probabilities(network, images).argmax(axis=1) == images.labels).mean())
        for name, images in (("clean", dataset.split(split)), ("taken", taken))
    }
    return {**right, "run": run.id, "seconds": seconds}


def write_folder(taken: Split, names: tuple[str, ...], folder: Path, count: int) -> None:
    """Write the first simulated pictures into a folder by class."""
    pairs = zip(taken.images[:count], taken.labels[:count], strict=True)
    for number, (picture, label) in enumerate(pairs):
        path = folder / names[label] / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(picture)).save(path)


def report(results: list[Result]) -> None:
    """Print accuracies by training, and whether the bar is reached."""
    by_camera = {
        camera: [result for result in results if result["camera"] == camera] for camera in CAMERAS
    }
    rows = []
    for camera, found in by_camera.items():
        cells = [_cell([result[name] for result in found]) for name in ("clean", "taken")]
        seconds = statistics.mean(result["seconds"] for result in found)
        rows.append((camera, *cells, f"{seconds:.0f} s"))
    print(markdown_table(("data.camera", "clean", "simulated camera", "time"), rows))
    gains = {
        name: [
            with_look[name] - without[name]
            for without, with_look in zip(*by_camera.values(), strict=True)
        ]
        for name in ("clean", "taken")
    }
    for name, title in (("clean", "clean images"), ("taken", "the simulated camera")):
        each = ", ".join(f"{100 * gain:+.2f}" for gain in gains[name])
        print(f"{title}: {100 * statistics.mean(gains[name]):+.2f} points ({each} by seed)")
    passed = statistics.mean(gains["taken"]) >= MIN_GAIN
    passed &= statistics.mean(gains["clean"]) >= -MAX_LOSS
    print(f"bar (gain of 5 points, loss of half a point at most): {'PASS' if passed else 'FAIL'}")


def _cell(values: list[float]) -> str:
    spread = f" +- {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2%}{spread}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, help="file of the results")
    parser.add_argument("--workspace", type=Path, default=Path("camera-gap-workspace"))
    parser.add_argument("--model", default="resnet8")
    parser.add_argument("--images", type=int, default=0, help="training images, 0: all")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--share", type=float, default=CAMERA_SHARE, help="data.camera_share")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--gap", type=Path, help="folder for simulated pictures by class")
    arguments = parser.parse_args()
    dataset = et.load("cifar10", subset=arguments.images)
    clean = dataset.split(arguments.split)
    taken = Split(photographs(np.asarray(clean.images), SEED_OF_PICTURES), clean.labels)
    if arguments.gap:
        write_folder(taken, dataset.class_names, arguments.gap, count=1000)
    workspace = Workspace(arguments.workspace)
    results = []
    for seed in range(arguments.seeds):
        for camera in CAMERAS:
            recipe = recipe_of(
                arguments.model, arguments.images, arguments.epochs, camera, arguments.share
            )
            key = {
                "commit": commit(),
                "machine": machine(),
                "recipe": recipe.fingerprint,
                "camera": camera,
                "split": arguments.split,
                "seed": seed,
            }
            run = partial(measure, workspace, recipe, dataset, taken, arguments.split, seed)
            results.append(measured(arguments.results, key, run))
            print(f"seed {seed}, {camera}: {results[-1]}", flush=True)
    report(results)
    if arguments.gap:
        found = results[0]["run"]
        print(f"eyetune gap {found} --camera-data {arguments.gap} --split {arguments.split}")


if __name__ == "__main__":
    main()
