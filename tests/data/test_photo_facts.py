from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from eyetune.data.photo_facts import photo_facts
from eyetune.inputs.limits import IMAGE_PIXELS


def save(path: Path, size: tuple[int, int], mode: str = "RGB", mark: int = 1) -> Path:
    exif = Image.Exif()
    exif[0x0112] = mark
    Image.new(mode, size).save(path, exif=exif)
    return path


def test_photo_facts_count_formats_and_upright_sizes(tmp_path: Path) -> None:
    paths = [
        save(tmp_path / "a.jpg", (40, 30), mark=6),
        save(tmp_path / "b.png", (40, 30), mark=3),
        save(tmp_path / "c.png", (30, 40)),
        save(tmp_path / "d.png", (9, 9), mode="L"),
    ]
    facts = photo_facts(paths, 20, "crop")
    assert facts.num_photos == 4
    assert facts.formats == {"PNG": 3, "JPEG": 1}
    assert facts.sizes == {(30, 40): 2, (40, 30): 1, (9, 9): 1}
    assert next(iter(facts.sizes)) == (30, 40)
    assert (facts.num_rotated, facts.num_grayscale, facts.num_enlarged) == (2, 1, 1)


@pytest.mark.parametrize(
    ("resize", "used", "filled"), [("crop", 0.5, 1.0), ("pad", 1.0, 0.5), ("squash", 1.0, 1.0)]
)
def test_photo_facts_say_how_much_is_used(
    tmp_path: Path, resize: str, used: float, filled: float
) -> None:
    paths = [save(tmp_path / "a.png", (60, 30)), save(tmp_path / "b.png", (30, 60))]
    facts = photo_facts(paths, 10, resize)  # type: ignore[arg-type]
    assert (facts.used_share, facts.filled_share) == (used, filled)


def test_photo_facts_count_unreadable_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.png").write_text("text")
    paths = [tmp_path / "text.png", tmp_path / "missing.png", save(tmp_path / "a.png", (20, 20))]
    seen: list[tuple[int, int]] = []
    facts = photo_facts(
        paths, 10, "crop", on_progress=lambda done, total: seen.append((done, total))
    )
    assert (facts.num_photos, facts.num_unreadable) == (1, 2)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    monkeypatch.setenv(IMAGE_PIXELS.variable, "399")
    assert photo_facts(paths, 10, "crop").num_unreadable == 3
    assert photo_facts([], 10, "crop").to_json()["used_share"] == 0
