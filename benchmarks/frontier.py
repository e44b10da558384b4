"""Int8 accuracy of small networks under limits of size, beside two networks of MLPerf Tiny.

    EYETUNE_DATA=FOLDER python benchmarks/frontier.py --results frontier.jsonl

Trains recipes of the package by their names, one at a time, as `eyetune train NAME` does, on all
50,000 training images of CIFAR-10: they were chosen on 10,000 of these, after trainings on the
other 40,000. Each is exported for an ESP-EYE and verified: the accuracy is that of the int8 network
on all test images in TensorFlow Lite Micro, the size is that of the whole .tflite file, and the
arena is the measured one. With --picture, the results are drawn.

    python benchmarks/frontier.py --results frontier.jsonl --candidates small-98k

compares the networks from which a recipe was chosen: each candidate that meets the limits is
trained for --epochs epochs, and the validation accuracies are printed. Nothing is chosen on test.

Results are appended to the file, and what is in it is not measured again. An interrupted training
is resumed after its last complete epoch. Each training has a workspace beside the file.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from deployments import (
    conditions,
    end_commands_with_this_process,
    eyetune,
    train,
    train_and_export,
    workspace_beside,
)
from eyetune.analysis.metrics import wilson_interval
from eyetune.recipe import Recipe
from eyetune.space.portfolio import portfolio_recipe
from recorded import Result, markdown_table, measured, read_results

DATA = "cifar10"
NUM_IMAGES = 50_000  # of training, those for validation included
ALL_IMAGES = ("--set", "data.train_on_validation=true")
BOARD = "esp-eye"
BASE = "resnet14"  # the recipe whose training all candidates share
CANDIDATE_EPOCHS = 20


# Accuracies as published by MLPerf; the rest measured with TensorFlow Lite Micro on the files of
# https://github.com/mlcommons/tiny.
PUBLISHED: tuple[Result, ...] = (
    {
        "name": "MLPerf Tiny ResNet-8",
        "int8_accuracy": 0.8697,
        "model_bytes": 98_496,
        "arena_bytes": 55_984,
        "macs": 12_501_632,
    },
    {
        "name": "MLPerf Tiny large ResNet",
        "int8_accuracy": 0.9131,
        "model_bytes": 512_024,
        "arena_bytes": 133_744,
        "macs": 76_500_000,
    },
)


@dataclass(frozen=True)
class Limit:
    """What a network of the frontier must keep, and the accuracy that it is to reach.

    Attributes:
        model_bytes: Largest .tflite file.
        arena_bytes: Largest arena.
        accuracy: Lowest int8 accuracy on test images, 0 to 1.
    """

    model_bytes: int
    arena_bytes: int
    accuracy: float

    def exceeded(self, network: Result) -> list[str]:
        """Return the names of the limits that a network exceeds."""
        exceeded = [] if network["model_bytes"] <= self.model_bytes else ["size"]
        return exceeded + ([] if network["arena_bytes"] <= self.arena_bytes else ["arena"])


ESP_EYE_ARENA = 100 * 1024  # what the firmware of an ESP-EYE leaves of its internal memory
LIMITS = {
    "small-16k": Limit(16 * 1024, 16 * 1024, 0.78),
    "small-98k": Limit(98_496, ESP_EYE_ARENA, 0.905),
    "small-300k": Limit(300_000, ESP_EYE_ARENA, 0.925),
}
NAMES = tuple(LIMITS)


def residual(
    stem: int, *stages: tuple[int, int], stem_stride: int = 1, before: Sequence[int] = ()
) -> list[dict[str, Any]]:
    """Return the blocks of a residual network.

    Args:
        stem: Filters of the convolution before the stages.
        stages: Filters and number of blocks of each stage.
        stem_stride: Stride of that convolution.
        before: Filters of convolutions before it, at full size.
    """
    blocks: list[dict[str, Any]] = [{"filters": filters, "pool_size": 1} for filters in before]
    blocks.append({"filters": stem, "stride": stem_stride, "pool_size": 1})
    for stage, (filters, num_blocks) in enumerate(stages):
        blocks += [
            {
                "filters": filters,
                "convolutions": 2,
                "residual": True,
                "stride": 2 if stage > 0 and block == 0 else 1,
                "pool_size": 1,
            }
            for block in range(num_blocks)
        ]
    return blocks


# A network with so few weights does not fit its training images too closely
LIGHT = {"optimizer.weight_decay": 0.001, "loss.label_smoothing": 0.0}


def candidate(blocks: list[dict[str, Any]], **edits: Any) -> dict[str, Any]:
    """Return the edits of BASE that make a candidate: its network, and what else it changes."""
    return {"model.blocks": blocks, **edits}


CANDIDATES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "small-16k": {
        "8-14-19, 1-1-1 blocks, half size": candidate(
            residual(8, (8, 1), (14, 1), (19, 1), stem_stride=2)
        ),
        "12-19, 2-1 blocks, half size": candidate(residual(12, (12, 2), (19, 1), stem_stride=2)),
        "16-20, 1-1 blocks, half size": candidate(residual(16, (16, 1), (20, 1), stem_stride=2)),
        "6 at full size, 14-20, 1-1 blocks": candidate(
            residual(14, (14, 1), (20, 1), stem_stride=2, before=[6])
        ),
        "16-20, 1-1 blocks, half size, light": candidate(
            residual(16, (16, 1), (20, 1), stem_stride=2), **LIGHT
        ),
    },
    "small-98k": {
        "16-32-64, 1-1-1 blocks": candidate(residual(16, (16, 1), (32, 1), (64, 1))),
        "16-32-48, 2-2-1 blocks": candidate(residual(16, (16, 2), (32, 2), (48, 1))),
        "16-28-44, 3-3-1 blocks": candidate(residual(16, (16, 3), (28, 3), (44, 1))),
        "16-32-48, 3-2-1 blocks": candidate(residual(16, (16, 3), (32, 2), (48, 1))),
        "16-32, 6-3 blocks": candidate(residual(16, (16, 6), (32, 3))),
        "16-32, 3-4 blocks": candidate(residual(16, (16, 3), (32, 4))),
    },
    "small-300k": {
        "16-32-64, 3-3-3 blocks": candidate(residual(16, (16, 3), (32, 3), (64, 3))),
        "16-48-96, 3-3-1 blocks": candidate(residual(16, (16, 3), (48, 3), (96, 1))),
        "16-32-64, 3-6-2 blocks": candidate(residual(16, (16, 3), (32, 6), (64, 2))),
        "16-48-64, 3-4-1 blocks": candidate(residual(16, (16, 3), (48, 4), (64, 1))),
        "16-48, 3-5 blocks": candidate(residual(16, (16, 3), (48, 5))),
    },
}


def measure(name: str, seed: int, workspace: Path) -> Result:
    """Train, export and verify a recipe of the package, and return the outcome."""
    before = conditions()
    arguments = [name, "--data", DATA, "--seed", str(seed), *ALL_IMAGES]
    outcome = train_and_export(arguments, workspace, BOARD)
    del outcome["validation_accuracy"]  # that of images which it was trained on
    return {**before, **outcome}


def measure_candidate(recipe: Recipe, seed: int, workspace: Path) -> Result:
    """Train a candidate and return its costs and its validation accuracy."""
    file = workspace.with_suffix(".toml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(recipe.to_toml(), encoding="utf-8")
    run = train([str(file), "--data", DATA, "--seed", str(seed)], workspace)["result"]
    fit = eyetune("fit-check", run["run"], "--board", BOARD, workspace=workspace)
    return {
        "validation_accuracy": run["validation_accuracy"],
        "model_bytes": fit["flash_bytes"],
        **{cost: fit[cost] for cost in ("arena_bytes", "parameters", "macs")},
        "seconds": run["duration_seconds"],
    }


def candidate_recipe(edits: Mapping[str, Any], epochs: int) -> Recipe:
    """Return the recipe of a candidate: that of BASE with its edits."""
    return portfolio_recipe(BASE).with_({**edits, "fit.epochs": epochs})


def table(results: Sequence[Result]) -> str:
    """Return a table of the networks, smallest first, with the published ones."""
    header = [
        "network",
        "int8 accuracy",
        "95% interval",
        "float",
        "bar",
        ".tflite bytes",
        "arena bytes",
        "M MACs",
    ]
    header += ["images", "epochs", "seconds"]
    networks = sorted([*PUBLISHED, *results], key=lambda network: network["model_bytes"])
    notes = [_conditions_text(result) for result in results]
    return "\n".join([markdown_table(header, map(_cells, networks)), "", *notes])


def _cells(network: Result) -> list[str]:
    float_accuracy = network.get("float_accuracy")
    is_own = "seed" in network
    return [
        f"{network['name']}, seed {network['seed']}"
        if is_own
        else f"{network['name']} (published)",
        f"{network['int8_accuracy']:.2%}",
        _interval_text(network) if is_own else "",
        "" if float_accuracy is None else f"{float_accuracy:.2%}",
        _bar(network),
        f"{network['model_bytes']:,}",
        f"{network['arena_bytes']:,}",
        f"{network['macs'] / 1e6:.1f}",
        f"{network['images']:,}" if is_own else "",
        str(network["epochs"]) if is_own else "",
        f"{network['seconds']:,.0f}" if is_own else "",
    ]


def _interval_text(network: Result) -> str:
    """Return the interval of an accuracy that the number of test images leaves."""
    num_images = network["num_test_images"]
    low, high = wilson_interval(round(network["int8_accuracy"] * num_images), num_images)
    return f"{low:.2%} to {high:.2%}"


def _bar(network: Result) -> str:
    """Return the accuracy to reach, and what was missed."""
    limit = LIMITS.get(network["name"])
    if limit is None:
        return ""
    missed = [] if network["int8_accuracy"] >= limit.accuracy else ["accuracy"]
    missed += limit.exceeded(network)
    return f"{limit.accuracy:.1%}" + (f", missed: {', '.join(missed)}" if missed else "")


def _conditions_text(result: Result) -> str:
    return (
        f"- {result['name']}: {result['num_test_images']:,} test images in "
        f"{result['interpreter']}, trained in {result['precision']}; {result['cpu']}, "
        f"{result['cores']} cores, TensorFlow {result['tensorflow']}, commit {result['commit']}"
    )


def draw(results: Sequence[Result], path: Path) -> None:
    """Draw accuracy by size of the file, with the published networks."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for networks, color, marker, label, offset in (
        (results, "#0072b2", "o", "recipes of eyetune", 9),
        (PUBLISHED, "#d55e00", "s", "published by MLPerf Tiny", -18),
    ):
        points = sorted(
            (each["model_bytes"] / 1000, 100 * each["int8_accuracy"], each["name"])
            for each in networks
        )
        sizes, accuracies, names = zip(*points, strict=True)
        axes.plot(sizes, accuracies, marker, color=color, label=label, markersize=8)
        for size, accuracy, name in zip(sizes, accuracies, names, strict=True):
            axes.annotate(
                name, (size, accuracy), (0, offset), textcoords="offset points", ha="center"
            )
    axes.set_xscale("log")
    ticks = [10, 20, 50, 100, 200, 500]
    axes.set_xticks(ticks, [f"{tick} kB" for tick in ticks])
    axes.set_xlim(10, 1000)
    axes.margins(y=0.12)
    axes.set_xlabel("size of the .tflite file (1 kB = 1,000 bytes)")
    axes.set_ylabel("int8 accuracy on 10,000 test images (%)")
    axes.set_title("CIFAR-10: accuracy by size")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, required=True, help="file of results")
    parser.add_argument("--names", nargs="*", default=NAMES, help="recipes of the package")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--candidates", choices=list(LIMITS), help="compare candidates instead")
    parser.add_argument("--epochs", type=int, default=CANDIDATE_EPOCHS, help="of each candidate")
    parser.add_argument("--table", action="store_true", help="only print the table of the file")
    parser.add_argument("--picture", type=Path, help="draw the results into this file (.png)")
    arguments = parser.parse_args()
    end_commands_with_this_process()
    if arguments.candidates:
        compare_candidates(arguments)
        return
    if not arguments.table:
        for name in arguments.names:
            key = {"name": name, "seed": arguments.seed, "images": NUM_IMAGES}
            names = (name, f"seed {arguments.seed}", f"{NUM_IMAGES} images")
            workspace = workspace_beside(arguments.results, *names)
            function = partial(measure, name, arguments.seed, workspace)
            measured(arguments.results, key, function)
    results = [result for result in read_results(arguments.results) if "name" in result]
    print(table(results))
    if arguments.picture:
        draw(results, arguments.picture)


def compare_candidates(arguments: argparse.Namespace) -> None:
    """Train all candidates for a limit and print their validation accuracies, best first."""
    limit = LIMITS[arguments.candidates]
    results = []
    for name, edits in CANDIDATES[arguments.candidates].items():
        recipe = candidate_recipe(edits, arguments.epochs)
        key = {"candidate": name, "recipe": recipe.fingerprint, "seed": arguments.seed}
        names = (name, recipe.fingerprint, f"seed {arguments.seed}")
        workspace = workspace_beside(arguments.results, *names)
        function = partial(measure_candidate, recipe, arguments.seed, workspace)
        results.append(measured(arguments.results, key, function))
    results.sort(key=lambda result: -result["validation_accuracy"])
    header = ["candidate", "validation accuracy", ".tflite bytes", "arena bytes", "M MACs"]
    rows = [
        [
            result["candidate"],
            f"{result['validation_accuracy']:.2%}",
            f"{result['model_bytes']:,}",
            f"{result['arena_bytes']:,}",
            f"{result['macs'] / 1e6:.1f}",
            f"{result['seconds']:,.0f}",
            ", ".join(limit.exceeded(result)) or "none",
        ]
        for result in results
    ]
    print(markdown_table([*header, "seconds", "limits exceeded"], rows))


if __name__ == "__main__":
    main()
