"""Make the photos of docs/own-photos.md: few, uneven, with copies and mistakes among them.

    EYETUNE_DATA=FOLDER python tools/make_photos.py photos

They are 180 JPEG files of three classes, from CIFAR-10's training images, enlarged to sizes and
shapes of many cameras. Among them are 12 copies (resized, mirrored, compressed again) and 9 photos
in the folder of another class, whose names are printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

import eyetune as et

SIZES = {"cat": 96, "dog": 48, "ship": 24}  # photos of each class, before copies
NUM_COPIES, NUM_WRONG = 12, 9
SHORTEST, LONGEST = 120, 480  # pixels of the longer side
ASPECTS = (1.0, 4 / 3, 3 / 4)


def main(folder: Path) -> None:
    """Write the photos."""
    random = np.random.default_rng(0)
    train = et.load("cifar10").train
    names = et.load("cifar10").class_names
    photos: list[tuple[str, Image.Image]] = []
    for name, count in SIZES.items():
        chosen = np.flatnonzero(train.labels == names.index(name))[:count]
        photos += [(name, photo(train.images[index], random)) for index in chosen]
    wrong = random.choice(len(photos), NUM_WRONG, replace=False)
    copied = random.choice(np.setdiff1d(np.arange(len(photos)), wrong), NUM_COPIES, replace=False)
    for number, (label, image) in enumerate(photos):
        others = [name for name in SIZES if name != label]
        target = others[random.integers(len(others))] if number in wrong else label
        path = folder / target / f"IMG_{1000 + number}.jpg"
        write(image, path, int(random.integers(70, 96)))
        if number in wrong:
            print(f"wrong label: {path} is a {label}")
    for number in copied:
        label, image = photos[number]
        path = folder / label / f"IMG_{1000 + number}_copy.jpg"
        changed = ImageOps.mirror(image) if number % 2 else image
        size = (max(32, image.width // 2), max(32, image.height // 2))
        write(changed.resize(size), path, 60)
        print(f"copy: {path}")


def photo(pixels: np.ndarray, random: np.random.Generator) -> Image.Image:
    """Return an image as a photo of some size and shape."""
    aspect = ASPECTS[random.integers(len(ASPECTS))]
    width, height = (32, round(32 / aspect)) if aspect >= 1 else (round(32 * aspect), 32)
    image = ImageOps.fit(Image.fromarray(pixels), (width, height))
    longer = int(random.integers(SHORTEST, LONGEST))
    scale = longer / max(width, height)
    return image.resize((round(width * scale), round(height * scale)), Image.Resampling.BICUBIC)


def write(image: Image.Image, path: Path, quality: int) -> None:
    """Write a JPEG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=quality)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="an empty folder")
    main(parser.parse_args().folder)
