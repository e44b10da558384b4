"""Exports that refuse unknown pictures."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import eyetune as et
from eyetune.api.run import Run
from eyetune.api.unknown import calibration_share, check_enough_images, read_rate
from eyetune.device.estimate.tflite import read
from eyetune.device.export.board_scores import board_scores
from eyetune.device.export.export_folder import MODEL, as_values
from eyetune.device.export.quantize import quantize
from eyetune.device.firmware import UNKNOWN_CLASS, read_known_results
from eyetune.errors import DataError, UsageError


@pytest.fixture(scope="module")
def refusing(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> et.Export:
    folder = tmp_path_factory.mktemp("exports") / "firmware"
    options = et.UnknownOptions(0.1, vote_frames=5)
    return et.export(trained, folder, formats=["c"], unknown=options, progress=False)


def test_export_removes_the_softmax_and_calibrates(refusing: et.Export, trained: Run) -> None:
    manifest, report = refusing.manifest, refusing.manifest.unknown
    assert report is not None
    assert report.softmax_removed
    assert report.scores_are_logits
    assert "SOFTMAX" not in manifest.operators
    assert report.temperature_images + report.calibration_images == 20
    assert report.calibration_rank == 1
    assert (report.num_compared, report.is_held_out) == (1, False)
    assert report.known is not None
    assert report.known.images == trained.record.data.num_test
    assert et.open_export(refusing.folder) == refusing
    assert not any("no probabilities" in note for note in refusing.notes)


def test_export_reports_what_the_network_refuses(refusing: et.Export, trained: Run) -> None:
    report = refusing.manifest.unknown
    assert report is not None
    assert report.known is not None
    content = (refusing.folder / MODEL).read_bytes()
    test = trained.dataset().test
    scores = board_scores(content, test.images)
    classes = read_known_results(scores, report.rule(read(content).output)).classes
    assert report.known.refused == np.sum(classes == UNKNOWN_CLASS)
    assert report.correct_answers == np.sum(classes == test.labels)
    assert {each.name for each in report.unknown} >= {"noise", "handwritten digits"}
    values = as_values(refusing.manifest)["unknown"]
    for each in values["refused"]:
        low, high = each["share"]["interval"]
        assert low <= each["refused"] / each["images"] <= high
    assert json.loads(json.dumps(refusing.to_json()))["unknown"] == values
    for name in ("report.html", "MODEL_CARD.md"):
        text = (refusing.folder / name).read_text()
        assert "Unknown pictures" in text
        assert "handwritten digits" in text


def test_export_firmware_holds_the_rule(refusing: et.Export) -> None:
    report = refusing.manifest.unknown
    assert report is not None
    header = (refusing.folder / "c" / "unknown.h").read_text()
    assert f"#define CONFIDENCE_THRESHOLD {report.threshold}u" in header
    assert "#define VOTE_FRAMES 5" in header
    rule = report.rule(read((refusing.folder / MODEL).read_bytes()).output)
    numbers = header.partition("[256] = {")[2].partition("}")[0].replace("u,", " ").split()
    assert tuple(map(int, numbers)) == rule.weights


def test_export_calibrates_on_as_many_images_as_a_rate_needs(
    trained: Run, tmp_path: Path, no_pictures: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyetune.api.unknown.MAX_IMAGES", 4)
    export = et.export(trained, tmp_path / "firmware", formats=["c"], unknown=0.1, progress=False)
    report = export.manifest.unknown
    assert report is not None
    assert (report.temperature_images, report.calibration_images) == (4, 9)


def test_a_third_of_few_images_is_none() -> None:
    with pytest.raises(DataError) as caught:
        check_enough_images(2, 0.5)
    assert "3" in (caught.value.expected or "")
    assert "--unknown" not in (caught.value.fix or "")
    check_enough_images(3, 0.5)


def test_export_calibrates_on_images_that_were_held_out(
    archive: Path, tmp_path: Path, no_pictures: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyetune.api.unknown.MAX_IMAGES", 4)  # of 10
    edits = {"model.blocks": [2], "model.dense": [], "fit.epochs": 1, "data.calibration": 0.5}
    run = et.train(
        et.Recipe().with_(edits), archive, workspace=tmp_path / "workspace", progress=False
    )
    assert run.record.data.num_validation == 10
    folder = tmp_path / "firmware"
    export = et.export(run, folder, formats=["c"], unknown=0.1, progress=False)
    report = export.manifest.unknown
    assert report is not None
    assert report.is_held_out
    assert (report.temperature_images, report.calibration_images) == (4, 9)
    assert export.manifest.validation_images == 4  # both accuracies are for the same images
    with pytest.raises(DataError) as caught:
        et.export(run, folder, formats=["c"], unknown=0.05, overwrite=True, progress=False)
    assert "19" in (caught.value.expected or "")


def test_export_of_a_tflite_file_keeps_its_softmax(
    archive: Path, tmp_path: Path, no_pictures: None
) -> None:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    network = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    path = tmp_path / "network.tflite"
    path.write_bytes(quantize(network, et.load(archive).train.images))
    export = et.export(
        path, tmp_path / "firmware", formats=["c"], data=archive, unknown=0.2, progress=False
    )
    report = export.manifest.unknown
    assert report is not None
    assert (export.folder / MODEL).read_bytes() == path.read_bytes()
    assert not report.softmax_removed
    assert not report.scores_are_logits
    assert report.num_compared is None
    assert any("may be refused" in note for note in export.notes)


@pytest.mark.parametrize("unknown", [0.0, 0.6, 5.0])
def test_export_refuses_rates_out_of_range(trained: Run, tmp_path: Path, unknown: float) -> None:
    with pytest.raises(UsageError):
        et.export(trained, tmp_path / "new", unknown=unknown)


def test_export_names_the_number_of_images_it_needs(trained: Run, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        et.export(trained, tmp_path / "new", unknown=0.05)
    assert "28" in (caught.value.expected or "")  # two thirds of them are 19
    assert "--unknown 10%" in (caught.value.fix or "")
    assert not (tmp_path / "new").exists()


def test_unknown_options_refuse_other_numbers_of_frames() -> None:
    with pytest.raises(UsageError):
        et.UnknownOptions(0.05, vote_frames=33)


def test_calibration_share_leaves_half_to_the_search(trained: Run) -> None:
    dataset = trained.dataset()  # 20 validation images
    assert calibration_share(dataset, 0.2) == 6 / 20
    assert calibration_share(dataset, 0.1) == 9 / 20
    with pytest.raises(DataError) as caught:
        calibration_share(dataset, 0.05)
    assert "38" in (caught.value.expected or "")


@pytest.mark.parametrize(
    ("text", "rate"), [("5%", 0.05), (" 2.5 % ", 0.025), ("0.1", 0.1), ("29%", 0.29)]
)
def test_read_rate_takes_percent_and_shares(text: str, rate: float) -> None:
    assert read_rate(text) == rate


@pytest.mark.parametrize("text", ["", "five", "5", "-5%", "60%", "nan", "inf%"])
def test_read_rate_refuses_other_text(text: str) -> None:
    with pytest.raises(UsageError):
        read_rate(text)


def test_export_reads_unknown_pictures_before_it_converts(trained: Run, tmp_path: Path) -> None:
    options = et.UnknownOptions(0.1, data=tmp_path / "nothing")
    with pytest.raises(UsageError):
        et.export(trained, tmp_path / "new", formats=["c"], unknown=options, progress=False)
