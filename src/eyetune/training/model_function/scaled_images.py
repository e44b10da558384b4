"""Images as a user's own `fit` expects them: a float32 NumPy array of 0 to 1, made only if somebody
looks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from eyetune.data.dataset import Floats, Images, normalise


class ScaledImages(NDArrayOperatorsMixin):
    """Stands for `images / 255` in float32 and is computed when it is needed; a part of it alone
    where that will do.

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
        return normalise(self._images[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self._whole is None:
            self._whole = normalise(np.asarray(self._images))
        return (
            np.array(self._whole, dtype=dtype, copy=copy)
            if copy
            else np.asarray(self._whole, dtype=dtype)
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        return getattr(ufunc, method)(*map(plain, inputs), **settings)

    def __array_function__(self, function: Any, _types: Any, args: Any, settings: Any) -> Any:
        return function(*plain(args), **plain(settings))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # not there yet, while a copy is being made
            raise AttributeError(name)
        return getattr(np.asarray(self), name)


def plain(value: Any) -> Any:
    """Return a value with NumPy's own arrays in place of what stands for them."""
    if isinstance(value, ScaledImages):
        return np.asarray(value)
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(plain(one) for one in value)
    if type(value) is dict:
        return {name: plain(one) for name, one in value.items()}
    return value
