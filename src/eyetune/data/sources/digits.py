"""Scikit-learn's handwritten digits: 1,797 images that are part of the library.

Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, 1998.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from eyetune.data.cache import Decoded
from eyetune.data.dataset import Split


def read(image_size: int) -> Decoded:
    """Return the digits: 8x8 pixels from 0 to 16, scaled to square RGB images from 0 to 255.

    Args:
        image_size: Side length of the images in pixels.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    small = np.round(digits.images * (255 / 16)).astype(np.uint8)
    size = (image_size, image_size)
    large = [
        np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
        for image in small
    ]
    images = np.repeat(np.stack(large)[..., np.newaxis], 3, axis=-1)
    names = tuple(str(name) for name in digits.target_names)
    return Decoded("digits", names, {"train": Split(images, digits.target.astype(np.int64))})
