"""What the process of the workbench computes for a recipe."""

from __future__ import annotations

import base64
import io

from PIL import Image

from eyetune.api.fit_check import fit_check
from eyetune.dashboard.inspector import PREVIEW_CLASSES, augmented_images, network_of
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
