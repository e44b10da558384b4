"""`eyetune evaluate`, `compare`, `plot` and `show`."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL import Image

from eyetune.api.run import Run
from tests.cli.conftest import SMALL, Terminal


def test_evaluate_shows_classes_confusion_and_calibration(
    eyetune: Terminal, trained: Run, at: list[str]
) -> None:
    assert eyetune("evaluate", "trained", *at) == 0
    for text in (
        "balanced accuracy",
        "calibration",
        "airplane",
        "F1",
        "predicted class by column",
        "Verdict",
    ):
        assert text in eyetune.output
    value = eyetune.json("evaluate", "trained", "--split", "validation", *at)
    assert value["accuracy"] == trained.validation_accuracy
    assert sum(map(sum, value["confusion_matrix"])) == value["num_images"] == 20
    assert "with_tta" not in value
    assert [each["recall"]["value"] for each in value["by_class"]] == value["class_accuracy"]
    low, high = value["balanced_accuracy_interval"]
    assert low <= value["balanced_accuracy"] <= high


def test_evaluate_takes_a_model_file(
    eyetune: Terminal, trained: Run, archive: Path, at: list[str]
) -> None:
    path = trained.folder / "model.keras"
    value = eyetune.json("evaluate", path, "--data", archive)
    assert value["accuracy"] == trained.test_accuracy
    few = ("evaluate", path, "--data", archive, "--images", "3")
    assert eyetune(*few) == 0
    for text in ("3 test images", "guessing", "pixels from 0 to 1", "F1"):
        assert text in eyetune.output
    for arguments in ([path], [path, "--data", archive, "--tta"], ["trained", "--images", "3"]):
        assert eyetune("evaluate", *arguments, *at) == 2
    assert eyetune.json(*few, "--pixels", "-1-1")["pixels"] == "-1-1"


def test_evaluate_recomputes_the_same_accuracy(
    eyetune: Terminal, trained: Run, at: list[str]
) -> None:
    value = eyetune.json("evaluate", "trained", "--recompute", *at)
    assert value["accuracy"] == trained.test_accuracy


def test_evaluate_adds_test_time_augmentation(
    eyetune: Terminal, trained: Run, at: list[str]
) -> None:
    value = eyetune.json("evaluate", "trained", "--tta", *at)
    assert value["accuracy"] == trained.test_accuracy
    gain = value["with_tta"]
    assert gain["difference"] == pytest.approx(gain["accuracy"] - value["accuracy"])
    assert gain["difference_interval"][0] <= gain["difference"] <= gain["difference_interval"][1]
    assert gain["macs"] == 2 * trained.record.network.macs
    assert eyetune("evaluate", "trained", "--tta", *at) == 0
    for text in ("--split validation --tta", f"{value['accuracy']:.2%}"):
        assert text in eyetune.output


def test_evaluate_flips_is_an_alias_with_its_earlier_keys(
    eyetune: Terminal, trained: Run, at: list[str]
) -> None:
    value = eyetune.json("evaluate", "trained", "--flips", *at)
    flips = value["with_flips"]
    assert flips["multiply_adds"] == 2 * trained.record.network.macs
    assert value["with_tta"].items() <= flips.items()


def test_show_prints_the_layers_and_draws_them(
    eyetune: Terminal, trained: Run, at: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "network.svg"
    assert eyetune("show", "trained", "--diagram", path, *at) == 0
    for text in ("Conv2D", "30 x 30 x 4", f"{trained.record.network.parameters:,}"):
        assert text in eyetune.output
    drawing = "".join(ET.parse(path).getroot().itertext())
    assert "Conv2D" in drawing
    assert "30 x 30 x 4" in drawing


def test_show_describes_the_network_of_a_recipe(eyetune: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("")
    value = eyetune.json("show", path, "--set", "model.dense=[128]")
    assert value["network"]["parameters"] == 315_722
    assert value["recipe"]["model.dense.0.units"] == 128


def test_plot_draws_one_run_or_several(eyetune: Terminal, at: list[str], tmp_path: Path) -> None:
    single = eyetune.json("plot", "trained", "--output", tmp_path / "single", *at)["pictures"]
    assert len(single) == 8
    options = ["--output", str(tmp_path / "several"), *at]
    several = eyetune.json("plot", "trained", "trained", *options)["pictures"]
    assert {Path(path).suffix for path in several} == {".png", ".svg"}
    for path in (*single, *several):
        if path.endswith(".png"):
            with Image.open(path) as picture:
                assert picture.width > 300
        else:
            ET.parse(path)


@pytest.mark.usefixtures("no_pictures")
def test_compare_combines_seeds_and_gives_intervals(
    eyetune: Terminal, archive: Path, tmp_path: Path
) -> None:
    train = ["train", "--data", str(archive), "--epochs", "1", *SMALL]
    faster = ["--learning-rate", "0.01"]
    options = {"a": [], "b": faster, "c": [*faster, "--seed", "1"], "other": ["--subset", "50"]}
    for name, more in options.items():
        assert eyetune(*train, "--name", name, *more) == 0
    value = eyetune.json("compare", "a", "b", "c", "--output", tmp_path)
    (difference,) = value["differences"]
    assert value["baseline"]["label"] == "a"
    assert difference["interval"][0] <= difference["difference"] <= difference["interval"][1]
    assert difference["seed_deviation"] is not None
    assert eyetune("compare", "a", "b") == 0
    assert "Holm" in eyetune.output
    # A run that is given twice is no further evidence.
    (repeated,) = eyetune.json("compare", "a", "b", "b")["differences"]
    assert (repeated["label"], repeated["seed_deviation"]) == ("b", None)
    assert eyetune("compare", "a") == 2
    assert eyetune("compare", "a", "other") == 1
