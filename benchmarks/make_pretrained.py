"""Pre-train a small network on CIFAR-10 and write its weights for `model.initial_weights`.

    EYETUNE_DATA=FOLDER python benchmarks/make_pretrained.py resnet8
    python benchmarks/make_pretrained.py resnet8 --classes 0,1,2,3,4 --output half.npz
    python benchmarks/make_pretrained.py resnet8 --hold-out --epochs 30  # to choose a recipe

The weights in `src/eyetune/models/pretrained/` were made by this script. By default, a network is
trained on all 50,000 training images, and the 10,000 test images only measure it at the end. With
`--hold-out`, a fifth of the training images validates, to compare recipes. `--classes` leaves out
the images of other classes, on which such weights can then be tested fairly.

It trains with `eyetune.train` in a workspace. Started again after an interruption with the same
arguments, it resumes after the last whole epoch, and a complete training is not repeated. The
.npz file holds float16 arrays; the .toml file beside it says how they were made.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

import eyetune
from eyetune.data import load
from eyetune.errors import EyetuneError
from eyetune.models import initial_weights
from eyetune.recipe import ZOO, Recipe, parse_edits
from eyetune.records import RunState, Workspace
from eyetune.training.evaluate import probabilities

# MLPerf Tiny's way to train ResNet-8, in the length that a CPU takes half an hour for
DEFAULTS = {
    "augment.flip": True,
    "augment.shift": 4,
    "optimizer.name": "sgd",
    "optimizer.learning_rate": 0.1,
    "optimizer.momentum": 0.9,
    "optimizer.nesterov": True,
    "optimizer.schedule": "cosine",
    "optimizer.warmup_epochs": 2,
    "optimizer.weight_decay": 0.003,
    "loss.label_smoothing": 0.05,
    "fit.batch_size": 128,
    "fit.epochs": 100,
}


def make_recipe(arguments: argparse.Namespace, source: str) -> Recipe:
    """Return the recipe of the pre-training."""
    recipe = Recipe.load(arguments.recipe) if arguments.recipe else Recipe().with_(DEFAULTS)
    edits: dict[str, Any] = {"model": arguments.network, **parse_edits(arguments.set)}
    if arguments.epochs:
        edits["fit.epochs"] = arguments.epochs
    edits["data.source"] = source
    edits["data.train_on_validation"] = not arguments.hold_out
    return recipe.with_(edits)


def images_of(classes: tuple[int, ...], folder: Path) -> str:
    """Return the source of CIFAR-10's images of some classes: a file that is written once."""
    path = folder / f"cifar10-classes-{'-'.join(map(str, classes))}.npz"
    if not path.exists():
        dataset = load("cifar10", train_on_validation=True)
        arrays: dict[str, Any] = {
            "class_names": np.array([dataset.class_names[label] for label in classes])
        }
        for name, split in (("train", dataset.train), ("test", dataset.test)):
            is_chosen = np.isin(split.labels, classes)
            arrays[f"x_{name}"] = split.images[is_chosen]
            arrays[f"y_{name}"] = np.searchsorted(classes, split.labels[is_chosen])
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, **arrays)
    return str(path.resolve())


def trained(recipe: Recipe, seed: int, workspace: Workspace) -> eyetune.Run:
    """Return the complete run of a recipe: recorded, resumed or trained now."""
    name = f"pretrain-{recipe.fingerprint}-seed{seed}"
    earlier = [record for record in workspace.runs.all() if record.name == name]
    if not earlier:
        return eyetune.train(recipe, seed=seed, name=name, workspace=workspace)
    if earlier[0].state is RunState.COMPLETE:
        return eyetune.open_run(earlier[0].id, workspace=workspace)
    return eyetune.resume(earlier[0].id, workspace=workspace)


def write(run: eyetune.Run, arguments: argparse.Namespace) -> None:
    """Write the weights of a run, and beside them how they were made."""
    dataset, model = run.dataset(), run.model()
    initial_weights.save(model, arguments.output)
    rounded = initial_weights.load(str(arguments.output), model)
    initial_weights.put(rounded, model)
    answers = probabilities(model, dataset.test).argmax(axis=1)
    results = run.record.results
    assert results is not None
    about = {
        "network": arguments.network,
        "images": f"CIFAR-10 training images of {len(dataset.class_names)} classes",
        "classes": list(dataset.class_names),
        "num_images": len(dataset.train),
        "seed": run.record.seed,
        "precision": run.record.precision,
        "parameters": sum(array.size for layer in rounded.layers for array in layer),
        "bytes": arguments.output.stat().st_size,
        "digest": rounded.digest,
        "test_accuracy": results.test_accuracy,
        "test_accuracy_float16": float(np.mean(answers == dataset.test.labels)),
        "versions": dict(run.record.versions),
        "recipe": run.recipe.model_dump(mode="json", exclude_defaults=True),
    }
    if arguments.hold_out:
        about["validation_accuracy"] = results.validation_accuracy
    if arguments.classes:
        about["recipe"]["data"]["source"] = "cifar10"
    arguments.output.with_suffix(".toml").write_text(tomli_w.dumps(about), encoding="utf-8")
    print(tomli_w.dumps({name: value for name, value in about.items() if name != "recipe"}))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", choices=sorted(ZOO), help="known network to pre-train")
    parser.add_argument("--output", type=Path, help="default: cifar10-NETWORK.npz")
    parser.add_argument("--recipe", type=Path, help="recipe file (default: see the script)")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--epochs", type=int, help="default: those of the recipe")
    parser.add_argument("--classes", default="all", help="all, or labels such as 0,1,2,3,4")
    parser.add_argument("--hold-out", action="store_true", help="validate on a fifth of the images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workspace", help="default: as for `eyetune train`")
    arguments = parser.parse_args()
    arguments.output = arguments.output or Path(f"cifar10-{arguments.network}.npz")
    workspace = Workspace(arguments.workspace)
    workspace.prepare()
    source, arguments.classes = "cifar10", arguments.classes.removeprefix("all")
    if arguments.classes:
        classes = tuple(sorted({int(label) for label in arguments.classes.split(",")}))
        source = images_of(classes, workspace.folder / "pretraining")
    try:
        run = trained(make_recipe(arguments, source), arguments.seed, workspace)
        if run.state is not RunState.COMPLETE:
            raise SystemExit("Interrupted. Run the same command again to resume.")
        write(run, arguments)
    except EyetuneError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
