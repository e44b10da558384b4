"""The numerical settings of a training: precision, threads, seeds and determinism."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from eyetune._stderr import silenced
from eyetune.errors import UsageError
from eyetune.recipe import Precision

# The CPU flag for matrix units that multiply bfloat16 (Intel AMX). Vector instructions alone
# (avx512_bf16) do not help: benchmarks/train_throughput.py measured 0.7 times the speed of float32.
MATRIX_FLAG = "amx_bf16"
MAX_SEED = 2**32 - 1  # the limit of NumPy's global generator
CUDA_BFLOAT16 = (8, 0)  # compute capability of the first tensor cores with bfloat16


@dataclass(frozen=True)
class Arithmetic:
    """The arithmetic of a training, and why it was chosen.

    Attributes:
        precision: "float32", or "bfloat16" for mixed precision.
        policy: The Keras dtype policy for it.
        reason: Why it was chosen, as a short phrase for the user.
    """

    precision: Literal["float32", "bfloat16"]
    policy: str
    reason: str

    def __str__(self) -> str:
        name = "mixed bfloat16" if self.precision == "bfloat16" else self.precision
        return f"{name} ({self.reason})"


def choose_arithmetic(precision: Precision) -> Arithmetic:
    """Return the arithmetic for a recipe's precision on this machine.

    Args:
        precision: "float32", "bfloat16", or "auto": bfloat16 if the hardware supports it natively.

    Example:
        >>> choose_arithmetic("float32").policy
        'float32'
    """
    if precision == "auto":
        native, reason = _native_bfloat16()
        return _arithmetic("bfloat16" if native else "float32", reason)
    return _arithmetic(precision, "set in the recipe")


def arithmetic_as_built(precision: Literal["float32", "bfloat16"]) -> Arithmetic:
    """Return the arithmetic of a network that a model function built, which chose it.

    Example:
        >>> print(arithmetic_as_built("float32"))
        float32 (chosen by the model function)
    """
    return _arithmetic(precision, "chosen by the model function")


def _arithmetic(precision: Literal["float32", "bfloat16"], reason: str) -> Arithmetic:
    return Arithmetic(precision, "mixed_bfloat16" if precision == "bfloat16" else "float32", reason)


def _native_bfloat16() -> tuple[bool, str]:
    gpus = _gpu_capabilities()
    if gpus:
        if min(gpus) >= CUDA_BFLOAT16:
            return True, "the GPU supports bfloat16 natively"
        return False, "the GPU does not support bfloat16 natively"
    if MATRIX_FLAG in _cpu_flags():
        return True, "this CPU has matrix units for bfloat16"
    return False, "this CPU has no matrix units for bfloat16"


def _gpu_capabilities() -> list[tuple[int, int]]:
    import tensorflow as tf

    details = [
        tf.config.experimental.get_device_details(gpu)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return [detail.get("compute_capability", (0, 0)) for detail in details]


def _cpu_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux: TensorFlow multiplies no bfloat16 natively on other CPUs
        return frozenset()
    for line in lines:
        if line.startswith("flags"):
            return frozenset(line.split())
    return frozenset()


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
