"""`eyetune data check`: prints findings, ends well whatever it finds, asks before it moves."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from eyetune.testing.datasets import write_image_folder
from tests.cli.conftest import Terminal


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = write_image_folder(tmp_path / "photos", per_class=6)
    shutil.copy(root / "cat" / "0000.png", root / "cat" / "copy [1].png")
    return root


def test_data_check_lists_findings_and_succeeds(
    eyetune: Terminal, photos: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    value = eyetune.json("data", "check", photos, "--labels", "none", "--output", page)
    kinds = {finding["kind"] for finding in value["findings"]}
    assert kinds == {"exact-duplicate", "small-class"}
    assert value["page"] == str(page)
    assert page.exists()
    assert eyetune("data", "check", photos, "--labels", "none", "--output", page) == 0
    assert "copy [1].png" in eyetune.output


def test_data_check_moves_files_after_asking_and_back(eyetune: Terminal, photos: Path) -> None:
    copy = photos / "cat" / "copy [1].png"
    options = ("--labels", "none", "--kind", "exact-duplicate")
    assert eyetune("data", "check", photos, "--fix", *options) == 1  # there is no terminal to ask
    assert copy.exists()
    value = eyetune.json("data", "check", photos, "--fix", "--yes", *options)
    assert value["set_aside"]["moved"] == ["cat/copy [1].png"]
    assert not copy.exists()
    assert eyetune.json("data", "check", photos, "--undo")["moved"] == ["cat/copy [1].png"]
    assert copy.exists()


@pytest.mark.parametrize(
    "options",
    [("--fix", "--undo"), ("--kind", "copies"), ("--undo",), ("--compare", "--seeds", "0")],
)
def test_data_check_refuses_what_it_cannot_do(
    eyetune: Terminal, photos: Path, options: tuple[str, ...]
) -> None:
    assert eyetune.error("data", "check", photos, "--labels", "none", *options)["status"] == 2


def test_data_check_refuses_to_move_what_has_no_files(eyetune: Terminal) -> None:
    assert eyetune.error("data", "check", "digits", "--fix")["status"] == 2
