"""What the process that has loaded Keras answers."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from eyetune.api.fit_check import fit_check
from eyetune.api.predict import predict
from eyetune.api.run import Run
from eyetune.dashboard.inspector import (
    PREVIEW_CLASSES,
    answers_for,
    augmented_images,
    explanation_of,
    network_of,
)
from eyetune.recipe import Recipe

RECIPE = Recipe().with_({"data.source": "digits", "model.blocks": [4], "augment.rotate": 20})


def test_network_needs_what_fit_check_says() -> None:
    needs = network_of(RECIPE)
    check = fit_check(RECIPE, "esp-eye", progress=False)
    (board,) = (board for board in needs["boards"] if board["board"] == "esp-eye")
    assert board == check.to_json()
    assert needs["parameters"] == check.footprint.parameters


def test_augmented_images_are_a_picture() -> None:
    kind, _, data = augmented_images(RECIPE).partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.width > picture.height
        assert picture.height > PREVIEW_CLASSES * 8


def test_network_is_drawn() -> None:
    assert network_of(RECIPE)["diagram"].startswith("data:image/png;base64,")


def test_run_is_explained_with_its_activations(trained: Run) -> None:
    explained = explanation_of(trained.workspace.folder, trained.id, 1)
    assert any("validation image 1" in sentence for sentence in explained["sentences"])
    assert "feature-maps" in explained["pictures"]


def test_pictures_are_answered_as_by_predict(trained: Run, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    file = tmp_path / "a.png"
    Image.fromarray(pixels).save(file)
    pictures = [("first.png", file.read_bytes()), ("second.png", b"no picture")]
    answers = answers_for(trained.workspace.folder, trained.id, pictures)
    (answer,) = answers["pictures"]
    (expected,) = predict(trained, file, progress=False).pictures
    assert answer["float"] == expected.to_json()["float"]
    assert answer["int8"] == expected.to_json()["int8"]
    assert answer["image"] == "first.png"
    assert [name for name, _ in answers["unreadable"]] == ["second.png"]
