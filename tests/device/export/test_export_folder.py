"""The folder of an export: written whole or not at all, and nothing else is written over."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyetune.device.boards.profiles import load_board
from eyetune.device.export import export_folder
from eyetune.device.export.export_folder import MANIFEST, Manifest
from eyetune.errors import BoardError, UsageError, WorkspaceError
from eyetune.recipe import Recipe

WHOLE = Manifest(
    run="3f2a1b4c",
    label="3f2a1b4c lab",
    data=Recipe().data,
    data_fingerprint="abc",
    class_names=("cat", "dog"),
    image_shape=(32, 32, 3),
    board=load_board("esp-eye"),
    formats=("esp-idf",),
    operators=("CONV_2D",),
    flash_bytes=1000,
    arena_bytes=2048,
    arena_is_measured=True,
    macs=5,
    latency_ms=1.0,
    latency_error_ms=0.5,
    calibration_images=10,
    validation_images=20,
    float_validation_accuracy=0.5,
    int8_validation_accuracy=0.5,
    versions={"keras": "3"},
    files={},
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    export_folder.write_manifest(tmp_path, WHOLE)
    assert export_folder.read_manifest(tmp_path) == WHOLE


@pytest.mark.parametrize("words", ["", "{}", "null", '{"format": 99}', "\x00\xff", "[" * 100_000])
def test_a_damaged_manifest_is_refused(tmp_path: Path, words: str) -> None:
    (tmp_path / MANIFEST).write_bytes(words.encode("latin-1"))
    with pytest.raises(UsageError, match="cannot be read"):
        export_folder.read_manifest(tmp_path)


def test_a_folder_that_is_no_export_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not an export"):
        export_folder.read_manifest(tmp_path)
    with pytest.raises(BoardError, match="lost its network"):
        export_folder.read_model(tmp_path)


def test_only_an_export_may_be_replaced_and_only_when_asked(tmp_path: Path) -> None:
    place = tmp_path / "firmware"
    export_folder.check_place(place, overwrite=False)
    place.mkdir()
    export_folder.check_place(place, overwrite=False)
    (place / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="no export"):
            export_folder.check_place(place, overwrite=overwrite)
    export_folder.write_manifest(place, WHOLE)
    with pytest.raises(UsageError, match="already"):
        export_folder.check_place(place, overwrite=False)
    export_folder.check_place(place, overwrite=True)
    with pytest.raises(UsageError, match="no folder"):
        export_folder.check_place(place / "thesis.txt", overwrite=True)
    (tmp_path / "link").symlink_to(place)
    with pytest.raises(UsageError, match="no folder"):
        export_folder.check_place(tmp_path / "link", overwrite=True)


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    place = tmp_path / "firmware"
    place.mkdir()
    (place / "old").write_text("old")

    def fail() -> None:
        with export_folder.written_whole(place) as partial:
            (partial / "new").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["firmware"]
    assert [path.name for path in place.iterdir()] == ["old"]
    with export_folder.written_whole(place) as partial:
        (partial / "new").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["firmware"]
    assert [path.name for path in place.iterdir()] == ["new"]


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(WorkspaceError, match="cannot be written"),
        export_folder.written_whole(tmp_path / "file" / "deep"),
    ):
        pass


def test_changed_and_missing_files_are_noticed(tmp_path: Path) -> None:
    for name in ("model.tflite", "model_data.c", "other"):
        (tmp_path / name).write_text(name)
    known = export_folder.digests(
        tmp_path, [tmp_path / name for name in ("model.tflite", "model_data.c", "other")]
    )
    manifest = WHOLE.model_copy(update={"files": known})
    assert export_folder.changed_files(tmp_path, manifest) == ()
    (tmp_path / "model_data.c").write_text("touched")
    (tmp_path / "other").unlink()
    assert export_folder.changed_files(tmp_path, manifest) == ("model_data.c", "other")


def test_labels_stay_one_a_line() -> None:
    assert (
        export_folder.shown_labels(("cat", "two\nlines", "  wide   open "))
        == "cat\ntwo lines\nwide open\n"
    )
