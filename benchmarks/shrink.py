"""A network with half the MACs: made smaller by `eyetune shrink`, or trained from scratch.

    EYETUNE_DATA=FOLDER python benchmarks/shrink.py --results shrink.jsonl

For each seed, ResNet-8 is trained on part of CIFAR-10 and made smaller until half of its
multiply-accumulates are left. The same small network is then trained from random weights, with the
recipe of the large one: for as many epochs as the steps took together, and for as many as the large
network and the steps took together. The table shows the accuracy on test images, which decide
nothing, and the mean difference with its 95% interval (Student's t distribution of the differences
per seed).

Started again with the same file after an interruption, it resumes the training that was
interrupted, and skips the results in the file.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import eyetune as et
from eyetune.data import Dataset
from eyetune.records import Workspace
from recorded import Result, commit, machine, markdown_table, measured
from trainings import complete_run

MODEL = "resnet8"
SHARE = 0.5  # of the MACs
CONFIDENCE = 0.95
NETWORKS = ("shrunk", "scratch", "scratch_long")


def recipe_of(model: str, images: int, epochs: int) -> et.Recipe:
    """Return the recipe of the large network."""
    edits = {
        "model": model,
        "data.source": "cifar10",
        "data.subset": images,
        "augment.flip": True,
        "augment.shift": 4,
        "optimizer.learning_rate": 0.002,
        "optimizer.schedule": "cosine",
        "fit.batch_size": 128,
        "fit.epochs": epochs,
    }
    return et.Recipe().with_(edits)


def shrunk(
    workspace: Workspace, parent: et.Run, dataset: Dataset, epochs: int, seed: int
) -> et.Shrunk:
    """Return the smaller network of a run: that of an earlier invocation, resumed if necessary."""
    name = f"{parent.record.name}-half"
    for record in workspace.shrinks.all():
        if record.name == name and record.is_over:
            return et.Shrunk(et.open_run(record.steps[-1].run, workspace=workspace), parent, record)
        if record.name == name:
            return et.resume_shrink(name, data=dataset, workspace=workspace)
    limit = f"macs <= {SHARE * parent.record.network.macs:.0f}"
    return et.shrink(parent, limit, epochs=epochs, seed=seed, name=name, data=dataset)


def measure(arguments: argparse.Namespace, seed: int) -> Result:
    """Train all networks of a seed, and return their test accuracies."""
    settings = f"{arguments.model}-{arguments.images}-{arguments.parent_epochs}-{arguments.epochs}"
    workspace = Workspace(arguments.results.with_suffix("") / settings)
    recipe = recipe_of(arguments.model, arguments.images, arguments.parent_epochs)
    dataset = et.load("cifar10", subset=arguments.images)
    parent = complete_run(workspace, recipe, dataset, seed, f"large-{seed}")
    small = shrunk(workspace, parent, dataset, arguments.epochs, seed)
    same_network = small.run.recipe.model.model_copy(update={"initial_weights": ""})
    runs = {"parent": parent, "shrunk": small.run}
    lengths = {
        "scratch": arguments.epochs,
        "scratch_long": arguments.parent_epochs + arguments.epochs,
    }
    for name, epochs in lengths.items():
        longer = parent.recipe.model_copy(update={"model": same_network}).with_(fit__epochs=epochs)
        runs[name] = complete_run(workspace, longer, dataset, seed, f"{name}-{seed}")
    return {
        "commit": commit(),
        **machine(),
        "parent_macs": parent.record.network.macs,
        "macs": small.run.record.network.macs,
        "steps": len(small.record.steps),
        "filters": [block.filters for block in same_network.blocks],
        "test_images": parent.record.data.num_test,
        **{name: run.test_accuracy for name, run in runs.items()},
    }


def table(results: Sequence[Result]) -> str:
    """Return a table with a row per seed, and the mean differences below it."""
    header = ["seed", "filters", "million MACs", "large", "smaller", "from scratch, same epochs"]
    header.append("from scratch, all epochs")
    rows = [
        [
            str(row["seed"]),
            ", ".join(map(str, row["filters"])),
            f"{row['macs'] / 1e6:.2f} of {row['parent_macs'] / 1e6:.2f}",
            *(f"{row[name]:.2%}" for name in ("parent", *NETWORKS)),
        ]
        for row in results
    ]
    lines = [markdown_table(header, rows), ""]
    for name, title in zip(NETWORKS[1:], header[-2:], strict=True):
        gains = [row["shrunk"] - row[name] for row in results]
        lines.append(f"Smaller network compared with that {title}: {_mean_text(gains)}")
    about = sorted(
        {
            f"{row['cpu']}, {row['cores']} cores, TensorFlow {row['tensorflow']}, "
            f"{row['test_images']:,} test images"
            for row in results
        }
    )
    return "\n".join([*lines, "", *about])


def _mean_text(gains: Sequence[float]) -> str:
    from scipy.stats import t

    mean = statistics.fmean(gains)
    text = f"{100 * mean:+.2f} points"
    if len(gains) > 1:
        factor = t.ppf((1 + CONFIDENCE) / 2, len(gains) - 1)
        half = factor * statistics.stdev(gains) / len(gains) ** 0.5
        text += f" ({100 * (mean - half):+.2f} to {100 * (mean + half):+.2f})"
    return f"{text}; the bar of 0 points is {'met' if mean >= 0 else 'not met'}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--results", type=Path, required=True, help="file of results; what is in it is skipped"
    )
    parser.add_argument("--model", default=MODEL, help=f"name of the large network ({MODEL})")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (3)")
    parser.add_argument(
        "--images", type=int, default=12_500, help="images to train and validate with (12,500)"
    )
    parser.add_argument(
        "--parent-epochs", type=int, default=30, help="epochs of the large network (30)"
    )
    parser.add_argument("--epochs", type=int, default=20, help="epochs of all steps (20)")
    arguments = parser.parse_args()
    results = []
    for seed in range(arguments.seeds):
        names = ("model", "images", "parent_epochs", "epochs")
        key = {"seed": seed, **{name: getattr(arguments, name) for name in names}}
        results.append(measured(arguments.results, key, partial(measure, arguments, seed)))
    print(table(results))


if __name__ == "__main__":
    main()
