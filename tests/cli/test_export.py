"""Exports on the command line: what is printed about a board's network and about model files."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from eyetune.analysis.class_metrics import accuracy_share
from eyetune.api.run import Run
from tests.cli.conftest import Terminal


def test_export_prints_accuracies_with_intervals(
    eyetune: Terminal, trained: Run, tmp_path: Path, at: list[str]
) -> None:
    num_images = trained.record.data.num_validation
    accuracy = accuracy_share(trained.validation_accuracy, num_images).text(digits=2)
    assert "(" in accuracy
    for format_name in ("c", "tflite"):
        folder = tmp_path / format_name
        arguments = ("export", "trained", "--format", format_name, "--output", folder, *at)
        assert eyetune(*arguments) == 0
        for text in ("accuracy in float", accuracy, "accuracy in int8", f"{num_images} of the val"):
            assert text in eyetune.output, text
    assert eyetune("verify", tmp_path / "c", *at) == 0
    num_images = trained.record.data.num_test
    accuracy = accuracy_share(trained.test_accuracy, num_images).text(digits=2)
    for text in ("accuracy in float", accuracy, f"{num_images} of the test"):
        assert text in eyetune.output, text


def test_export_prints_what_is_refused(
    eyetune: Terminal, trained: Run, tmp_path: Path, at: list[str]
) -> None:
    Image.new("RGB", (40, 30), "green").save(tmp_path / "leaf.png")
    folder = tmp_path / "firmware"
    arguments: list[str | Path] = ["export", "trained", "--format", "c", "--output", folder]
    arguments += ["--unknown", "10%", *at]
    assert eyetune(*arguments, "--unknown-data", tmp_path, "--vote", "1") == 0
    for text in ("refused test pictures", "refused noise", tmp_path.name):
        assert text in eyetune.output, text
    manifest = json.loads((tmp_path / "firmware" / "eyetune-export.json").read_text())
    assert (manifest["unknown"]["rate"], manifest["unknown"]["vote_frames"]) == (0.1, 1)


def test_export_refuses_options_without_unknown(eyetune: Terminal, at: list[str]) -> None:
    assert eyetune("export", "trained", "--vote", "3", *at) == 2
    assert eyetune("export", "trained", "--format", "tflite", "--unknown", "5%", *at) == 2
    assert eyetune("export", "trained", "--unknown", "many", *at) == 2
