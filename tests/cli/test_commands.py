"""Each command in this process: what it prints, as words and as JSON, and how it refuses bad input."""

from __future__ import annotations

import json
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from eyetune.api.run import Run
from eyetune.cli.main import run
from eyetune.recipe import Recipe
from eyetune.techniques import registry
from eyetune.testing.datasets import write_image_folder
from eyetune.training.backend import choose_arithmetic

SMALL = ["--set", "model.blocks=[4]", "--set", "model.dense=[8]", "--batch-size", "16"]


class Terminal:
    """Runs commands and keeps what they print."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        self.output = self.errors = ""

    def __call__(self, *words: str | Path) -> int:
        status = run([str(word) for word in words])
        self.output, self.errors = self._capfd.readouterr()
        return status

    def json(self, *words: str | Path) -> Any:
        assert self(*words, "--json") == 0, self.errors
        return json.loads(self.output)


@pytest.fixture
def eyetune(capfd: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capfd)


@pytest.fixture
def at(trained: Run) -> list[str]:
    """Return the words that name the shared workspace."""
    return ["--workspace", str(trained.workspace.folder)]


def test_train_prints_lines_a_table_the_verdict_and_where_the_pictures_are(
    eyetune: Terminal, archive: Path
) -> None:
    assert eyetune("train", "--data", archive, "--epochs", "2", *SMALL) == 0
    assert "epoch 1/2" in eyetune.errors
    assert "epoch 2/2" in eyetune.errors
    assert f"in {choose_arithmetic('auto')}" in eyetune.errors
    for words in ("COMPLETE", "test accuracy", "Verdict", "plots"):
        assert words in eyetune.output
    assert "oneDNN" not in eyetune.errors


def test_train_prints_one_json_object(eyetune: Terminal, archive: Path) -> None:
    value = eyetune.json("train", "--data", archive, "--epochs", "2", *SMALL)
    expected = {
        "run", "history", "validation_accuracy", "test_accuracy", "duration_seconds", "images_per_second", "verdict",
    }  # fmt: skip
    assert expected <= set(value)
    assert len(value["history"]["loss"]) == 2
    assert 0 <= value["test_accuracy"] <= 1


def test_train_takes_a_recipe_file_with_edits(
    eyetune: Terminal, archive: Path, tmp_path: Path
) -> None:
    path = tmp_path / "recipe.toml"
    recipe = Recipe().with_(
        {"model.blocks": [4], "model.dense": [], "fit.epochs": 1, "fit.batch_size": 16}
    )
    path.write_text(recipe.to_toml())
    value = eyetune.json(
        "train", path, "--data", archive, "--optimizer", "sgd", "--learning-rate", "0.02", "--activation", "tanh",
        "--set", "model.blocks.0.activation=gelu", "--seed", "3", "--name", "mine",
    )  # fmt: skip
    assert value["recipe"]["optimizer"]["name"] == "sgd"
    assert value["recipe"]["optimizer"]["learning_rate"] == 0.02
    assert value["recipe"]["model"]["activation"] == "tanh"
    assert value["recipe"]["model"]["blocks"][0]["activation"] == "gelu"
    assert (value["seed"], value["name"], value["epochs"]) == (3, "mine", 1)


def test_train_begins_with_the_recipe_of_a_run(eyetune: Terminal, archive: Path) -> None:
    first = eyetune.json("train", "--data", archive, "--epochs", "1", *SMALL, "--name", "first")
    assert eyetune("train", "first", "--learning-rate", "1e-6") == 0
    # What is suggested can be copied and run.
    suggestion = next(
        line.split()[1:]
        for line in eyetune.output.splitlines()
        if line.startswith("    eyetune train")
    )
    (_, second) = eyetune.json("runs")["runs"]
    assert second["recipe"]["model"] == first["recipe"]["model"]
    assert second["recipe"]["optimizer"]["learning_rate"] == 1e-6
    assert eyetune(*suggestion) == 0


def test_recipe_prints_toml_that_trains(eyetune: Terminal) -> None:
    assert eyetune("recipe", "--epochs", "3", "--set", "model.batch_norm=true") == 0
    assert Recipe.from_toml(eyetune.output) == Recipe().with_(
        {"fit.epochs": 3, "model.batch_norm": True}
    )
    assert eyetune.json("recipe")["fit"]["epochs"] == 10


def test_evaluate_shows_classes_confusion_and_calibration(
    eyetune: Terminal, trained: Run, at: list[str]
) -> None:
    assert eyetune("evaluate", "trained", *at) == 0
    for words in ("accuracy", "calibration", "airplane", "predicted class by column", "Verdict"):
        assert words in eyetune.output
    value = eyetune.json("evaluate", "trained", "--split", "validation", *at)
    assert value["accuracy"] == trained.validation_accuracy
    assert sum(map(sum, value["confusion_matrix"])) == value["num_images"] == 20


def test_evaluate_computes_again_when_asked(eyetune: Terminal, trained: Run, at: list[str]) -> None:
    assert (
        eyetune.json("evaluate", "trained", "--recompute", *at)["accuracy"] == trained.test_accuracy
    )


def test_evaluate_shows_flips_beside_the_plain_accuracy(
    eyetune: Terminal, trained: Run, at: list[str]
) -> None:
    value = eyetune.json("evaluate", "trained", "--flips", *at)
    assert value["accuracy"] == trained.test_accuracy
    found = value["with_flips"]
    assert found["difference"] == pytest.approx(found["accuracy"] - value["accuracy"])
    assert found["difference_interval"][0] <= found["difference"] <= found["difference_interval"][1]
    assert found["multiply_adds"] == 2 * trained.record.network.macs
    assert eyetune("evaluate", "trained", "--flips", *at) == 0
    for words in (
        "With flips",
        "twice the multiply-adds",
        "--split validation --flips",
        f"{value['accuracy']:.2%}",
    ):
        assert words in eyetune.output
    assert "with_flips" not in eyetune.json("evaluate", "trained", *at)


def test_lr_find_suggests_a_rate_that_trains(
    eyetune: Terminal, archive: Path, tmp_path: Path
) -> None:
    words = [
        "--data",
        archive,
        "--optimizer",
        "sgd",
        "--learning-rate",
        "3",
        "--set",
        "optimizer.momentum=0.9",
        *SMALL,
    ]
    value = eyetune.json(
        "lr-find", *words, "--steps", "120", "--largest", "3", "--output", tmp_path / "out"
    )
    rate = value["suggested_learning_rate"]
    assert value["usable_range"][0] <= rate <= value["usable_range"][1]
    assert value["steps_taken"] == len(value["rates"]) == len(value["smoothed_losses"])
    assert {Path(path).suffix for path in value["pictures"]} == {".png", ".svg"}
    assert all(
        Path(path).parent == tmp_path / "out" and Path(path).exists() for path in value["pictures"]
    )
    assert eyetune.json("runs")["runs"] == []
    command = shlex.split(value["command"])[1:]
    assert eyetune(*command, "--epochs", "1") == 0
    (trained,) = eyetune.json("runs")["runs"]
    assert trained["recipe"]["optimizer"]["learning_rate"] == rate
    assert trained["recipe"]["optimizer"]["momentum"] == 0.9
    assert trained["recipe"]["model"]["dense"] == [{"units": 8}]


def test_lr_find_says_what_it_found_and_what_it_set_aside(eyetune: Terminal, archive: Path) -> None:
    schedule = ["--set", "optimizer.schedule=cosine", "--set", "optimizer.learning_rate=5"]
    assert eyetune("lr-find", "--data", archive, *SMALL, *schedule, "--steps", "100") == 0
    for words in (
        "suggested rate",
        "usable range",
        "schedule cosine was set aside",
        "Use it:\neyetune train",
        "Picture:",
    ):
        assert words in eyetune.output
    assert "learning_rate=5" not in eyetune.output
    assert "step  10/100" in eyetune.errors


def test_lr_find_is_honest_where_nothing_falls(eyetune: Terminal, archive: Path) -> None:
    words = [
        "lr-find",
        "--data",
        archive,
        *SMALL,
        "--smallest",
        "1e-9",
        "--largest",
        "1e-8",
        "--steps",
        "20",
    ]
    assert eyetune(*words) == 0
    assert "nothing to suggest" in " ".join(eyetune.output.split())
    assert "Use it" not in eyetune.output


def test_show_prints_the_layers_and_draws_them(
    eyetune: Terminal, trained: Run, at: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "network.svg"
    assert eyetune("show", "trained", "--diagram", path, *at) == 0
    for words in (
        "Conv2D",
        "30 x 30 x 4",
        f"{trained.record.network.parameters:,}",
        "multiply-adds",
    ):
        assert words in eyetune.output
    text = "".join(ET.parse(path).getroot().itertext())
    assert "Conv2D" in text
    assert "30 x 30 x 4" in text


def test_show_of_a_recipe_needs_no_images(eyetune: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("")
    value = eyetune.json("show", path, "--set", "model.dense=[128]")
    assert value["network"]["parameters"] == 315_722
    assert value["recipe"]["model.dense.0.units"] == 128


def test_plot_of_one_run_and_of_several(eyetune: Terminal, at: list[str], tmp_path: Path) -> None:
    one = eyetune.json("plot", "trained", "--output", tmp_path / "one", *at)["pictures"]
    assert len(one) == 8
    several = eyetune.json("plot", "trained", "trained", "--output", tmp_path / "several", *at)[
        "pictures"
    ]
    assert {Path(path).suffix for path in several} == {".png", ".svg"}
    for path in (*one, *several):
        if path.endswith(".png"):
            with Image.open(path) as picture:
                assert picture.width > 300
        else:
            ET.parse(path)


def test_predict_names_the_likeliest_classes(
    eyetune: Terminal, at: list[str], tmp_path: Path
) -> None:
    images = sorted(write_image_folder(tmp_path, per_class=1).rglob("*.png"))
    value = eyetune.json("predict", "trained", *images, *at)
    assert [len(one["classes"]) for one in value["predictions"]] == [3, 3, 3]
    assert eyetune("predict", "trained", images[0], "--top", "1", *at) == 0
    assert images[0].name in eyetune.output


def test_runs_lists_filters_deletes_and_restores(eyetune: Terminal, archive: Path) -> None:
    ids = [
        eyetune.json("train", "--data", archive, "--epochs", "1", *SMALL, "--seed", seed)["run"]
        for seed in "01"
    ]
    assert [one["run"] for one in eyetune.json("runs")["runs"]] == ids
    assert [one["run"] for one in eyetune.json("runs", "--filter", "seed=1")["runs"]] == ids[1:]
    assert [
        one["run"] for one in eyetune.json("runs", "--sort", "seed", "--reverse")["runs"]
    ] == ids[::-1]
    assert eyetune("runs", "delete", ids[0]) == 0
    assert f"eyetune runs restore {ids[0]}" in eyetune.errors
    assert [one["run"] for one in eyetune.json("runs")["runs"]] == ids[1:]
    assert [one["run"] for one in eyetune.json("runs", "--deleted")["runs"]] == ids[:1]
    assert eyetune("runs", "restore", ids[0]) == 0
    assert eyetune("runs", "delete", *ids, "--purge") == 0
    assert eyetune.json("runs")["runs"] == []
    assert eyetune("runs") == 0
    assert "Begin with" in eyetune.output


def test_data_show_prints_shapes_labels_and_draws_samples(
    eyetune: Terminal, archive: Path, tmp_path: Path
) -> None:
    path = tmp_path / "samples.png"
    value = eyetune.json("data", "show", archive, "--output", path)
    assert value["splits"]["train"]["images"] == [80, 32, 32, 3]
    assert value["first_one_hot"][0][value["first_labels"][0]] == 1
    with Image.open(path) as picture:
        assert picture.height > 10 * 32
    assert eyetune("data", "show", archive, "--output", path) == 0
    for words in ("uint8", "airplane", "1 0 0 0 0 0 0 0 0 0"):
        assert words in eyetune.output


def test_data_list_and_clear(
    eyetune: Terminal, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EYETUNE_CACHE", str(tmp_path / "cache"))
    assert eyetune.json("data", "list")["cached"] == []
    eyetune.json("data", "show", archive)
    (entry,) = eyetune.json("data", "list")["cached"]
    assert entry["source"] == str(archive)
    assert eyetune("data", "list") == 0
    assert "cifar100" in eyetune.output
    assert eyetune.json("data", "clear")["freed_bytes"] == entry["size_bytes"]
    assert eyetune.json("data", "list")["cached"] == []


@pytest.mark.parametrize(
    "command",
    [
        "",
        "train",
        "lr-find",
        "show",
        "evaluate",
        "plot",
        "predict",
        "report",
        "runs",
        "recipe",
        "data",
    ],
)
def test_every_command_has_help(eyetune: Terminal, command: str) -> None:
    assert eyetune(*command.split(), "--help") == 0
    assert "Usage: eyetune" in eyetune.output
    if command not in ("", "data", "runs"):
        assert f"eyetune {command} " in eyetune.output.replace(f"Usage: eyetune {command} ", "")


def test_version(eyetune: Terminal) -> None:
    import eyetune as package

    assert eyetune("--version") == 0
    assert eyetune.output.strip() == package.__version__


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["train", "--data", "missing.tar.gz"], 2, "missing.tar.gz"),
        (["train", "--data", "cifar"], 2, "Did you mean cifar10?"),
        (["train", "--learning-rate", "-1"], 2, "optimizer.learning_rate"),
        (["train", "--learning-rate", "fast"], 2, "fast"),
        (["train", "--optimizer", "adamm"], 2, "Did you mean adam?"),
        (["train", "--set", "optimizer.lerning_rate=1"], 2, "Did you mean learning_rate?"),
        (["train", "--set", "nonsense"], 2, "path=value"),
        (["train", "missing.toml"], 2, "missing.toml"),
        (["train", "--no-such-flag"], 2, "--no-such-flag"),
        (["train", "--resume", "latest", "--epochs", "3"], 2, "without a recipe"),
        (["train", "--resume", "ffff"], 2, "ffff"),
        (["no-such-command"], 2, "no-such-command"),
        (["evaluate", "ffff"], 2, "ffff"),
        (["evaluate", "--split", "train"], 2, "train"),
        (["plot", "ffff"], 2, "ffff"),
        (["predict", "latest"], 2, "No image"),
        (["report"], 2, "eyetune train"),
        (["report", "ffff"], 2, "ffff"),
        (["predict", "latest", "x.png", "--top", "0"], 2, "--top"),
        (["show", "missing.toml"], 2, "missing.toml"),
        (["runs", "--sort", "nothing"], 0, ""),
        (["runs", "--filter", "nonsense"], 2, "nonsense"),
        (["runs", "delete"], 2, "no run to delete"),
        (["runs", "delete", "ffff"], 2, "ffff"),
        (["data", "show", "nowhere/"], 2, "nowhere"),
        (["data", "show", "digits", "--image-size", "0"], 2, "data.image_size"),
        (["train", "--workspace", "/dev/null/below"], 1, "cannot be made"),
        (["train", "--data", "digits", "--threads", "-3"], 2, "threads is negative"),
        (
            ["train", "--data", "digits", "--seed", "99999999999999999999"],
            2,
            "seed is out of range",
        ),
        (
            ["train", "--data", "digits", "--name", "latest", "--subset", "50"],
            2,
            "means the newest one",
        ),
        (["train", "--set", "fit.epochs=true"], 2, "a number"),
        (
            ["train", "--data", "digits", "--subset", "50", "--set", "augment.shift=40"],
            2,
            "augment.shift",
        ),
        (["lr-find", "--smallest", "1", "--largest", "0.1"], 2, "make no range"),
        (["lr-find", "--largest", "1e-6"], 2, "make no range"),
        (["lr-find", "--steps", "3"], 2, "number of steps"),
        (["lr-find", "--data", "missing.tar.gz"], 2, "missing.tar.gz"),
        (["lr-find", "--data", "digits", "--subset", "20"], 1, "larger than the training data"),
        (["evaluate", "ffff", "--flips"], 2, "ffff"),
        (["train", "/tmp"], 2, "--data /tmp"),
        (["predict", "pyproject.toml"], 2, "eyetune predict latest pyproject.toml"),
        (["data", "show", "digits", "--per-class", "-5"], 2, "--per-class"),
    ],
)
def test_bad_words_are_refused_in_one_message(
    eyetune: Terminal, words: list[str], status: int, said: str
) -> None:
    assert eyetune(*words) == status
    assert said in eyetune.errors
    assert "Traceback" not in eyetune.errors
    if status:
        assert eyetune.output == ""
        assert eyetune(*words, "--json") == status
        assert said in json.dumps(json.loads(eyetune.output)["error"], ensure_ascii=False)


def test_an_unexpected_error_keeps_its_traceback_for_debug(
    eyetune: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eyetune.recipe import Recipe as Broken

    def fail(_: object, **options: object) -> str:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(Broken, "to_toml", fail)
    assert eyetune("recipe") == 1
    assert "--debug" in eyetune.errors
    with pytest.raises(ZeroDivisionError):
        eyetune("recipe", "--debug")


def test_ctrl_c_leaves_with_130(eyetune: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object, **options: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(Recipe, "to_toml", interrupt)
    assert eyetune("recipe") == 130


def test_an_incomplete_run_is_pointed_to_resume(
    eyetune: Terminal, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eyetune.report.progress.training_progress import TrainingDisplay

    def interrupt(_: object, position: Any) -> None:
        if position.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingDisplay, "on_progress", interrupt)
        assert eyetune("train", "--data", archive, "--epochs", "3", *SMALL) == 130
    assert "eyetune train --resume" in eyetune.errors
    assert "PAUSED" in eyetune.output
    for words in (["evaluate"], ["evaluate", "--flips"], ["predict", "latest", "x.png"]):
        assert eyetune(*words) == 2
        assert "eyetune train --resume" in eyetune.errors
    assert eyetune.json("train", "--resume", "latest")["state"] == "COMPLETE"


def test_compare_says_which_is_better_and_how_sure(
    eyetune: Terminal, archive: Path, tmp_path: Path
) -> None:
    words = ["train", "--data", archive, "--epochs", "1", *SMALL]
    for name, more in (
        ("a", []),
        ("b", ["--learning-rate", "0.01"]),
        ("c", ["--learning-rate", "0.01", "--seed", "1"]),
    ):
        assert eyetune(*words, "--name", name, *more) == 0
    value = eyetune.json("compare", "a", "b", "c", "--output", tmp_path)
    (one,) = value["differences"]
    assert value["baseline"]["label"] == "a"
    assert one["label"] == "b (2 seeds)"
    assert one["interval"][0] <= one["difference"] <= one["interval"][1]
    assert one["seed_deviation"] is not None
    assert eyetune("compare", "a", "b") == 0
    assert "Holm" in eyetune.output
    assert (
        eyetune.json("compare", "a", "b", "b")["differences"][0]["label"] == "b"
    )  # the same again is no evidence
    assert eyetune("compare", "a") == 2
    assert eyetune(*words, "--name", "other", "--subset", "50") == 0
    assert eyetune("compare", "a", "other") == 1
    assert "different images" in eyetune.errors


def test_report_writes_a_page_says_where_and_opens_it(
    eyetune: Terminal, at: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    path = tmp_path / "page.html"
    value = eyetune.json("report", "trained", "--output", path, *at)
    assert (value["report"], value["lab"], len(value["runs"])) == (str(path), None, 1)
    assert not opened
    assert eyetune("report", "trained", "--output", path, "--open", *at) == 0
    assert eyetune.output.strip() == str(path)
    assert opened == [path.as_uri()]
    assert "Run trained" in path.read_text(encoding="utf-8")


def test_techniques_are_listed_explained_and_applied(
    eyetune: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert eyetune("techniques") == 0
    assert "label-smoothing" in eyetune.output
    assert eyetune("techniques", "mixup") == 0
    for words in ("When it hurts", "eyetune train --technique mixup=0.2", "arxiv.org"):
        assert words in eyetune.output
    assert eyetune("techniques", "mixupp") == 2
    assert "Did you mean mixup?" in eyetune.errors
    recipe = eyetune.json(
        "recipe", "--technique", "flip", "--technique", "schedule=cosine", "--set", "fit.epochs=4"
    )
    assert (recipe["augment"]["flip"], recipe["optimizer"]["schedule"]) == (True, "cosine")
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    path = tmp_path / "mine.py"
    path.write_text(
        "from eyetune.techniques import technique\n"
        "@technique('big', values=(9,), why='', hurts='')\n"
        "def big(recipe, value):\n    return recipe.with_({'model.blocks.0.kernel_size': value})\n"
    )
    (own,) = eyetune.json("techniques", "big", "--file", path)["techniques"]
    assert own["values"] == [9]
