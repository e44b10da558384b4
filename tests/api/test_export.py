"""Export and verify: from a trained run to a proven folder, and what is refused on the way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import eyetune as et
from eyetune.api.run import Run
from eyetune.device.export.export_folder import MANIFEST, MODEL
from eyetune.device.export.interpreters import has_micro
from eyetune.errors import BoardError, DataError, RunNotFoundError, UsageError


@pytest.fixture(scope="module")
def done(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> et.Export:
    folder = tmp_path_factory.mktemp("exports") / "firmware"
    return et.export(trained, folder, formats=["c", "esp-idf", "arduino"], progress=False)


@pytest.fixture(scope="module")
def proof(done: et.Export, trained: Run) -> Iterator[Any]:
    return et.verify(done.folder, workspace=trained.workspace, progress=False)


def test_the_folder_holds_all_that_a_board_needs(done: et.Export) -> None:
    names = {path.name for path in done.folder.iterdir()}
    assert names >= {MANIFEST, MODEL, "labels.txt", "report.html", "esp-idf", "arduino", "c"}
    assert (done.folder / "labels.txt").read_text().split()[:2] == ["airplane", "automobile"]
    content = (done.folder / MODEL).read_bytes()
    assert done.manifest.flash_bytes == len(content)
    assert done.manifest.image_shape == (32, 32, 3)
    assert 0 < done.manifest.arena_bytes <= done.manifest.board.arena_bytes
    assert done.manifest.latency_ms is not None


@pytest.mark.parametrize("form", ["esp-idf", "arduino", "c"])
def test_the_firmware_holds_the_network_byte_for_byte(done: et.Export, form: str) -> None:
    (source,) = (done.folder / form).rglob("model_data.c*")
    numbers = re.findall(r"0x([0-9a-f]{2})\b", source.read_text().partition("{")[2])
    assert bytes.fromhex("".join(numbers)) == (done.folder / MODEL).read_bytes()


def test_int8_is_about_as_good_as_float(done: et.Export, trained: Run) -> None:
    assert done.manifest.float_validation_accuracy == trained.validation_accuracy
    assert abs(done.lost) <= 0.11  # of few images


def test_the_proof_holds_and_is_kept_with_the_export(
    done: et.Export, proof: Any, trained: Run
) -> None:
    assert proof.passed, proof.failures
    assert proof.split == "test"
    assert proof.num_images == trained.record.data.num_test
    assert proof.float_accuracy == trained.evaluation("test").accuracy
    kept = json.loads((done.folder / "verification.json").read_text())
    assert kept == json.loads(json.dumps(proof.to_json()))
    page = (done.folder / "report.html").read_text()
    assert "Passed" in page
    assert proof.interpreter in page


def test_a_changed_network_fails_the_proof(trained: Run, tmp_path: Path) -> None:
    again = et.export(trained, tmp_path / "firmware", formats=["c"], progress=False)
    other = et.export(
        trained, tmp_path / "other", formats=["c"], board="esp32-s3-eye", progress=False
    )
    (again.folder / MODEL).write_bytes((other.folder / MODEL).read_bytes())
    found = et.verify(
        again.folder, split="validation", num_images=5, workspace=trained.workspace, progress=False
    )
    assert found.changed_files == (MODEL,)
    assert not found.passed


def test_without_the_workspace_the_float_accuracy_is_not_known(
    done: et.Export, tmp_path: Path
) -> None:
    found = et.verify(done.folder, num_images=3, workspace=tmp_path / "elsewhere", progress=False)
    assert found.float_accuracy is None
    assert found.num_images == 3


def test_the_same_run_gives_the_same_network(done: et.Export, trained: Run, tmp_path: Path) -> None:
    again = et.export(trained, tmp_path / "again", formats=["c"], progress=False)
    assert (again.folder / MODEL).read_bytes() == (done.folder / MODEL).read_bytes()


def test_what_is_wrong_is_said_before_anything_is_written(trained: Run, tmp_path: Path) -> None:
    place = tmp_path / "mine"
    place.mkdir()
    (place / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="no export"):
        et.export(trained, place, overwrite=True)
    with pytest.raises(UsageError, match="no such format"):
        et.export(trained, tmp_path / "new", formats=["esp-idv"])
    with pytest.raises(UsageError, match="no board named"):
        et.export(trained, tmp_path / "new", board="esp-ey")
    with pytest.raises(RunNotFoundError):
        et.export("nothing", tmp_path / "new", workspace=trained.workspace)
    with pytest.raises(UsageError):  # which has no ESP-IDF
        et.export(trained, tmp_path / "new", board="nucleo-l4r5zi")
    assert [path.name for path in tmp_path.iterdir() if path.name != "workspace"] == ["mine"]
    assert [path.name for path in place.iterdir()] == ["thesis.txt"]


def test_a_network_that_does_not_fit_is_refused(trained: Run, tmp_path: Path) -> None:
    small = trained.workspace.folder.parent / "small.toml"
    small.write_text(
        'name = "small"\ntitle = "Small"\nflash_bytes = 500_000\npartition_bytes = 465_000\nfirmware_bytes = 460_000\n'
        "arena_bytes = 4096\nclock_hz = 1_000_000\n"
    )
    with pytest.raises(BoardError, match="does not fit Small") as caught:
        et.export(trained, tmp_path / "new", board=small, formats=["c"], progress=False)
    assert "flash" in str(caught.value.received)
    assert not (tmp_path / "new").exists()


def test_words_of_verify_that_cannot_be_used(done: et.Export, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not an export"):
        et.verify(tmp_path)
    with pytest.raises(UsageError, match="split"):
        et.verify(done.folder, split="train")
    with pytest.raises(UsageError, match="number of images"):
        et.verify(done.folder, num_images=0)


def test_other_images_are_noticed(done: et.Export, trained: Run, tmp_path: Path) -> None:
    values = json.loads((done.folder / MANIFEST).read_text())
    place = tmp_path / "firmware"
    place.mkdir()
    (place / MODEL).write_bytes((done.folder / MODEL).read_bytes())
    (place / MANIFEST).write_text(json.dumps({**values, "data_fingerprint": "another"}))
    with pytest.raises(DataError, match="not those"):
        et.verify(place, workspace=trained.workspace, progress=False)


@pytest.mark.skipif(not has_micro(), reason="tflite-micro has no wheel for this machine")
def test_a_measured_arena_is_what_the_firmware_sets_aside(done: et.Export, proof: Any) -> None:
    assert done.manifest.arena_is_measured
    assert 0 <= done.manifest.arena_bytes - proof.arena.bytes < 1024


def test_what_a_boards_own_kernels_take_besides_is_set_aside(
    done: et.Export, trained: Run, tmp_path: Path
) -> None:
    other = et.export(trained, tmp_path / "s3", board="esp32-s3-eye", formats=["c"], progress=False)
    assert other.manifest.arena_bytes > done.manifest.arena_bytes
