"""`eyetune explain`: tables, pictures, JSON, and errors before Keras loads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from eyetune.api.run import Run
from eyetune.cli import explain as command
from eyetune.cli.main import run


@pytest.fixture
def at(trained: Run) -> list[str]:
    return ["--workspace", str(trained.workspace.folder)]


def test_explain_prints_tables_and_draws_pictures(
    at: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", "trained", "--output", str(tmp_path), *at]) == 0
    printed = capfd.readouterr().out
    for text in (
        "validation images",
        "learned kernels",
        "confused most",
        "share of the class",
        "conv2d",
        "dead",
    ):
        assert text in printed
    for name in ("filters", "feature-maps", "heatmaps", "confusions", "activity"):
        assert f"{tmp_path / name}.png" in printed.replace("\n", "")
        assert (tmp_path / f"{name}.svg").exists()


def test_explain_json_holds_pairs_layers_and_pictures(
    at: list[str], trained: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--image", "2", "--split", "test", "--output", str(tmp_path), "--json"]
    assert run(["explain", "trained", *options, *at]) == 0
    value = json.loads(capfd.readouterr().out)
    assert value["run"] == trained.id
    assert value["split"] == "test"
    assert value["image"]["name"].startswith("test image 2: ")
    assert all(Path(path).exists() for path in value["pictures"])
    assert [layer["layer"] for layer in value["layers"]] == ["conv2d", "dense"]
    assert all(0 <= layer["dead_share"] <= 1 for layer in value["layers"])
    confusion = trained.evaluation("test").confusion
    names = trained.record.data.class_names
    for pair in value["confused_pairs"]:
        assert pair["count"] == confusion[names.index(pair["true"]), names.index(pair["predicted"])]


@pytest.mark.parametrize(
    ("options", "status", "received"),
    [
        (["--image", "20"], 2, "20"),
        (["--image", "-1"], 2, "-1"),
        (["--image", "nothing.png"], 1, "nothing.png"),
        (["--image", "pyproject.toml"], 1, "pyproject.toml"),
        (["--split", "train"], 2, "train"),
    ],
)
def test_explain_rejects_bad_input_before_keras_loads(
    options: list[str],
    status: int,
    received: str,
    at: list[str],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "load_keras", lambda: pytest.fail("Keras was loaded"))
    assert run(["explain", "trained", *options, *at]) == status
    errors = capfd.readouterr().err
    assert received in errors
    assert "Traceback" not in errors


def test_explain_suggests_to_resume_an_incomplete_run(trained: Run) -> None:
    from eyetune.errors import UsageError

    paused = Run(trained.workspace, replace(trained.record, results=None))
    with pytest.raises(UsageError) as caught:
        paused.explain()
    assert "--resume" in (caught.value.fix or "")


def test_explain_help_has_examples(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "--help"]) == 0
    assert "eyetune explain latest" in capfd.readouterr().out
