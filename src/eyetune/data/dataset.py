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
    """A split as Keras likes it: images in [0, 1] as float32 and one-hot rows as float32."""

    x: Floats
    y: Floats


@dataclass(frozen=True, repr=False)
class Split:
    """Some images and their labels.

    Attributes:
        images: uint8, shape (N, height, width, channels), 0 to 255; usually a view of a
            memory-mapped file.
        labels: int64, shape (N,), each from 0 to the number of classes less one.
    """

    images: Images
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"<Split of {len(self)} images, {'x'.join(map(str, self.images.shape[1:]))}>"

    def take(self, start: int, stop: int) -> Split:
        """Return images `start` to `stop` as a view; nothing is copied."""
        return Split(self.images[start:stop], self.labels[start:stop])

    def class_counts(self, num_classes: int) -> NDArray[np.int64]:
        """Return how many images each class has, shape (num_classes,)."""
        return np.bincount(self.labels, minlength=num_classes)


@dataclass(frozen=True)
class Dataset:
    """Images and labels in three splits.

    Attributes:
        name: Short name, for example "cifar10".
        source: What it was loaded from: a name or an absolute path.
        class_names: Name of each class, in the order of the labels.
        train: What the network learns from.
        validation: What choices are made on.
        test: What is reported, once.
        fingerprint: The same for the same images, labels and splits only.
        notes: What a user should know of how it was made (splits that were made up, files that were
            left out).
        validation_is_seen: Whether the training split holds the validation images too.

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

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height and width in pixels, and channels."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels

    def splits(self) -> Iterator[tuple[str, Split]]:
        """Yield the three splits with their names, in order."""
        yield from (("train", self.train), ("validation", self.validation), ("test", self.test))

    def split(self, name: str) -> Split:
        """Return one split by its name: train, validation or test."""
        return dict(self.splits())[name]

    def arrays(self) -> tuple[Arrays, Arrays, Arrays]:
        """Return all as Keras likes it: images divided by 255 and one-hot labels, float32, as in
        the lab.

        Example:
            >>> import eyetune as et
            >>> (x_train, y_train), (x_val, y_val), (x_test, y_test) = et.load("digits").arrays()
            >>> x_train.dtype.name, float(x_train.max()), y_train.shape
            ('float32', 1.0, (1150, 10))
        """
        train, validation, test = (
            Arrays(normalise(split.images), one_hot(split.labels, self.num_classes))
            for _, split in self.splits()
        )
        return train, validation, test

    def preview(
        self, recipe: Recipe | None = None, *, per_class: int = 10, classes: int = 10
    ) -> Image.Image:
        """Draw the first training images of each class, a row a class; a notebook shows the
        picture.

        Args:
            recipe: Draw one image of each class, and beside it what this recipe's augmentation
                makes of it.
            per_class: Images in a row.
            classes: Rows at most.
        """
        from eyetune.data import preview

        if recipe is None:
            return preview.sample_grid(self, per_class=per_class, classes=classes)
        from eyetune.data.augment import variations

        section = recipe.augment
        return preview.variation_grid(
            self, lambda images: variations(images, section), per_class=per_class, classes=classes
        )

    def _repr_html_(self) -> str:
        from eyetune.data.preview import as_html

        return as_html(self)

    def subset(self, size: int) -> Dataset:
        """Keep the first `size` training images in all: four fifths train, the rest validate;
        size/5 test.

        Args:
            size: At least 5; more than there are keeps all. "In all" counts train and validation
                together.
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


def _join(train: Split, validation: Split, size: int) -> Split:
    """Return the first `size` images of two splits in a row, as a view where one is enough."""
    if size <= len(train):
        return train.take(0, size)
    rest = validation.take(0, size - len(train))
    return Split(
        np.concatenate([train.images, rest.images]), np.concatenate([train.labels, rest.labels])
    )


def readable(name: str) -> str:
    r"""Write out what no text can show: names of files and of classes can hold any bytes and
    control characters.

    Example:
        >>> readable("a\tb\udcff")
        'a\\tb\\udcff'
    """
    hidden = ("Cc", "Cs")
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in hidden else c
        for c in name
    )


def normalise(images: Images) -> Floats:
    """Divide by 255 into float32, as the lab does: 0 to 255 becomes 0 to 1.

    Example:
        >>> normalise(np.array([0, 51, 255], np.uint8))
        array([0. , 0.2, 1. ], dtype=float32)
    """
    return images.astype(np.float32) / np.float32(255)


def one_hot(labels: Labels, num_classes: int) -> Floats:
    """Turn labels into rows that are 1 in their class's column and 0 elsewhere, as
    `to_categorical`.

    Example:
        >>> one_hot(np.array([2, 0]), 3)
        array([[0., 0., 1.],
               [1., 0., 0.]], dtype=float32)
    """
    return np.eye(num_classes, dtype=np.float32)[labels]
