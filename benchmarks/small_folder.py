"""Accuracy of `eyetune deploy` on a small folder of photos, by version of eyetune.

    git worktree add ../before COMMIT
    python benchmarks/make_pretrained.py resnet8 --classes 0,1,2,3,4 --output half.npz
    EYETUNE_DATA=FOLDER python benchmarks/small_folder.py --results small.jsonl \
        --label before --source-tree ../before
    EYETUNE_DATA=FOLDER python benchmarks/small_folder.py --results small.jsonl \
        --label after --options "--model resnet8 --set model.initial_weights=half.npz"

The folder holds five classes of CIFAR-10 with 100 photos each to train and validate with, cut from
its training images, and 200 photos each to test with, cut from its test images. Each seed cuts
other photos, the same for each version. A backbone must be pre-trained on the other five classes.

An interrupted deployment is resumed by the next invocation, and a complete one is skipped. The
table compares the versions in the file with the first one, seed by seed.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import statistics
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from deployments import (
    CommandError,
    conditions,
    deploy,
    end_commands_with_this_process,
    workspace_beside,
)
from eyetune.data import Split, load
from recorded import SOURCE_TREE, Result, markdown_table, measured, read_results

BOARD = "esp-eye"
PHOTO_CLASSES = "5,6,7,8,9"
TARGET_GAIN = 0.08
CONFIDENCE = 0.95


def _deploy_start(photos: Path, recipe: Path | None, options: str) -> list[str]:
    """Return what `eyetune deploy` starts from: the one place where a backbone is named.

    A recipe names it by `model.initial_weights`; the options may do so by `--set`.
    """
    start = [] if recipe is None else [str(recipe)]
    return [*start, "--data", str(photos), *shlex.split(options)]


def cut_photos(
    folder: Path, classes: Sequence[int], num_train: int, num_test: int, seed: int
) -> Path:
    """Write photos of some classes of CIFAR-10 into a folder, unless it is there.

    Args:
        folder: The folder, with train/CLASS and test/CLASS in it.
        classes: Classes of CIFAR-10, 0 to 9.
        num_train: Photos of each class from the training images.
        num_test: Photos of each class from the test images.
        seed: Decides which photos.
    """
    if folder.exists():
        return folder
    dataset = load("cifar10")
    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    for name, split, count in (
        ("train", dataset.train, num_train),
        ("test", dataset.test, num_test),
    ):
        for label in classes:
            target = draft / name / dataset.class_names[label]
            target.mkdir(parents=True)
            for index in _drawn(split, label, count, seed):
                Image.fromarray(split.images[index]).save(target / f"{index:05}.png")
    return draft.rename(folder)


def _drawn(split: Split, label: int, count: int, seed: int) -> list[int]:
    """Return the indices of some images of a class."""
    indices = np.flatnonzero(split.labels == label)
    chosen = np.random.default_rng([seed, label]).choice(indices, count, replace=False)
    return [int(index) for index in chosen]


def measure(arguments: argparse.Namespace) -> None:
    """Deploy with each seed that is not in the file of results.

    A deployment that fails is reported, and the others are made.
    """
    failures = []
    for seed in range(arguments.seeds):
        key = {
            "label": arguments.label,
            "seed": seed,
            "classes": arguments.classes,
            "num_train": arguments.train,
            "num_test": arguments.test,
            "time": arguments.time,
        }
        try:
            measured(arguments.results, key, partial(_deployed, arguments, seed))
        except CommandError as error:
            failures.append(f"{arguments.label}, seed {seed}: {error}")
            print(failures[-1], file=sys.stderr, flush=True)
    if failures:
        raise SystemExit("\n".join(failures))


def _deployed(arguments: argparse.Namespace, seed: int) -> Result:
    """Deploy on the photos of a seed and return the outcome."""
    settings = f"{arguments.classes}-{arguments.train}-{arguments.test}-seed {seed}"
    photos = cut_photos(
        workspace_beside(arguments.results, "photos", settings),
        [int(label) for label in arguments.classes.split(",")],
        arguments.train,
        arguments.test,
        seed,
    )
    before = conditions(arguments.source_tree)
    command = ["--board", BOARD, "--time", arguments.time, "--seed", str(seed)]
    start = _deploy_start(photos, arguments.recipe, arguments.options)
    workspace = workspace_beside(arguments.results, arguments.label, arguments.time, settings)
    outcome = deploy(command, start, workspace, source_tree=arguments.source_tree)
    return {**before, "options": arguments.options, "recipe_file": str(arguments.recipe), **outcome}


def table(results: Sequence[Result]) -> str:
    """Return a table with a row per version, and how each compares with the first."""
    groups: dict[str, dict[int, Result]] = {}
    for result in results:
        groups.setdefault(result["label"], {})[result["seed"]] = result
    header = ["version", "commit", "seeds", "int8 accuracy", "mean", "test photos", "seconds"]
    header += ["model bytes", "ResNet-8 epoch"]
    lines = [markdown_table(header, (_cells(label, group) for label, group in groups.items()))]
    labels = list(groups)
    for label in labels[1:]:
        lines += ["", f"{label}: {_comparison(groups[labels[0]], groups[label], labels[0])}"]
    machines = {
        f"{result['cpu']}, {result['cores']} cores, TensorFlow {result['tensorflow']}"
        for result in results
    }
    return "\n".join([*lines, "", *sorted(machines)])


def _cells(label: str, group: dict[int, Result]) -> list[str]:
    rows = list(group.values())
    accuracies = [row["int8_accuracy"] for row in rows]
    return [
        label,
        ", ".join(dict.fromkeys(row["commit"] for row in rows)),
        ", ".join(map(str, group)),
        ", ".join(f"{accuracy:.1%}" for accuracy in accuracies),
        f"{statistics.fmean(accuracies):.1%}",
        ", ".join(dict.fromkeys(f"{row['num_test_images']:,}" for row in rows)),
        ", ".join(f"{row['seconds']:,.0f}" for row in rows),
        ", ".join(f"{row['model_bytes']:,}" for row in rows),
        ", ".join(f"{row['resnet8_epoch_seconds']:.1f} s" for row in rows),
    ]


def _comparison(before: dict[int, Result], after: dict[int, Result], reference: str) -> str:
    """Return the mean difference over the common seeds, with Student's interval for pairs."""
    from scipy.stats import t

    gains = [
        after[seed]["int8_accuracy"] - before[seed]["int8_accuracy"]
        for seed in sorted(before.keys() & after.keys())
    ]
    if not gains:
        return f"no seed in common with {reference}"
    mean = statistics.fmean(gains)
    text = f"{100 * mean:+.1f} points compared with {reference}"
    if len(gains) > 1:
        factor = t.ppf((1 + CONFIDENCE) / 2, len(gains) - 1)
        half = factor * statistics.stdev(gains) / len(gains) ** 0.5
        interval = f"{100 * (mean - half):+.1f} to {100 * (mean + half):+.1f}"
        text += f" ({CONFIDENCE:.0%} interval over {len(gains)} seeds {interval})"
    met = "met" if mean >= TARGET_GAIN else "not met"
    return f"{text}; the bar of {100 * TARGET_GAIN:+.0f} points is {met}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--results", type=Path, required=True, help="file of results; what is in it is skipped"
    )
    parser.add_argument("--label", default="after", help="name of the version (after)")
    parser.add_argument(
        "--source-tree", type=Path, default=SOURCE_TREE, help="checkout of eyetune (this one)"
    )
    parser.add_argument("--recipe", type=Path, help="recipe (.toml) that deploy starts from")
    parser.add_argument("--options", default="", help="more options of deploy, as one text")
    parser.add_argument("--time", default="4m", help="time of each deployment (4m)")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (3)")
    parser.add_argument(
        "--classes",
        default=PHOTO_CLASSES,
        help=f"classes of CIFAR-10, separated by commas ({PHOTO_CLASSES})",
    )
    parser.add_argument("--train", type=int, default=100, help="photos of a class to train (100)")
    parser.add_argument("--test", type=int, default=200, help="photos of a class to test (200)")
    parser.add_argument("--table", action="store_true", help="only print the table of the file")
    arguments = parser.parse_args()
    end_commands_with_this_process()
    if not arguments.table:
        measure(arguments)
    print(table(read_results(arguments.results)))


if __name__ == "__main__":
    main()
