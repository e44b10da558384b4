"""Accuracy of `eyetune deploy` on CIFAR-10 by time, in int8 on all 10,000 test images.

    EYETUNE_DATA=FOLDER python benchmarks/deploy_accuracy.py --results accuracy.jsonl

A row is the value of `--time`, with "+busy" if another process keeps one core busy meanwhile. Each
seed of a row is a call of `eyetune deploy` in a workspace of its own, beside the file of results.
An interrupted deployment is resumed by the next invocation, and a complete one is skipped. Before
each, a short training measures the speed of the machine.

With --recipe and --epochs, a recipe is trained as it is, exported and verified in the same way: the
row to compare a deployment of the same time with.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deployments import (
    CommandError,
    conditions,
    deploy,
    end_commands_with_this_process,
    train_and_export,
    workspace_beside,
)
from eyetune.cli.common import read_seconds
from recorded import Result, markdown_table, measured, read_results

DATA = "cifar10"
BOARD = "esp-eye"
BUSY = "+busy"
TIME_TOLERANCE = 0.05  # of --time


@dataclass(frozen=True)
class Target:
    """What a row is to reach.

    Attributes:
        seeds: Seeds of the row.
        accuracy: Lowest int8 accuracy, 0 to 1.
    """

    seeds: tuple[int, ...]
    accuracy: float


TARGETS = {
    "10m": Target((0, 1), 0.84),
    "30m": Target((0, 1), 0.885),
    f"30m{BUSY}": Target((0,), 0.86),
    "2h": Target((0,), 0.905),
}


def row(what: str, seed: int, options: str, workspace: Path) -> Result:
    """Measure one seed of a row (see the module) and return the outcome."""
    time_option = what.removesuffix(BUSY)
    arguments = ["--board", BOARD, "--seed", str(seed), "--time", time_option]
    start = ["--data", DATA, *shlex.split(options)]
    before = conditions()
    with busy_core() if what.endswith(BUSY) else nullcontext():
        outcome = deploy(arguments, start, workspace)
    limit = read_seconds(time_option)
    kept = abs(outcome["seconds"] / limit - 1) <= TIME_TOLERANCE
    return {**before, "time_kept": None if outcome["resumed"] else kept, **outcome}


def recipe_row(recipe: Path, epochs: int, seed: int, options: str, workspace: Path) -> Result:
    """Train a recipe, export and verify it, and return the outcome."""
    arguments = [str(recipe), "--data", DATA, "--epochs", str(epochs), "--seed", str(seed)]
    before = conditions()
    return {**before, **train_and_export([*arguments, *shlex.split(options)], workspace, BOARD)}


@contextmanager
def busy_core() -> Iterator[None]:
    """Let another process compute in the context, with the priority of this one.

    It may move between cores, as other work does. It ends with this process.
    """
    loop = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
    with subprocess.Popen([sys.executable, "-c", loop]) as process:
        try:
            yield
        finally:
            process.kill()


def table(results: Sequence[Result]) -> str:
    """Return a table with a row per kind of deployment, and the conditions below it."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        what = f"{result['what']} {result['options']}".strip()
        groups.setdefault(what, []).append(result)
    header = ["what", "seeds", "int8 accuracy, mean", "range", "bar", "met", "model bytes"]
    header += ["arena bytes", "seconds", "--time kept within 5%"]
    rows = [_cells(what, group) for what, group in groups.items()]
    lines = [markdown_table(header, rows), ""]
    for what, group in groups.items():
        lines += [f"- {what}, seed {each['seed']}: {_conditions_text(each)}" for each in group]
    return "\n".join(lines)


def _cells(what: str, group: Sequence[Result]) -> list[str]:
    accuracies = [result["int8_accuracy"] for result in group]
    mean = statistics.fmean(accuracies)
    target = TARGETS.get(what)
    bar = met = ""
    if target is not None:
        bar = f"{target.accuracy:.1%}"
        met = "by the mean only" if mean >= target.accuracy else "no"
        met = "yes" if min(accuracies) >= target.accuracy else met
    kept = {None: "resumed", True: "yes", False: "no"}
    return [
        what,
        ", ".join(str(result["seed"]) for result in group),
        f"{mean:.2%}",
        f"{min(accuracies):.2%} to {max(accuracies):.2%}",
        bar,
        met,
        ", ".join(f"{result['model_bytes']:,}" for result in group),
        ", ".join(f"{result['arena_bytes']:,}" for result in group),
        ", ".join(f"{result['seconds']:,.0f}" for result in group),
        ", ".join(kept[result["time_kept"]] for result in group if "time_kept" in result),
    ]


def _conditions_text(result: Result) -> str:
    trials = f"{result['num_trials']} trials, " if "num_trials" in result else ""
    float_accuracy = result["float_accuracy"]
    return (
        f"{trials}network with {result['macs']:,} MACs trained for {result['epochs']} epochs in "
        f"{result['precision']}, float accuracy "
        f"{'unknown' if float_accuracy is None else format(float_accuracy, '.2%')}, "
        f"{result['num_test_images']:,} test images in {result['interpreter']}; "
        f"ResNet-8 needed {result['resnet8_epoch_seconds']:.1f} s for an epoch in "
        f"{result['resnet8_precision']}; {result['cpu']}, {result['cores']} cores, "
        f"TensorFlow {result['tensorflow']}, commit {result['commit']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--results", type=Path, required=True, help="file of results; what is in it is skipped"
    )
    parser.add_argument(
        "--rows",
        nargs="*",
        default=list(TARGETS),
        metavar="ROW",
        help=f"values of --time, with or without {BUSY} ({' '.join(TARGETS)})",
    )
    parser.add_argument("--seeds", type=int, nargs="+", help="seeds (2 for 10m and 30m, else 1)")
    parser.add_argument("--recipe", type=Path, help="train this recipe (.toml) as another row")
    parser.add_argument("--epochs", type=int, help="number of epochs of --recipe")
    parser.add_argument(
        "--options", default="", help="more options of eyetune deploy or train, as one text"
    )
    parser.add_argument("--table", action="store_true", help="only print the table of the file")
    arguments = parser.parse_args()
    if (arguments.recipe is None) != (arguments.epochs is None):
        parser.error("--recipe needs --epochs, and --epochs is for --recipe")
    end_commands_with_this_process()
    if not arguments.table:
        measure(arguments)
    print(table(read_results(arguments.results)))


def measure(arguments: argparse.Namespace) -> None:
    """Measure all selected rows that are not in the file of results.

    A row that fails is reported, and the others are measured.
    """
    options, failures = arguments.options, []
    functions: dict[tuple[str, int], Callable[[Path], Result]] = {}
    for what in arguments.rows:
        default_seeds = TARGETS[what].seeds if what in TARGETS else (0,)
        for seed in arguments.seeds or default_seeds:
            functions[what, seed] = partial(row, what, seed, options)
    if arguments.recipe is not None:
        what = f"{arguments.recipe.name}, {arguments.epochs} epochs"
        for seed in arguments.seeds or (0,):
            functions[what, seed] = partial(
                recipe_row, arguments.recipe, arguments.epochs, seed, options
            )
    for (what, seed), function in functions.items():
        key = {"what": what, "seed": seed, "options": options}
        workspace = workspace_beside(arguments.results, what, options, f"seed {seed}")
        try:
            measured(arguments.results, key, partial(function, workspace))
        except CommandError as error:
            failures.append(f"{what}, seed {seed}, in {workspace}: {error}")
            print(failures[-1], file=sys.stderr, flush=True)
    if failures:
        raise SystemExit("\n".join(failures))


if __name__ == "__main__":
    main()
