"""The numerical ground that a training stands on: precision, threads, seeds and determinism."""

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

# The processor flag for matrix units that multiply bfloat16 (Intel AMX). Vector instructions alone
# (avx512_bf16) do not make it faster: benchmarks/train_throughput.py measured 0.7 times the speed
# of float32 with those.
MATRIX_FLAG = "amx_bf16"
MAX_SEED = 2**32 - 1  # what NumPy's global generator takes
CUDA_BFLOAT16 = (8, 0)  # compute capability from which NVIDIA's tensor cores take bfloat16


@dataclass(frozen=True)
class Arithmetic:
    """The arithmetic that a training uses, and why.

    Attributes:
        precision: "float32", or "bfloat16" for mixed precision.
        policy: The Keras dtype policy for it.
        reason: Why, in a few words for the user.
    """

    precision: Literal["float32", "bfloat16"]
    policy: str
    reason: str

    def __str__(self) -> str:
        name = "mixed bfloat16" if self.precision == "bfloat16" else self.precision
        return f"{name} ({self.reason})"


def choose_arithmetic(precision: Precision) -> Arithmetic:
    """Turn a recipe's precision into what this machine does; "auto" is bfloat16 only where that is
    native.

    Example:
        >>> choose_arithmetic("float32").policy
        'float32'
    """
    if precision == "auto":
        native, reason = _native_bfloat16()
        return _arithmetic("bfloat16" if native else "float32", reason)
    return _arithmetic(precision, "as the recipe asks")


def arithmetic_as_built(precision: Literal["float32", "bfloat16"]) -> Arithmetic:
    """Return the arithmetic of a model function's network, about which a recipe has no say.

    Example:
        >>> print(arithmetic_as_built("float32"))
        float32 (as the model function builds it)
    """
    return _arithmetic(precision, "as the model function builds it")


def _arithmetic(precision: Literal["float32", "bfloat16"], reason: str) -> Arithmetic:
    return Arithmetic(precision, "mixed_bfloat16" if precision == "bfloat16" else "float32", reason)


def _native_bfloat16() -> tuple[bool, str]:
    gpus = _gpu_capabilities()
    if gpus:
        native = min(gpus) >= CUDA_BFLOAT16
        return native, f"the GPU {'computes' if native else 'does not compute'} bfloat16 natively"
    native = MATRIX_FLAG in _processor_flags()
    return native, f"this processor {'has' if native else 'has no'} matrix units for bfloat16"


def _gpu_capabilities() -> list[tuple[int, int]]:
    import tensorflow as tf

    details = [
        tf.config.experimental.get_device_details(gpu)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return [detail.get("compute_capability", (0, 0)) for detail in details]


def _processor_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except (
        OSError
    ):  # not Linux: no TensorFlow build there multiplies bfloat16 natively on the processor
        return frozenset()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").split())


def start_keras(threads: int = 0) -> None:
    """Import Keras and start TensorFlow, without what they tell about themselves, then and during
    trainings.

    TF_CPP_MIN_LOG_LEVEL in the environment says otherwise: 0 lets everything through. What fails
    still raises.

    Args:
        threads: Of each operation and between operations (0: TensorFlow's choice, one for each
            core).

    Raises:
        UsageError: The number is negative, or TensorFlow already runs with another one.

    Example:
        >>> import eyetune as et
        >>> et.start_keras(threads=1)  # doctest: +SKIP
    """
    if threads < 0:
        raise UsageError(
            "The number of threads is negative.",
            expected="0 (one for each core) or more",
            received=threads,
        )
    with silenced():
        import keras  # noqa: F401
        import tensorflow as tf

        if os.environ["TF_CPP_MIN_LOG_LEVEL"] != "0":
            tf.get_logger().setLevel("ERROR")  # it warns of the graph that each new network needs
        if threads:
            _set_threads(threads)
        tf.constant(0)  # the runtime starts with the first operation, and talks again then


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
            "The number of threads cannot change once TensorFlow runs in this process.",
            expected=f"{threads} threads",
            received=f"{current[0] or os.cpu_count()} threads",
            fix="Ask for them before the first training of the process (in a notebook: restart the kernel).",
        ) from None
