"""Export and verify: from a trained run to a verified folder, and what is refused."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

import eyetune as et
from eyetune._stderr import silenced
from eyetune.api.run import Run
from eyetune.device.estimate.tflite import footprint_of, read
from eyetune.device.export import tflm
from eyetune.device.export.conversions import Method
from eyetune.device.export.export_folder import (
    MANIFEST,
    MODEL,
    changed_files,
    read_manifest,
)
from eyetune.device.export.export_text import export_rows
from eyetune.device.export.model_card import model_card
from eyetune.device.export.quantize import quantize
from eyetune.device.export.verify import Verification
from eyetune.errors import BoardError, DataError, RunNotFoundError, UsageError
from eyetune.values.firmware_formats import FIRMWARE_FORMATS

SMALL_BOARD = """
name = "small"
title = "Small"
flash_bytes = 500_000
partition_bytes = 465_000
firmware_bytes = 460_000
arena_bytes = 4096
clock_hz = 1_000_000
"""


@pytest.fixture(scope="module")
def exported(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> et.Export:
    folder = tmp_path_factory.mktemp("exports") / "firmware"
    return et.export(trained, folder, formats=["c", "esp-idf", "arduino"], progress=False)


@pytest.fixture(scope="module")
def s3_export(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> et.Export:
    folder = tmp_path_factory.mktemp("s3") / "firmware"
    return et.export(trained, folder, board="esp32-s3-eye", formats=["c"], progress=False)


@pytest.fixture(scope="module")
def verified(exported: et.Export, trained: Run) -> Verification:
    return et.verify(exported.folder, workspace=trained.workspace, progress=False)


def test_export_shows_itself_in_a_notebook(exported: et.Export) -> None:
    assert repr(exported).endswith(f"for ESP-EYE, in {exported.folder}>")
    page = exported._repr_html_()
    assert f"{exported.manifest.flash_bytes:,} of " in page
    assert all(html.escape(note) in page for note in exported.notes)


def test_export_holds_all_that_a_board_needs(exported: et.Export) -> None:
    names = {path.name for path in exported.folder.iterdir()}
    assert names >= {MANIFEST, MODEL, "labels.txt", "report.html", *FIRMWARE_FORMATS}
    labels = (exported.folder / "labels.txt").read_text().split()
    assert labels[:2] == ["airplane", "automobile"]
    manifest = exported.manifest
    assert manifest.flash_bytes == (exported.folder / MODEL).stat().st_size
    assert manifest.image_shape == (32, 32, 3)
    assert 0 < manifest.arena_bytes <= manifest.board.arena_bytes
    assert manifest.latency_ms is not None
    assert et.open_export(exported.folder) == exported


@pytest.mark.parametrize("format_name", FIRMWARE_FORMATS)
def test_export_firmware_holds_the_network(exported: et.Export, format_name: str) -> None:
    (source,) = (exported.folder / format_name).rglob("model_data.c*")
    numbers = re.findall(r"0x([0-9a-f]{2})\b", source.read_text().partition("{")[2])
    assert bytes.fromhex("".join(numbers)) == (exported.folder / MODEL).read_bytes()


def test_export_has_a_report_with_pictures(exported: et.Export) -> None:
    plots = {path.name for path in (exported.folder / "plots").iterdir()}
    assert plots == {"curves.svg", "confusion.svg", "mistakes.svg"}  # nothing else was tried
    (tried,) = exported.manifest.tried
    assert tried.exported
    assert tried.flash_bytes == exported.manifest.flash_bytes
    page = (exported.folder / "report.html").read_text()
    for heading in ("By class", "Mistakes", "Training", "Flashing"):
        assert f"{heading}</h" in page


def test_model_card_states_accuracy_and_limits(exported: et.Export, verified: Verification) -> None:
    card = (exported.folder / "MODEL_CARD.md").read_text()
    for text in (verified.judgement.text, str(verified.conclusion), "airplane"):
        assert text in card
    rows = export_rows(exported.manifest)
    assert rows["tensor arena"] in card
    before = model_card(exported.manifest)
    assert "Not verified yet" in before
    assert rows["accuracy in int8"] in before
    evil = exported.manifest.model_copy(update={"label": "a|b <script>\n# c"})
    assert model_card(evil).startswith("# a\\|b \\<script\\> \\# c for ")


def test_export_says_that_validation_images_were_trained_on(archive: Path, tmp_path: Path) -> None:
    edits = {"model.blocks": [2], "model.dense": [], "fit.epochs": 1}
    run = et.train(
        et.Recipe().with_({**edits, "data.train_on_validation": True}),
        archive,
        workspace=tmp_path / "workspace",
        progress=False,
        plots=False,
    )
    export = et.export(run, tmp_path / "firmware", formats=["c"], progress=False)
    assert export.manifest.validation_is_seen
    assert any("was trained on the validation images" in note for note in export.notes)
    for name in ("report.html", "MODEL_CARD.md"):
        text = (export.folder / name).read_text()
        assert "trained on these images, too" in text or "was trained, too" in text
        assert "choices were based" not in text
    for split, is_seen in (("validation", True), ("test", False)):
        result = et.verify(export.folder, split=split, workspace=run.workspace, progress=False)
        assert any("trained on these" in warning for warning in result.warnings) == is_seen
    assert (
        "validation images, which it was trained on" in (export.folder / "report.html").read_text()
    )


def test_readme_of_a_c_array_lists_answers_only(exported: et.Export) -> None:
    """No program prints the result of a self-test there."""
    texts = {name: (exported.folder / name / "README.md").read_text() for name in ("c", "esp-idf")}
    assert {name: "self-test: PASS" in text for name, text in texts.items()} == {
        "c": False,
        "esp-idf": True,
    }
    lines = texts["c"].partition("## Expected answers")[2].splitlines()
    answers = [line for line in lines if line.startswith("    ")]
    assert len(answers) == 3
    assert set(answers) < set(texts["esp-idf"].splitlines())


def test_export_is_about_as_accurate_as_float(exported: et.Export, trained: Run) -> None:
    assert exported.manifest.float_validation_accuracy == trained.validation_accuracy
    assert exported.accuracy_drop is not None
    assert abs(exported.accuracy_drop) <= 0.11  # on few images
    (chosen,) = [each for each in exported.manifest.conversions if each.chosen]
    assert chosen.int8_accuracy == exported.manifest.int8_validation_accuracy


def test_export_uses_the_ranges_that_training_has_learned(archive: Path, tmp_path: Path) -> None:
    edits = {"model.blocks": [4], "model.dense": [], "fit.epochs": 1, "fit.batch_size": 16}
    run = et.train(
        et.Recipe().with_({**edits, "fit.quantize": "int8", "fit.quantize_epochs": 1}),
        archive,
        workspace=tmp_path / "workspace",
        progress=False,
        plots=False,
    )
    export = et.export(run, tmp_path / "firmware", formats=["c"], progress=False)
    first = export.manifest.conversions[0]
    assert first.method is Method.LEARNED
    assert (
        abs(first.int8_accuracy - run.history[-1].value("val_accuracy")) <= 0.051
    )  # one image of 20


def test_export_is_reproducible(exported: et.Export, trained: Run, tmp_path: Path) -> None:
    again = et.export(trained, tmp_path / "again", formats=["c"], progress=False)
    assert (again.folder / MODEL).read_bytes() == (exported.folder / MODEL).read_bytes()


def test_export_of_a_keras_file_equals_that_of_its_run(
    exported: et.Export, verified: Verification, trained: Run, archive: Path, tmp_path: Path
) -> None:
    path = tmp_path / "network.keras"
    shutil.copy(trained.folder / "model.keras", path)
    folder = tmp_path / "firmware"
    with pytest.raises(UsageError) as caught:
        et.export(path, folder, formats=["c"], progress=False)
    assert "--data" in (caught.value.fix or "")
    manifest = et.export(path, folder, formats=["c"], data=archive, progress=False).manifest
    assert (folder / MODEL).read_bytes() == (exported.folder / MODEL).read_bytes()
    assert (manifest.run, manifest.label) == (None, "network.keras")
    assert manifest.float_validation_accuracy == exported.manifest.float_validation_accuracy
    assert manifest.parameters == exported.manifest.parameters
    plots = {plot.name for plot in (folder / "plots").iterdir()}
    assert plots == {"confusion.svg", "mistakes.svg"}
    assert "whether it was trained" in (folder / "report.html").read_text()
    assert "network.keras" in (folder / "MODEL_CARD.md").read_text()

    again = et.verify(folder, progress=False)
    assert again.confusion == verified.confusion
    assert again.float_accuracy == verified.float_accuracy
    path.write_bytes(b"another file")
    assert et.verify(folder, num_images=3, progress=False).float_accuracy is None


def test_export_of_a_tflite_file_keeps_it(
    exported: et.Export, verified: Verification, archive: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "firmware"
    source = exported.folder / MODEL
    export = et.export(source, folder, formats=["c"], data=archive, progress=False)
    assert (folder / MODEL).read_bytes() == source.read_bytes()
    manifest = export.manifest
    assert manifest.int8_validation_accuracy == exported.manifest.int8_validation_accuracy
    assert (manifest.float_validation_accuracy, export.accuracy_drop) == (None, None)
    assert manifest.arena_bytes == exported.manifest.arena_bytes
    value = export.to_json()
    low, high = value["int8_validation_accuracy_interval"]
    assert 0 <= low <= value["int8_validation_accuracy"] <= high <= 1
    assert "float_validation_accuracy_interval" not in value
    assert "The int8 network on 20 validation images" in (folder / "report.html").read_text()
    assert "| accuracy in float |" not in (folder / "MODEL_CARD.md").read_text()
    assert et.verify(folder, progress=False).confusion == verified.confusion


def test_export_refuses_a_file_that_the_s3_would_compute_incorrectly(
    exported: et.Export, archive: Path, tmp_path: Path
) -> None:
    source = exported.folder / MODEL  # its dense layer has a scale for each of ten outputs
    options: dict[str, Any] = {
        "board": "esp32-s3-eye",
        "formats": ["c"],
        "data": archive,
        "progress": False,
    }
    with pytest.raises(BoardError, match="10 outputs"):
        et.export(source, tmp_path / "firmware", **options)
    refused, fitting = et.fit_checks(source, ["esp32-s3-eye", "esp-eye"])
    assert (refused.verdict, fitting.verdict) == ("does not fit", "fits")
    assert "10 outputs" in refused.to_json()["reasons"][0]
    assert "--board esp32-s3-eye" in refused.advice[0]


def test_network_that_the_converter_crashes_on_is_an_error(archive: Path, tmp_path: Path) -> None:
    stack = [keras.layers.Reshape((32, 96)), keras.layers.GRU(8), keras.layers.Dense(10)]
    path = tmp_path / "loop.keras"
    keras.Sequential([keras.Input((32, 32, 3)), *stack]).save(path)
    with pytest.raises(BoardError, match="crashed"):
        et.export_model(path, tmp_path / "files", data=archive, progress=False)
    with pytest.raises(BoardError, match="crashed"):
        et.verify_file(path, archive, progress=False)


def test_export_says_that_outputs_are_no_probabilities(archive: Path, tmp_path: Path) -> None:
    layers = [keras.layers.Flatten(), keras.layers.Dense(10)]
    network = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    path = tmp_path / "logits.tflite"
    path.write_bytes(quantize(network, et.load(archive).train.images))
    export = et.export(path, tmp_path / "firmware", formats=["c"], data=archive, progress=False)
    assert not export.manifest.returns_probabilities
    assert any("no probabilities" in note for note in export.notes)
    assert any("guessing" in note and "0 to 1" in note for note in export.notes)
    network.save(tmp_path / "logits.keras")
    export = et.export(
        tmp_path / "logits.keras", tmp_path / "other", formats=["c"], data=archive, progress=False
    )
    assert export.manifest.returns_probabilities


def test_export_refuses_a_tflite_file_in_float(archive: Path, tmp_path: Path) -> None:
    layers = [keras.layers.Flatten(), keras.layers.Dense(10)]
    network = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    path = tmp_path / "float.tflite"
    with silenced():
        path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())
    with pytest.raises(UsageError, match="float"):
        et.export(path, tmp_path / "new", data=archive, progress=False)
    assert not (tmp_path / "new").exists()


def test_export_sets_aside_scratch_memory_on_the_s3(
    exported: et.Export, s3_export: et.Export
) -> None:
    assert s3_export.manifest.arena_bytes >= exported.manifest.arena_bytes
    assert s3_export.manifest.arena_scratch_bytes > exported.manifest.arena_scratch_bytes == 0


def test_export_shows_its_steps(
    trained: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    et.export(trained, tmp_path / "firmware", formats=["c"])
    lines = capfd.readouterr().err.splitlines()
    assert len([line for line in lines if line.endswith("...")]) >= 4
    assert any("training images" in line for line in lines)


def test_open_export_notes_firmware_that_resizes_differently(
    exported: et.Export, tmp_path: Path
) -> None:
    values = json.loads((exported.folder / MANIFEST).read_text())
    assert values["resize"] == values["data"]["resize"] == "crop"
    values["data"]["source"] = "photos"  # from before there was a choice
    del values["resize"], values["data"]["resize"]
    (tmp_path / MANIFEST).write_text(json.dumps(values))
    assert len(et.open_export(tmp_path).notes) == len(exported.notes) + 1


def test_export_refuses_arguments_before_writing(trained: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError):
        et.export(trained, folder, overwrite=True)
    new = tmp_path / "new"
    with pytest.raises(UsageError) as caught:
        et.export(trained, new, formats=["esp-idv"])
    assert caught.value.received == "esp-idv"
    with pytest.raises(UsageError):
        et.export(trained, new, formats=[])
    with pytest.raises(UsageError) as caught:
        et.export(trained, new, board="esp-ey")
    assert caught.value.received == "esp-ey"
    with pytest.raises(RunNotFoundError):
        et.export("nothing", new, workspace=trained.workspace)
    with pytest.raises(UsageError):  # a run has its own images
        et.export(trained, new, data="digits")
    with pytest.raises(UsageError):  # ESP-IDF does not support it
        et.export(trained, new, board="nucleo-l4r5zi")
    assert not new.exists()
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_export_refuses_a_network_that_does_not_fit(trained: Run, tmp_path: Path) -> None:
    board = tmp_path / "small.toml"
    board.write_text(SMALL_BOARD)
    with pytest.raises(BoardError) as caught:
        et.export(trained, tmp_path / "new", board=board, formats=["c"], progress=False)
    assert "flash" in (caught.value.received or "")
    assert not (tmp_path / "new").exists()


def test_export_refuses_an_arena_that_is_too_large_only_as_it_is_set_aside(
    exported: et.Export, trained: Run, tmp_path: Path
) -> None:
    """The computed arena fits exactly, but firmware sets aside whole KiB."""
    needs = footprint_of(read((exported.folder / MODEL).read_bytes()))
    arena_bytes = needs.arena_bytes
    large_flash = SMALL_BOARD.replace("500_000", "5_000_000").replace("465_000", "4_900_000")
    board = tmp_path / "small.toml"
    board.write_text(large_flash.replace("4096", f"{arena_bytes}"))
    with pytest.raises(BoardError) as caught:
        et.export(trained, tmp_path / "new", board=board, formats=["c"], progress=False)
    assert f"{arena_bytes:,}" in str(caught.value.received)
    assert not (tmp_path / "new").exists()


def test_verify_passes_and_is_kept_with_the_export(
    exported: et.Export, verified: Verification, trained: Run
) -> None:
    assert verified.passed, verified.failures
    assert verified.split == "test"
    assert verified.num_images == trained.record.data.num_test
    assert verified.float_accuracy == trained.evaluation("test").accuracy
    kept = json.loads((exported.folder / "verification.json").read_text())
    assert kept == json.loads(json.dumps(verified.to_json()))
    page = (exported.folder / "report.html").read_text()
    assert verified.interpreter in page
    assert str(verified.conclusion) in page[: page.index("<nav")]
    wrong = verified.num_images * (1 - verified.int8_accuracy)
    assert len(verified.mistakes) == round(min(wrong, 18))
    assert all(mistake.true != mistake.predicted for mistake in verified.mistakes)
    assert "int8 network" in (exported.folder / "plots" / "mistakes.svg").read_text()


def test_verify_on_fewer_images_keeps_the_verification_on_more(
    exported: et.Export, verified: Verification, trained: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    assert et.verify(exported.folder, num_images=5, workspace=trained.workspace).num_images == 5
    kept = json.loads((exported.folder / "verification.json").read_text())
    assert kept["num_images"] == verified.num_images
    assert f"keeps the verification on {verified.num_images} images" in capfd.readouterr().err


@pytest.mark.skipif(not tflm.is_available(), reason="tflite-micro has no wheel for this platform")
def test_verify_uses_the_arena_that_the_firmware_sets_aside(
    exported: et.Export, verified: Verification
) -> None:
    assert exported.manifest.arena_is_measured
    assert verified.arena is not None
    assert 0 <= exported.manifest.arena_bytes - verified.arena.bytes < 1024


def test_verify_fails_for_a_changed_network(
    exported: et.Export, s3_export: et.Export, trained: Run, tmp_path: Path
) -> None:
    (tmp_path / MANIFEST).write_bytes((exported.folder / MANIFEST).read_bytes())
    (tmp_path / MODEL).write_bytes((s3_export.folder / MODEL).read_bytes())
    result = et.verify(
        tmp_path, split="validation", num_images=5, workspace=trained.workspace, progress=False
    )
    assert MODEL in result.changed_files
    assert not result.passed


def test_verify_without_the_workspace_lacks_the_float_accuracy(
    exported: et.Export, tmp_path: Path
) -> None:
    (tmp_path / MANIFEST).write_bytes((exported.folder / MANIFEST).read_bytes())
    (tmp_path / MODEL).write_bytes((exported.folder / MODEL).read_bytes())
    result = et.verify(tmp_path, num_images=3, workspace=tmp_path / "elsewhere", progress=False)
    assert result.float_accuracy is None
    assert result.num_images == 3


def test_verify_refuses_invalid_arguments(exported: et.Export, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        et.verify(tmp_path)
    assert MANIFEST in (caught.value.expected or "")
    with pytest.raises(UsageError) as caught:
        et.verify(exported.folder, split="train")
    assert caught.value.received == "train"
    with pytest.raises(UsageError) as caught:
        et.verify(exported.folder, num_images=0)
    assert caught.value.received == "0"


def test_verify_refuses_other_images(exported: et.Export, trained: Run, tmp_path: Path) -> None:
    values = json.loads((exported.folder / MANIFEST).read_text())
    (tmp_path / MODEL).write_bytes((exported.folder / MODEL).read_bytes())
    (tmp_path / MANIFEST).write_text(json.dumps({**values, "data_fingerprint": "another"}))
    with pytest.raises(DataError) as caught:
        et.verify(tmp_path, workspace=trained.workspace, progress=False)
    assert "another" in (caught.value.expected or "")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no named pipes")
def test_verify_opens_only_files_of_the_export(exported: et.Export, tmp_path: Path) -> None:
    folder = tmp_path / "firmware"
    shutil.copytree(exported.folder, folder)
    os.mkfifo(tmp_path / "pipe")
    values = json.loads((folder / MANIFEST).read_text())
    values["files"] = {"../pipe": "0", "/dev/zero": "0", "nothing": "0"}
    (folder / MANIFEST).write_text(json.dumps(values))
    assert changed_files(folder, read_manifest(folder)) == ("../pipe", "/dev/zero", "nothing")
