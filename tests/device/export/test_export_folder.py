"""The folder of an export: its manifest, and what may be replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eyetune.device.boards.profiles import load_board
from eyetune.device.export import export_folder
from eyetune.device.export.export_folder import MANIFEST, MODEL, Manifest
from eyetune.errors import BoardError, UsageError, WorkspaceError
from eyetune.recipe import Recipe

MANIFEST_VALUE = Manifest(
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


def test_read_manifest_returns_what_was_written(tmp_path: Path) -> None:
    export_folder.write_manifest(tmp_path, MANIFEST_VALUE)
    assert export_folder.read_manifest(tmp_path) == MANIFEST_VALUE
    assert '"multiply_adds": 5' in (tmp_path / MANIFEST).read_text()  # the earlier name


@pytest.mark.parametrize("text", ["", "{}", "null", '{"format": 99}', "\x00\xff", "[" * 100_000])
def test_read_manifest_refuses_a_damaged_file(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as caught:
        export_folder.read_manifest(tmp_path)
    assert caught.value.received


def test_read_manifest_refuses_a_time_without_its_error(tmp_path: Path) -> None:
    export_folder.write_manifest(tmp_path, MANIFEST_VALUE)
    values = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps({**values, "latency_error_ms": None}))
    with pytest.raises(UsageError, match="export"):
        export_folder.read_manifest(tmp_path)
    text = json.dumps({**values, "validation_images": 10**400})
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(UsageError, match="64 bits"):
        export_folder.read_manifest(tmp_path)


def test_read_refuses_a_folder_that_is_not_an_export(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        export_folder.read_manifest(tmp_path)
    assert MANIFEST in (caught.value.expected or "")
    with pytest.raises(BoardError) as missing:
        export_folder.read_model(tmp_path)
    assert MODEL in (missing.value.expected or "")


def test_check_target_accepts_new_and_empty_folders(tmp_path: Path) -> None:
    folder = tmp_path / "firmware"
    export_folder.check_target(folder, overwrite=False)
    folder.mkdir()
    export_folder.check_target(folder, overwrite=False)


def test_check_target_protects_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (tmp_path, tmp_path / "thesis.txt", tmp_path / "link"):
        with pytest.raises(UsageError):
            export_folder.check_target(path, overwrite=True)


def test_check_target_replaces_an_export_only_on_request(tmp_path: Path) -> None:
    export_folder.write_manifest(tmp_path, MANIFEST_VALUE)
    with pytest.raises(UsageError):
        export_folder.check_target(tmp_path, overwrite=False)
    export_folder.check_target(tmp_path, overwrite=True)


def test_replaced_export_keeps_the_former_one_after_a_failure(tmp_path: Path) -> None:
    folder = tmp_path / "firmware"
    folder.mkdir()
    (folder / "old").write_text("old")

    def fail() -> None:
        with export_folder.replaced_export(folder) as partial:
            (partial / "new").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["firmware"]
    assert [path.name for path in folder.iterdir()] == ["old"]
    with export_folder.replaced_export(folder) as partial:
        (partial / "new").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["firmware"]
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_replaced_export_reports_an_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(WorkspaceError),
        export_folder.replaced_export(tmp_path / "file" / "deep"),
    ):
        pass


def test_changed_files_names_changed_and_missing_files(tmp_path: Path) -> None:
    names = ("model.tflite", "model_data.c", "other")
    for name in names:
        (tmp_path / name).write_text(name)
    digests = export_folder.digests(tmp_path, [tmp_path / name for name in names])
    manifest = MANIFEST_VALUE.model_copy(update={"files": digests})
    assert export_folder.changed_files(tmp_path, manifest) == ()
    (tmp_path / "model_data.c").write_text("touched")
    (tmp_path / "other").unlink()
    assert export_folder.changed_files(tmp_path, manifest) == ("model_data.c", "other")


def test_labels_text_has_one_line_per_class() -> None:
    text = export_folder.labels_text(("cat", "two\nlines", "  wide   open "))
    assert text == "cat\ntwo lines\nwide open\n"


def test_read_manifest_from_before_resize_tells_photos_from_frames(tmp_path: Path) -> None:
    data = Recipe().with_(data__source="photos").data
    export_folder.write_manifest(tmp_path, MANIFEST_VALUE.model_copy(update={"data": data}))
    path = tmp_path / MANIFEST
    values = json.loads(path.read_text())
    del values["data"]["resize"], values["resize"]
    path.write_text(json.dumps(values))
    manifest = export_folder.read_manifest(tmp_path)
    assert manifest.data.resize == "squash"
    assert manifest.resize == "crop"
