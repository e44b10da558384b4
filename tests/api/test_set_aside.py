"""Files moved aside and back: nothing is lost, whatever interrupts it or stands in the list."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from eyetune.analysis.data_findings import FindingKind
from eyetune.api.set_aside import LIST_FILE, set_aside, set_aside_files, undo_check
from eyetune.errors import DataError, EyetuneError, UsageError

FILES = ("cat/a.png", "cat/b.png", "dog/a.png", "dog/deep/b.png", "dog/c.png")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "photos"


def files_of(root: Path) -> dict[str, tuple[Path, str]]:
    return {name: (root / name, name.split("/")[0]) for name in FILES}


def contents(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in root.rglob("*")
        if path.is_file()
    }


def move(root: Path, *names: str) -> Path:
    moved = set_aside(root, files_of(root), dict.fromkeys(names, FindingKind.LABEL))
    return moved.folder


def test_moved_files_come_back_as_they_were(root: Path) -> None:
    before = contents(root)
    folder = move(root, "cat/a.png", "dog/deep/b.png")
    assert set(contents(root)) == set(FILES) - {"cat/a.png", "dog/deep/b.png"}
    assert folder.parent == root.parent
    move(root, "dog/c.png")
    undone = undo_check(root)
    assert set(undone.moved) == {"cat/a.png", "dog/deep/b.png", "dog/c.png"}
    assert contents(root) == before
    assert not folder.exists()
    with pytest.raises(UsageError):
        undo_check(root)


def test_last_file_of_a_class_stays(root: Path) -> None:
    moved = set_aside(root, files_of(root), dict.fromkeys(FILES, FindingKind.LABEL))
    assert (len(moved.moved), len(moved.kept)) == (3, 2)
    assert {name.split("/")[0] for name in contents(root)} == {"cat", "dog"}


def test_interrupted_move_can_be_undone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, whole = contents(root), shutil.move

    def interrupted(source: Path, target: Path) -> None:
        if target.name == "c.png":
            raise OSError(28, "No space left on device")
        whole(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "move", interrupted)
        with pytest.raises(DataError):
            move(root, "cat/a.png", "dog/c.png")
    assert set(contents(root)) != set(before)
    assert undo_check(root).moved == ("cat/a.png",)
    assert contents(root) == before


def test_undo_overwrites_no_file(root: Path) -> None:
    folder = move(root, "cat/a.png", "dog/c.png")
    (root / "cat" / "a.png").write_text("new")
    undone = undo_check(root)
    assert (undone.moved, undone.kept) == (("dog/c.png",), ("cat/a.png",))
    assert (root / "cat" / "a.png").read_text() == "new"
    assert (folder / "cat" / "a.png").read_text() == "cat/a.png"
    (root / "cat" / "a.png").unlink()
    assert undo_check(root).moved == ("cat/a.png",)


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[",
        '{"moved": 3}',
        '{"moved": {"cat/a.png": 3}}',
        json.dumps({"moved": {"../outside/a.png": "x"}}),
        json.dumps({"moved": {"/etc/hostname": "x"}}),
        json.dumps({"moved": {"cat/../../a.png": "x"}}),
        json.dumps({"moved": {"link/a.png": "x"}}),
        json.dumps({"moved": {"cat/\u0000.png": "x"}}),
    ],
)
def test_hostile_list_moves_nothing_out_of_the_folder(root: Path, content: str) -> None:
    folder = move(root, "cat/a.png")
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "a.png").write_text("mine")
    (folder / "link").symlink_to(outside)
    (folder / LIST_FILE).write_text(content)
    with pytest.raises(EyetuneError):
        undo_check(root)
    assert (outside / "a.png").read_text() == "mine"


def test_files_that_a_user_chose_are_moved(root: Path) -> None:
    before = contents(root)
    chosen = {"cat/a.png": FindingKind.LABEL, "dog/deep/b.png": FindingKind.NEAR_DUPLICATE}
    moved = set_aside_files(root, chosen)
    assert set(moved.moved) == set(chosen)
    with pytest.raises(UsageError, match="not there"):
        set_aside_files(root, chosen)
    undo_check(root)
    assert contents(root) == before
    with pytest.raises(UsageError, match="not there"):
        set_aside_files(root, {"../victim.png": FindingKind.LABEL})
