"""Tiny datasets on disk, in every layout that eyetune reads: for tests, here and in plug-ins.

Images are noisy blocks of color with one color per class, so a network learns within a few steps.
"""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from eyetune.data.dataset import Dataset, Images, Labels, Split
from eyetune.data.sources.cifar import CLASS_NAMES


def tiny_images(
    num_images: int, num_classes: int, *, size: int = 32, seed: int = 0
) -> tuple[Images, Labels]:
    """Return noisy uint8 images of shape (num_images, size, size, 3), and their labels.

    Example:
        >>> images, labels = tiny_images(6, 3, size=8)
        >>> images.shape, labels.tolist()
        ((6, 8, 8, 3), [0, 1, 2, 0, 1, 2])
    """
    generator = np.random.default_rng(seed)
    labels = np.arange(num_images, dtype=np.int64) % num_classes
    colors = np.random.default_rng(1).integers(40, 215, (num_classes, 1, 1, 3))
    noise = generator.integers(-40, 41, (num_images, size, size, 3))
    return (colors[labels] + noise).astype(np.uint8), labels


def tiny_dataset(*, num_classes: int = 3, num_train: int = 60, size: int = 16) -> Dataset:
    """Return a dataset in memory, with a third as many validation and test images.

    Example:
        >>> [len(split) for _, split in tiny_dataset().splits()]
        [60, 20, 20]
    """
    others = num_train // 3
    train, validation, test = (
        Split(*tiny_images(count, num_classes, size=size, seed=seed))
        for seed, count in enumerate((num_train, others, others))
    )
    names = tuple(f"class {label}" for label in range(num_classes))
    return Dataset(
        "tiny", "tiny", names, train, validation, test, f"tiny-{num_classes}-{num_train}-{size}"
    )


def write_cifar10(directory: Path, *, images_per_batch: int = 20, binary: bool = False) -> Path:
    """Write a CIFAR-10 archive in the official layout with few images, and return its path."""
    contents = cifar10_files(images_per_batch=images_per_batch, binary=binary)
    path = directory / f"cifar-10-{'binary' if binary else 'python'}.tar.gz"
    return write_archive(
        path, contents, "cifar-10-batches-bin" if binary else "cifar-10-batches-py"
    )


def cifar10_files(*, images_per_batch: int = 20, binary: bool = False) -> dict[str, bytes]:
    """Return the files of a small CIFAR-10, by name."""
    images, labels = tiny_images(6 * images_per_batch, 10)
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    files = {}
    for number, name in enumerate(names):
        part = slice(number * images_per_batch, (number + 1) * images_per_batch)
        if binary:
            records = np.concatenate(
                [labels[part, np.newaxis].astype(np.uint8), rows[part]], axis=1
            )
            files[f"{name}.bin"] = records.tobytes()
        else:
            files[name] = pickle.dumps(
                {b"data": rows[part], b"labels": labels[part].tolist()}, protocol=3
            )
    if binary:
        files["batches.meta.txt"] = ("\n".join(CLASS_NAMES["cifar10"]) + "\n\n").encode()
    else:
        class_names = [name.encode() for name in CLASS_NAMES["cifar10"]]
        files["batches.meta"] = pickle.dumps(
            {b"label_names": class_names, b"num_cases_per_batch": images_per_batch}, protocol=3
        )
    return files


def write_archive(path: Path, files: Mapping[str, bytes], folder: str) -> Path:
    """Write files into a folder of a .tar.gz and return its path."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_image_folder(
    root: Path, *, classes: tuple[str, ...] = ("cat", "dog", "owl"), per_class: int = 10
) -> Path:
    """Write PNG files, one folder per class, and return the root."""
    images, labels = tiny_images(per_class * len(classes), len(classes), size=20)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = root / classes[label] / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return root
