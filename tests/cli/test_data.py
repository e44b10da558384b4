"""`eyetune data show`, `list` and `clear`."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Terminal


def test_data_show_describes_and_draws_samples(
    eyetune: Terminal, archive: Path, tmp_path: Path
) -> None:
    path = tmp_path / "samples.png"
    value = eyetune.json("data", "show", archive, "--output", path)
    assert value["splits"]["train"]["images"] == [80, 32, 32, 3]
    assert value["first_one_hot"][0][value["first_labels"][0]] == 1
    with Image.open(path) as picture:
        assert picture.height > 10 * 32
    assert eyetune("data", "show", archive, "--output", path) == 0
    for text in ("uint8", "airplane", "1 0 0 0 0 0 0 0 0 0"):
        assert text in eyetune.output


def test_data_show_draws_the_look_of_a_camera(
    eyetune: Terminal, archive: Path, tmp_path: Path
) -> None:
    path = tmp_path / "look.png"
    options = ["--per-class", "8", "--camera", "ov2640", "--output", str(path)]
    eyetune.json("data", "show", archive, *options)
    plain = tmp_path / "plain.png"
    eyetune.json("data", "show", archive, *options[:2], "--output", plain)
    with Image.open(path) as look, Image.open(plain) as other:
        assert look.size == other.size
        assert look.tobytes() != other.tobytes()
    assert eyetune.error("data", "show", archive, "--camera", "ov7670")["status"] == 2


def test_data_list_and_clear_show_and_empty_the_cache(
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


def test_data_show_describes_the_photos_of_a_folder(eyetune: Terminal, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(8):
            photo = Image.new("RGB", (64 + number, 48), (250, 20 * number, 0))
            photo.save(tmp_path / "pets" / name / f"{number}.jpg")
    path = tmp_path / "samples.png"
    command = ("data", "show", tmp_path / "pets", "--output", path)
    value = eyetune.json(*command, "--grayscale", "--resize", "pad", "--image-size", "16")
    assert value["photos"]["formats"] == {"JPEG": 16}
    assert value["photos"]["sizes"][0] == {"width": 64, "height": 48, "count": 2}
    assert value["photos"]["used_share"] == 1
    assert value["splits"]["test"]["images"][1:] == [16, 16, 1]
    assert value["splits"]["test"]["smallest_value"] == 0  # the borders
    assert eyetune(*command) == 0
    for text in ("16 JPEG", "64x48 (2)", "71x48"):
        assert text in eyetune.output
