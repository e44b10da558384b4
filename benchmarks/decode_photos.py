"""How long photos take to be decoded, for each way to resize them.

    python benchmarks/decode_photos.py --photos 500

Photos are JPEGs of 1152 x 864 pixels (1 megapixel), and a few of 4032 x 3024 (12 megapixels), made
of the digits of scikit-learn with noise. Each row loads them with an empty cache, in all threads.
`squash` is what eyetune did before `data.resize`: its JPEG decoder skips detail.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import get_args

import numpy as np
from PIL import Image

from eyetune.data import load
from eyetune.recipe import Resize
from recorded import markdown_table

SIZES = {"1 megapixel": (1152, 864), "12 megapixels": (4032, 3024)}
QUALITY = 90


def write_photos(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Write JPEGs of two classes that differ from each other."""
    digits = load("digits", image_size=32).train
    generator = np.random.default_rng(0)
    noise = generator.integers(-12, 13, (size[1], size[0], 3), np.int16)
    for number in range(count):
        digit = Image.fromarray(digits.images[number % len(digits)])
        pixels = np.asarray(digit.resize(size, Image.Resampling.BICUBIC)) + np.roll(noise, number)
        path = folder / "ab"[number % 2] / f"{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, quality=QUALITY)


def seconds_to_load(folder: Path, image_size: int, resize: Resize) -> float:
    """Return the time to decode a folder with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["EYETUNE_CACHE"] = cache
        started_at = time.perf_counter()
        load(folder, image_size=image_size, resize=resize)
        return time.perf_counter() - started_at


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=500, help="number of photos of 1 megapixel")
    parser.add_argument("--image-size", type=int, nargs="+", default=[32, 96, 224])
    arguments = parser.parse_args()
    rows = []
    for name, size in SIZES.items():
        is_large = size[0] > 2000
        count = max(arguments.photos // 20, 10) if is_large else arguments.photos
        with tempfile.TemporaryDirectory() as folder:
            write_photos(Path(folder), count, size)
            for image_size in arguments.image_size:
                seconds = [
                    seconds_to_load(Path(folder), image_size, way) for way in get_args(Resize)
                ]
                cells = [f"{1000 * each / count:.1f} ms" for each in seconds]
                rows.append([f"{count} of {name}", str(image_size), *cells])
    print(markdown_table(["photos", "image size", *get_args(Resize)], rows))


if __name__ == "__main__":
    main()
