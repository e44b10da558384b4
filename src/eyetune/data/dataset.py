"""A dataset: uint8 images and integer labels in three splits, as immutable values."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eyetune.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

    from eyetune.recipe import Recipe

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
Floats = NDArray[np.float32]


class Arrays(NamedTuple):
    """A split as arrays for Keras.

    Attributes:
        x: Images, float32 in [0, 1], shape (N, height, width, channels).
        y: One-hot labels, float32, shape (N, number of classes).
    """

    x: Floats
    y: Floats


@dataclass(frozen=True, repr=False)
class Split:
    """Images and their labels.

    Attributes:
        images: uint8, shape (N, height, width, channels), 0 to 255; usually a view of a
            memory-mapped file.
        labels: int64, shape (N,), each from 0 to the number of classes minus 1.
    """

    images: Images
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"<Split of {len(self)} images, {'x'.join(map(str, self.images.shape[1:]))}>"

    def take(self, start: int, stop: int) -> Split:
        """Return the images from `start` to before `stop`, as a view without a copy."""
        return Split(self.images[start:stop], self.labels[start:stop])

    def class_counts(self, num_classes: int) -> NDArray[np.int64]:
        """Return the number of images of each class, int64, shape (num_classes,)."""
        return np.bincount(self.labels, minlength=num_classes)


@dataclass(frozen=True)
class Dataset:
    """Images and labels in three splits.

    Attributes:
        name: Short name, for example "cifar10".
        source: Where it was loaded from: a name or an absolute path.
        class_names: Name of each class, in the order of the labels.
        train: The images that networks are trained on.
        validation: The images that choices are based on.
        test: The images of the final evaluation.
        fingerprint: Hash of images, labels and splits.
        notes: Remarks for the user, for example about skipped files.
        validation_is_seen: Whether the training split includes the validation images.
        calibration: Images that are held out of the validation split; see `hold_out`.

    Example:
        >>> import eyetune as et
        >>> digits = et.load("digits")
        >>> digits.train.images.shape, digits.num_classes
        ((1150, 32, 32, 3), 10)
    """

    name: str
    source: str
    class_names: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    fingerprint: str
    notes: tuple[str, ...] = ()
    validation_is_seen: bool = False
    calibration: Split | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height and width in pixels, and number of channels."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels

    def splits(self) -> Iterator[tuple[str, Split]]:
        """Yield (name, split) for train, validation and test, in this order."""
        yield from (("train", self.train), ("validation", self.validation), ("test", self.test))

    def split(self, name: str) -> Split:
        """Return the split with a name: train, validation or test."""
        return dict(self.splits())[name]

    def arrays(self) -> tuple[Arrays, Arrays, Arrays]:
        """Return train, validation and test as arrays: images divided by 255, one-hot labels.

        Example:
            >>> import eyetune as et
            >>> (x_train, y_train), (x_val, y_val), (x_test, y_test) = et.load("digits").arrays()
            >>> x_train.dtype.name, float(x_train.max()), y_train.shape
            ('float32', 1.0, (1150, 10))
        """
        train, validation, test = (
            Arrays(normalize(split.images), one_hot(split.labels, self.num_classes))
            for _, split in self.splits()
        )
        return train, validation, test

    def preview(
        self, recipe: Recipe | None = None, *, per_class: int = 10, classes: int = 10
    ) -> Image.Image:
        """Draw the first training images of each class, one row per class.

        Args:
            recipe: Draw one image of each class, and beside it images with this recipe's
                augmentation.
            per_class: Images in a row.
            classes: Largest number of rows.
        """
        from eyetune.data import preview

        if recipe is None:
            return preview.sample_grid(self, per_class=per_class, classes=classes)
        from eyetune.data.augment import variations

        section, camera = recipe.augment, recipe.data.camera
        return preview.variation_grid(
            self,
            lambda images: variations(images, section, camera=camera),
            per_class=per_class,
            classes=classes,
        )

    def _repr_html_(self) -> str:
        from eyetune.data.preview import as_html

        return as_html(self)

    def subset(self, size: int) -> Dataset:
        """Return a dataset with the first `size` training and validation images.

        Four fifths of them train and the rest validates. The test split has `size` / 5 images.

        Args:
            size: Number of images, at least 5. All are kept if there are fewer.

        Raises:
            DataError: The size is below 5.
        """
        available = len(self.train) + len(self.validation)
        if size >= available:
            return self
        if size < 5:
            raise DataError("The subset is too small.", expected="at least 5 images", received=size)
        first = _join(self.train, self.validation, size)
        cut = size * 4 // 5
        return replace(
            self,
            train=first.take(0, cut),
            validation=first.take(cut, size),
            test=self.test.take(0, max(1, size // 5)),
            fingerprint=f"{self.fingerprint}-first{size}",
        )

    def hold_out(self, share: float) -> Dataset:
        """Return a dataset whose last validation images are held out as `calibration`.

        Args:
            share: Share of the validation images, above 0 and below 1; at least one is held out,
                and at least one is left.

        Raises:
            DataError: There are fewer than two validation images.
        """
        num_images = len(self.validation)
        if num_images < 2:
            raise DataError(
                "There are too few validation images to hold some of them out.",
                expected="at least 2",
                received=num_images,
            )
        num_left = min(max(1, num_images - round(share * num_images)), num_images - 1)
        return replace(
            self,
            validation=self.validation.take(0, num_left),
            calibration=self.validation.take(num_left, num_images),
            fingerprint=f"{self.fingerprint}-held{num_images - num_left}",
        )


def _join(train: Split, validation: Split, size: int) -> Split:
    """Return the first `size` images of two splits, as a view if the first split is enough."""
    if size <= len(train):
        return train.take(0, size)
    rest = validation.take(0, size - len(train))
    return Split(
        np.concatenate([train.images, rest.images]), np.concatenate([train.labels, rest.labels])
    )


def readable(name: str) -> str:
    r"""Return a name with control characters and undecodable bytes as escape sequences.

    Example:
        >>> readable("a\tb\udcff")
        'a\\tb\\udcff'
    """
    hidden = ("Cc", "Cs")
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in hidden else c
        for c in name
    )


def normalize(images: Images) -> Floats:
    """Return images divided by 255, as float32 from 0 to 1.

    Example:
        >>> normalize(np.array([0, 51, 255], np.uint8))
        array([0. , 0.2, 1. ], dtype=float32)
    """
    return images.astype(np.float32) / np.float32(255)


def one_hot(labels: Labels, num_classes: int) -> Floats:
    """Return one-hot rows of labels, like `keras.utils.to_categorical`.

    Args:
        labels: int64, shape (N,), each from 0 to num_classes - 1.
        num_classes: Number of columns.

    Returns:
        float32, shape (N, num_classes).

    Example:
        >>> one_hot(np.array([2, 0]), 3)
        array([[0., 0., 1.],
               [1., 0., 0.]], dtype=float32)
    """
    return np.eye(num_classes, dtype=np.float32)[labels]
