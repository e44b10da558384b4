"""Photos as the firmware sees them."""

from __future__ import annotations

import numpy as np
import pytest

from eyetune.device.firmware import preprocess
from eyetune.device.firmware.image import rgb565
from eyetune.device.firmware.photo import frame_shape, seen_image
from eyetune.recipe import Resize


@pytest.mark.parametrize("resize", ["crop", "pad", "squash"])
@pytest.mark.parametrize("shape", [(32, 32, 3), (40, 60, 1)])
def test_seen_image_is_that_of_the_firmware(shape: tuple[int, int, int], resize: Resize) -> None:
    photo = np.random.default_rng(0).integers(0, 256, frame_shape(shape, resize), dtype=np.uint8)
    image = seen_image(photo, shape, resize)
    assert image.shape == shape
    assert image.dtype == np.uint8
    assert np.array_equal(image.astype(int) - 128, preprocess(rgb565(photo), shape, resize))
