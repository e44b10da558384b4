"""Pictures classified as on a board: runs, exports and files, folders and cameras."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import eyetune as et
from eyetune.api.picture_predictions import (
    MAX_SHOWN,
    PictureAnswer,
    PicturePrediction,
    Predictions,
)
from eyetune.api.run import Run
from eyetune.data.sources.image_file import decode
from eyetune.device.export.export_folder import MANIFEST, MODEL
from eyetune.device.firmware.photo import frame_shape, seen_image
from eyetune.errors import BoardError, DataError, UsageError
from eyetune.training.evaluate import classify

SHAPE = (32, 32, 3)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with photos of several sizes, one of them broken."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for number, size in enumerate([(120, 90), (40, 200), (20, 20)]):
        pixels = generator.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "3.jpg").write_bytes(b"broken")
    (folder / "4.HEIC").write_bytes(b"a photo of a phone")
    return folder


@pytest.fixture(scope="module")
def exported(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> et.Export:
    """Return an export that refuses almost all pictures that it is asked about here."""
    folder = tmp_path_factory.mktemp("exports") / "firmware"
    return et.export(trained, folder, formats=["c"], unknown=0.5, progress=False)


def test_predict_of_a_run_answers_in_float_and_int8(trained: Run, photos: Path) -> None:
    result = et.predict(trained, photos, top=4, progress=False)
    assert result.run == trained.id
    assert [Path(picture.name).name for picture in result.pictures] == ["0.png", "1.png", "2.png"]
    (broken, photo_of_phone) = result.unreadable
    assert Path(broken[0]).name == "3.jpg"
    assert broken[1]
    assert photo_of_phone[1] == ".heic is not read; convert it to JPEG"
    images = np.stack([picture.image for picture in result.pictures])
    expected = classify(trained.classifier(), images)
    for picture, probabilities in zip(result.pictures, expected, strict=True):
        photo = decode(Path(picture.name), frame_shape(SHAPE, "crop"), "crop")
        assert np.array_equal(picture.image, seen_image(photo, SHAPE, "crop"))
        answer, int8 = picture.float_answer, picture.int8_answer
        assert answer is not None
        assert int8 is not None
        assert answer.label == trained.record.data.class_names[probabilities.argmax()]
        assert answer.confidence == pytest.approx(probabilities.max(), abs=1e-6)
        assert abs(answer.confidence - int8.confidence) < 0.1
        assert len(int8.classes) == 4
        assert not int8.is_unknown
    sheet = result.contact_sheet()
    assert sheet.width > 3 * 32
    assert repr(result).startswith("<Predictions: 3 pictures by ")
    assert dict(result.summary.rows) == {each.name: each.text for each in result.pictures}
    assert any(broken[0] in sentence for sentence in result.summary.sentences)
    assert [row["image"] for row in result.to_json()["predictions"]] == [
        picture.name for picture in result.pictures
    ]


def test_predict_of_an_export_uses_its_threshold(
    exported: et.Export, trained: Run, photos: Path
) -> None:
    report = exported.manifest.unknown
    assert report is not None
    result = et.predict(exported.folder, photos, workspace=trained.workspace, progress=False)
    assert not result.notes
    for picture in result.pictures:
        answer = picture.int8_answer
        assert answer is not None
        is_below = answer.confidence < report.confidence
        assert answer.is_unknown == is_below
        assert (answer.label == "unknown") == is_below
        assert answer.classes[0][1] == pytest.approx(answer.confidence, abs=0.001)


def test_predict_of_a_camera_votes_as_the_firmware(exported: et.Export, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2", reason="needs the extra camera (OpenCV)")
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5, (160, 120))
    generator = np.random.default_rng(1)
    for _ in range(6):
        blocks = generator.integers(0, 256, (3, 4, 3), dtype=np.uint8)
        writer.write(np.kron(blocks, np.ones((40, 40, 1), np.uint8)))
    writer.release()
    result = et.predict(
        exported.folder, camera=str(path), num_frames=5, workspace=tmp_path, progress=False
    )
    assert [picture.name for picture in result.pictures] == [f"frame {n}" for n in range(1, 6)]
    assert all(picture.float_answer is None for picture in result.pictures)
    assert result.notes  # the run is not in this workspace
    labels = [picture.int8_answer.label for picture in result.pictures if picture.int8_answer]
    for number, picture in enumerate(result.pictures):
        window = labels[max(0, number - 2) : number + 1]
        majority = [label for label in window if 2 * window.count(label) > len(window)]
        assert picture.voted == (majority[0] if majority else "unknown")


def test_predict_of_files_needs_images_for_names(
    exported: et.Export, trained: Run, archive: Path, photos: Path, tmp_path: Path
) -> None:
    tflite = exported.folder / MODEL
    keras = tmp_path / "network.keras"
    shutil.copy(trained.folder / "model.keras", keras)
    photo = photos / "0.png"
    (picture,) = et.predict(tflite, photo, progress=False).pictures
    assert picture.float_answer is None
    assert picture.int8_answer is not None
    assert picture.int8_answer.label.startswith("class ")
    result = et.predict(keras, photo, data=archive, progress=False)
    assert not result.notes
    (picture,) = result.pictures
    assert picture.int8_answer is not None
    assert picture.float_answer is not None
    assert picture.float_answer.label in trained.record.data.class_names
    result = et.predict(keras, photo, progress=False)
    assert result.notes
    assert result.pictures[0].int8_answer is None


def test_predict_refuses_pictures_that_cannot_be_read(trained: Run, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"broken")
    with pytest.raises(DataError):
        et.predict(trained, tmp_path, progress=False)
    with pytest.raises(UsageError):
        et.predict(trained, tmp_path / "missing", progress=False)
    with pytest.raises(UsageError):
        et.predict(trained, progress=False)
    with pytest.raises(UsageError):
        et.predict(trained, camera=0, num_frames=0, progress=False)


def test_predict_refuses_an_export_with_another_network(
    exported: et.Export, photos: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(exported.folder, folder)
    manifest = folder / MANIFEST
    values = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**values, "class_names": values["class_names"][:4]}))
    with pytest.raises(BoardError):
        et.predict(folder, photos / "0.png", progress=False)


def test_predictions_of_many_pictures_show_the_first_ones() -> None:
    answer = PictureAnswer("cat", 0.75, is_unknown=False, classes=(("cat", 0.75), ("dog", 0.25)))
    image = np.zeros(SHAPE, np.uint8)
    pictures = tuple(
        PicturePrediction(f"{number}.png", image, answer, None) for number in range(MAX_SHOWN + 7)
    )
    unreadable = tuple((f"{number}.jpg", "empty") for number in range(MAX_SHOWN + 1))
    summary = Predictions("network.keras", None, pictures, unreadable).summary
    assert summary.rows == {f"{number}.png": "float: cat 75.0%" for number in range(MAX_SHOWN)}
    assert summary.sentences[:-2] == tuple(
        f"Unreadable: {number}.jpg (empty)" for number in range(MAX_SHOWN)
    )
    assert summary.sentences[-2:] == (
        "7 pictures more: see the attribute pictures.",
        "1 unreadable file more: see the attribute unreadable.",
    )
    assert len(repr(pictures[0])) < 400


def test_a_picture_that_is_given_twice_is_shown_twice() -> None:
    answer = PictureAnswer("cat", 0.75, is_unknown=False, classes=(("cat", 0.75),))
    picture = PicturePrediction("a.png", np.zeros(SHAPE, np.uint8), None, answer, voted="cat")
    rows = Predictions("firmware", None, (picture, picture)).summary.rows
    text = "int8: cat 75.0%; by vote: cat"
    assert rows == {"a.png": text, "a.png (2)": text}
