"""The numerical settings of a process: threads, seeds and determinism."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from eyetune._stderr import silenced
from eyetune.errors import UsageError

MAX_SEED = 2**32 - 1  # the limit of NumPy's global generator


def start_keras(threads: int = 0) -> None:
    """Import Keras and start TensorFlow without their log messages, now and during trainings.

    Set TF_CPP_MIN_LOG_LEVEL=0 in the environment to see all messages. Errors are always raised.

    Args:
        threads: Number of threads within an operation and between operations (0: one per core).

    Raises:
        UsageError: The number is negative, or TensorFlow already runs with another number.

    Example:
        >>> import eyetune as et
        >>> et.start_keras(threads=1)  # doctest: +SKIP
    """
    if threads < 0:
        raise UsageError(
            "The number of threads is negative.",
            expected="0 (one per core) or more",
            received=threads,
        )
    with silenced():
        import keras  # noqa: F401
        import tensorflow as tf

        if os.environ["TF_CPP_MIN_LOG_LEVEL"] != "0":
            tf.get_logger().setLevel("ERROR")  # it warns about the graph of each new network
        if threads:
            _set_threads(threads)
        tf.constant(0)  # the runtime starts, and logs again, with the first operation


def set_seed(seed: int, *, deterministic: bool = True) -> None:
    """Set the seeds of Python, NumPy and Keras, and choose deterministic operations.

    Args:
        seed: From 0 to MAX_SEED.
        deterministic: Use only operations that give the same result every time, from now on. On a
            CPU this has no measurable cost. False leaves the choice as it is.
    """
    import keras
    import tensorflow as tf

    if deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


@contextmanager
def preserve_random_state() -> Iterator[None]:
    """Give Python's and NumPy's global generators their current state again afterwards."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


def _set_threads(threads: int) -> None:
    import tensorflow as tf

    threading = tf.config.threading
    current = (
        threading.get_intra_op_parallelism_threads(),
        threading.get_inter_op_parallelism_threads(),
    )
    if current == (threads, threads):
        return
    try:
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        raise UsageError(
            "The number of threads cannot change after TensorFlow has started.",
            expected=f"{threads} threads",
            received=f"{current[0] or os.cpu_count()} threads",
            fix=(
                "Set it before the first training of the process (in a notebook: restart the "
                "kernel)."
            ),
        ) from None
