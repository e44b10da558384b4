"""Images as a user's own `fit` expects them: float32 from 0 to 1, computed only if needed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from eyetune.data.dataset import Floats, Images, normalize


class ScaledImages(NDArrayOperatorsMixin):
    """A stand-in for the array `images / 255` in float32, computed when it is needed.

    Indexing computes only the requested part.

    Args:
        images: uint8, shape (N, ...), 0 to 255.

    Example:
        >>> scaled = ScaledImages(np.full((2, 4, 4, 1), 51, np.uint8))
        >>> scaled.shape, len(scaled), scaled.dtype.name, f"{(scaled * 2).max():.1f}"
        ((2, 4, 4, 1), 2, 'float32', '0.4')
    """

    def __init__(self, images: Images) -> None:
        self._images = images
        self._whole: Floats | None = None
        self.shape = images.shape
        self.ndim = images.ndim
        self.size = images.size
        self.dtype = np.dtype(np.float32)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, key: Any) -> Any:
        return normalize(self._images[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self._whole is None:
            self._whole = normalize(np.asarray(self._images))
        if copy:
            return np.array(self._whole, dtype=dtype, copy=copy)
        return np.asarray(self._whole, dtype=dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        return getattr(ufunc, method)(*map(plain, inputs), **settings)

    def __array_function__(self, function: Any, _types: Any, args: Any, settings: Any) -> Any:
        return function(*plain(args), **plain(settings))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # missing while a copy is made
            raise AttributeError(name)
        return getattr(np.asarray(self), name)


def plain(value: Any) -> Any:
    """Return a value in which every `ScaledImages` is replaced by an array."""
    if isinstance(value, ScaledImages):
        return np.asarray(value)
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    if type(value) is dict:
        return {name: plain(item) for name, item in value.items()}
    return value
