"""`eyetune gap`."""

from __future__ import annotations

from pathlib import Path

from eyetune.api.run import Run
from tests.api.test_gap import labels_of, write_pictures
from tests.cli.conftest import Terminal


def test_gap_shows_properties_causes_and_a_picture(
    eyetune: Terminal, trained: Run, at: list[str], tmp_path: Path
) -> None:
    images = trained.dataset().validation.images // 3
    write_pictures(tmp_path / "frames", images, labels_of(trained))
    options = ["--camera-data", str(tmp_path / "frames"), "--output", str(tmp_path / "out"), *at]
    value = eyetune.json("gap", trained.id, *options)
    assert value["num_camera"] == 20
    assert {cause["property"] for cause in value["causes"]} >= {"color cast", "framing"}
    assert all(Path(path).exists() for path in value["pictures"])
    assert eyetune("gap", trained.id, *options) == 0
    for text in ("brightness", "exposure", "orientation", "Picture:"):
        assert text in eyetune.output


def test_gap_needs_pictures(eyetune: Terminal, trained: Run, at: list[str], tmp_path: Path) -> None:
    assert eyetune.error("gap", trained.id, "--camera-data", tmp_path, *at)["status"] == 2
