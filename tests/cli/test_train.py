"""`eyetune train` and `eyetune recipe`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eyetune.recipe import Recipe
from eyetune.report.progress.training_progress import TrainingDisplay
from eyetune.space.portfolio import load_portfolio, portfolio_recipe, portfolios
from tests.cli.conftest import SMALL, Terminal


def test_train_prints_progress_results_and_paths(eyetune: Terminal, archive: Path) -> None:
    assert eyetune("train", "--data", archive, "--epochs", "2", *SMALL) == 0
    for text in ("epoch 1/2", "epoch 2/2", "in float32"):
        assert text in eyetune.errors
    for text in ("complete", "test accuracy", "Verdict", "plots"):
        assert text in eyetune.output
    assert "oneDNN" not in eyetune.errors


@pytest.mark.usefixtures("no_pictures")
def test_train_takes_a_recipe_file_with_edits(
    eyetune: Terminal, archive: Path, tmp_path: Path
) -> None:
    path = tmp_path / "recipe.toml"
    edits = {"model.blocks": [4], "model.dense": [], "fit.epochs": 1, "fit.batch_size": 16}
    path.write_text(Recipe().with_(edits).to_toml())
    options = ["--data", str(archive), "--optimizer", "sgd", "--learning-rate", "0.02"]
    options += ["--activation", "tanh", "--set", "model.blocks.0.activation=gelu"]
    value = eyetune.json("train", path, *options, "--seed", "3", "--name", "mine")
    assert value["recipe"]["optimizer"]["name"] == "sgd"
    assert value["recipe"]["optimizer"]["learning_rate"] == 0.02
    assert value["recipe"]["model"]["activation"] == "tanh"
    assert value["recipe"]["model"]["blocks"][0]["activation"] == "gelu"
    assert (value["seed"], value["name"], value["epochs"]) == (3, "mine", 1)
    assert len(value["history"]["loss"]) == 1
    assert 0 <= value["test_accuracy"] <= 1
    assert {"run", "verdict", "duration_seconds", "images_per_second"} <= set(value)


@pytest.mark.usefixtures("no_pictures")
def test_train_starts_from_a_recipe_of_the_package(eyetune: Terminal, archive: Path) -> None:
    options = ["--data", str(archive), "--subset", "20", "--epochs", "2"]
    options += ["--batch-size", "16", "--set", "model=lab"]
    value = eyetune.json("train", "resnet8", *options)
    assert "Starting from the recipe resnet8 of the package." in eyetune.errors
    edits = {"model": "lab", "fit.epochs": 2, "fit.batch_size": 16, "data.subset": 20}
    recipe = portfolio_recipe("resnet8").with_(edits)
    recipe = recipe.with_({"data.source": value["recipe"]["data"]["source"]})
    assert Recipe.model_validate(value["recipe"]) == recipe


def test_recipe_lists_those_of_the_package_with_their_measurements(eyetune: Terminal) -> None:
    listed = eyetune.json("recipe", "--list")["recipes"]
    entry = load_portfolio("images").entries[0]
    assert listed[entry.name]["flash_bytes"] == entry.flash_bytes
    assert eyetune("recipe", "--list") == 0
    for portfolio in portfolios():
        for entry in portfolio.entries:
            assert entry.name in listed
            assert entry.name in eyetune.output
            assert f"{max(entry.accuracy.values()):.1%}" in eyetune.output


def test_recipe_lists_without_other_options(eyetune: Terminal) -> None:
    assert eyetune("recipe", "resnet8", "--list") == 2
    assert "--list" in eyetune.errors


def test_recipe_prints_one_of_the_package(eyetune: Terminal, tmp_path: Path) -> None:
    assert eyetune("recipe", "resnet14", "--epochs", "18") == 0
    path = tmp_path / "recipe.toml"
    path.write_text(eyetune.output, encoding="utf-8")
    assert Recipe.load(path) == portfolio_recipe("resnet14").with_(fit__epochs=18)


@pytest.mark.usefixtures("no_pictures")
def test_train_starts_from_the_recipe_of_a_run(eyetune: Terminal, archive: Path) -> None:
    options = ["--data", str(archive), "--epochs", "1", *SMALL]
    first = eyetune.json("train", *options, "--name", "first")
    assert eyetune("train", "first", "--learning-rate", "1e-6") == 0
    commands = [line for line in eyetune.output.splitlines() if "    eyetune train" in line]
    (newer, _) = sorted(eyetune.json("runs")["runs"], key=lambda run: run["run"] == first["run"])
    assert newer["recipe"]["model"] == first["recipe"]["model"]
    assert newer["recipe"]["optimizer"]["learning_rate"] == 1e-6
    # A suggestion can be copied and run.
    assert eyetune(*commands[0].split()[1:]) == 0


@pytest.mark.usefixtures("no_pictures")
def test_train_resumes_an_interrupted_run(
    eyetune: Terminal, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object, position: Any) -> None:
        if position.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingDisplay, "on_progress", interrupt)
        assert eyetune("train", "--data", archive, "--epochs", "3", *SMALL) == 130
    assert "eyetune train --resume" in eyetune.errors
    assert "paused" in eyetune.output
    image = tmp_path / "x.png"
    image.write_bytes(b"")
    for arguments in (["evaluate"], ["evaluate", "--tta"], ["predict", "latest", str(image)]):
        assert eyetune(*arguments) == 2
        assert "eyetune train --resume" in eyetune.errors
    resumed = eyetune.json("train", "--resume", "latest")
    assert resumed["state"] == "COMPLETE"
    assert eyetune("train", "--resume", "latest", "--epochs", "3") == 2
    arguments = ["--resume", "latest", "--epochs", "4", "--name", "more"]
    longer = eyetune.json("train", *arguments)
    assert (longer["epochs"], longer["continued_from"]) == (4, resumed["run"])
    assert longer["history"]["loss"][:3] == resumed["history"]["loss"]
    assert eyetune("show", "more") == 0
    assert f"run {resumed['run']}" in eyetune.output


def test_recipe_prints_toml_that_can_be_trained(eyetune: Terminal) -> None:
    assert eyetune("recipe", "--epochs", "3", "--set", "model.batch_norm=true") == 0
    edits = {"fit.epochs": 3, "model.batch_norm": True}
    assert Recipe.from_toml(eyetune.output) == Recipe().with_(edits)


def test_recipe_applies_techniques_before_edits(eyetune: Terminal) -> None:
    options = ["--technique", "flip", "--technique", "schedule=cosine", "--set", "fit.epochs=4"]
    recipe = eyetune.json("recipe", *options)
    assert (recipe["augment"]["flip"], recipe["optimizer"]["schedule"]) == (True, "cosine")
    assert recipe["fit"]["epochs"] == 4


@pytest.mark.usefixtures("no_pictures")
def test_train_learns_from_real_images(eyetune: Terminal, real_data: Path) -> None:
    archive = real_data / "cifar-10-python.tar.gz"
    options = ["--subset", "5000", "--epochs", "3", "--learning-rate", "0.002"]
    value = eyetune.json("train", "--data", archive, *options)
    assert value["data"]["num_train"] == 4000
    assert value["data"]["num_test"] == 1000
    assert 0.35 < value["test_accuracy"] < 0.7
    losses = value["history"]["loss"]
    assert losses == sorted(losses, reverse=True)
