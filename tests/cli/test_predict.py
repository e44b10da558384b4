"""`eyetune predict`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

from eyetune.testing.datasets import write_image_folder
from tests.cli.conftest import Terminal


def test_predict_names_the_likeliest_classes(
    eyetune: Terminal, at: list[str], tmp_path: Path
) -> None:
    images = sorted(write_image_folder(tmp_path, per_class=1).rglob("*.png"))
    value = eyetune.json("predict", "trained", *images, *at)
    assert [len(row["classes"]) for row in value["predictions"]] == [3, 3, 3]
    assert eyetune("predict", "trained", images[0], "--top", "1", *at) == 0
    for heading in ("float", "int8"):
        assert heading in eyetune.output


def test_predict_draws_what_it_sees_of_a_folder(
    eyetune: Terminal, at: list[str], tmp_path: Path
) -> None:
    folder = write_image_folder(tmp_path / "photos", per_class=2)
    (folder / "notes.txt").write_text("not an image")
    images = sorted(folder.rglob("*.png"))
    images[1].write_bytes(b"broken")
    sheet = tmp_path / "sheet.png"
    value = eyetune.json("predict", "trained", folder, images[0], "--output", sheet, *at)
    read = [images[0], *images[2:], images[0]]
    assert [row["image"] for row in value["predictions"]] == [str(path) for path in read]
    assert [row["image"] for row in value["unreadable"]] == [str(images[1])]
    assert value["contact_sheet"] == str(sheet)
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"
    assert eyetune("predict", "trained", images[1], *at) == 1


def test_predict_refuses_a_folder_without_images(
    eyetune: Terminal, at: list[str], tmp_path: Path
) -> None:
    assert eyetune.error("predict", "trained", tmp_path, *at)["type"] == "UsageError"


def test_predict_checks_paths_before_keras_loads(at: list[str]) -> None:
    script = (
        "import sys; from eyetune.cli.main import run; status = run(sys.argv[1:]); "
        "print(status, 'keras' in sys.modules, 'tensorflow' in sys.modules)"
    )
    arguments = ["predict", "trained", "missing.png", *at]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["2", "False", "False"]
    assert "missing.png" in done.stderr


def test_predict_refuses_what_it_cannot_classify(
    eyetune: Terminal, at: list[str], tmp_path: Path
) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.png")
    photo = str(tmp_path / "photo.png")
    for arguments in (
        ["trained"],
        [photo],
        ["trained", photo, "--camera", "0"],
        ["trained", "--camera", "no-video.mp4"],
        ["trained", photo, "--top", "0"],
        ["trained", photo, "--data", "digits"],
        ["trained", photo, "--output", str(tmp_path / "sheet.txt")],
    ):
        assert eyetune("predict", *arguments, *at) == 2, arguments
