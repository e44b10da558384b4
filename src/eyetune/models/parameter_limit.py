"""A limit on the weights of a network that a file from elsewhere describes."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eyetune.inputs.limits import PARAMETERS

_LOCK = threading.RLock()


@contextmanager
def limited_parameters() -> Iterator[None]:
    """Refuse layers that are built in the block once they have too many parameters together.

    A description of a few bytes can ask for any number of them, and Keras allocates each weight as
    soon as its layer is built.

    Raises:
        LimitExceededError: There are too many.
    """
    import keras

    total = 0
    owner = threading.get_ident()

    def counted(layer: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal total
        if threading.get_ident() == owner:
            shape = kwargs.get("shape", args[0] if args else None) or ()
            total += math.prod(size for size in shape if isinstance(size, int))
            PARAMETERS.check(total, "a network")
        return add_weight(layer, *args, **kwargs)

    with _LOCK:  # the method is that of all threads
        add_weight = keras.layers.Layer.add_weight
        keras.layers.Layer.add_weight = counted
        try:
            yield
        finally:
            keras.layers.Layer.add_weight = add_weight
