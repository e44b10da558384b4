"""The arithmetic of a training: named by the recipe, or the faster one by a short measurement.

Whether bfloat16 is faster depends on the processor, the network and the batch size. On a processor
with vector instructions for it (Zen 4), ResNet-8 trains faster and depthwise convolutions slower;
on others, everything is slower. So it is measured, once for each of them. See
docs/decisions/0036-precision-by-measurement.md.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from eyetune._files import acquire_lock, write_text
from eyetune.data import AnyDataset, cache
from eyetune.errors import EyetuneError
from eyetune.recipe import Recipe
from eyetune.training.stages import stages
from eyetune.training.step_seconds import (
    MIN_ROUNDS,
    MIN_SECONDS,
    StepSeconds,
    Trainee,
    measure,
    trainee,
)
from eyetune.values.network import Layer
from eyetune.values.versions import library_versions

if TYPE_CHECKING:
    from eyetune.training.prepared_network import PreparedNetwork

FORMAT = 1  # increase it when the measurement changes: older results are then ignored
MIN_SPEEDUP = 1.05  # of bfloat16 to be chosen
CUDA_BFLOAT16 = (8, 0)  # compute capability of the first tensor cores with bfloat16

# Estimates that say whether a measurement is worth its time, from a core with AVX-512.
MAX_SHARE = 0.05  # of the training that a measurement may take
MACS_PER_SECOND = 40e9  # multiply-accumulates of a thread in training, in float32
MAX_THREADS = 8  # networks for boards gain little from more
SECONDS_PER_LAYER = 0.025  # to trace the graph of a training step
MACS_PER_FORWARD_MAC = 3  # a training step needs those of the gradients too


@dataclass(frozen=True)
class Arithmetic:
    """The arithmetic of a training, and why it was chosen.

    Attributes:
        precision: "float32", or "bfloat16" for mixed precision.
        reason: Why it was chosen, as a short phrase for the user.

    Example:
        >>> print(Arithmetic("bfloat16"))
        mixed bfloat16 (set in the recipe)
    """

    precision: Literal["float32", "bfloat16"]
    reason: str = "set in the recipe"

    @property
    def policy(self) -> str:
        """The Keras dtype policy for it."""
        return "mixed_bfloat16" if self.precision == "bfloat16" else "float32"

    def __str__(self) -> str:
        name = "mixed bfloat16" if self.precision == "bfloat16" else self.precision
        return f"{name} ({self.reason})"


def choose_arithmetic(
    recipe: Recipe,
    dataset: AnyDataset,
    *,
    prepared: PreparedNetwork | None = None,
    max_seconds: float = math.inf,
    on_note: Callable[[str], None] = lambda _: None,
) -> Arithmetic:
    """Return the arithmetic for the training of a recipe on this machine. Keras must be started.

    A named precision is used. Otherwise, on a GPU, bfloat16 is used if the GPU supports it
    natively. On a CPU, a training step is measured in both precisions, unless the training is too
    short for that; the result is cached for this machine, network and batch size. The seed and the
    cache of another network have no influence.

    Args:
        recipe: What is trained and how.
        dataset: The images that it is trained on.
        prepared: The network in float32, if it was prepared already. A measurement trains it.
        max_seconds: Time of the training.
        on_note: Called with a line of text before a measurement, which takes seconds.

    Raises:
        EyetuneError: The network cannot be built, as from `prepare_network`.

    Example:
        >>> from eyetune.testing.datasets import tiny_dataset
        >>> print(choose_arithmetic(Recipe().with_(model__blocks=[4]), tiny_dataset()))
        float32 (a short training)
    """
    precision = recipe.fit.precision
    if precision == "auto" and recipe.model.has_function:
        # `prepare_network` finds out which arithmetic that is.
        return prepared.arithmetic if prepared else Arithmetic("float32", "not yet known")
    if precision in ("float32", "bfloat16"):
        return Arithmetic(precision)
    gpus = _gpu_capabilities()
    if gpus and min(gpus) >= CUDA_BFLOAT16:
        return Arithmetic("bfloat16", "the GPU supports bfloat16 natively")
    if gpus:
        return Arithmetic("float32", "the GPU does not support bfloat16 natively")
    if recipe.model.has_backbone and stages(recipe)[-1].on_features:
        return Arithmetic("float32", "only the head is trained")
    built = (prepared.function or prepared.model) if prepared else None
    max_seconds = min(max_seconds, recipe.fit.seconds or math.inf)
    subject = trainee(recipe, dataset, "float32", built)
    return _faster(recipe, dataset, subject, max_seconds, on_note)


def choose_for_study(
    networks: Sequence[PreparedNetwork],
    *,
    num_epochs: int,
    max_seconds: float = math.inf,
    on_note: Callable[[str], None] = lambda _: None,
) -> Arithmetic:
    """Return the arithmetic for all trainings of a study, measured once. Keras must be started.

    The network with the most multiply-accumulates decides: the large ones take most of the time.

    Args:
        networks: Some networks of the study in float32, one or more. A measurement trains one.
        num_epochs: Epochs that the study will train in all its trials together, at most.
        max_seconds: Time of the study's trainings, of all workers together.
        on_note: Called with a line of text before a measurement, which takes seconds.

    Raises:
        EyetuneError: The network cannot be built again, as from `prepare_network`.
    """
    largest = max(networks, key=lambda prepared: prepared.inspect().costs["macs"])
    recipe = largest.recipe.with_({"fit.epochs": num_epochs})
    return choose_arithmetic(
        recipe, largest.dataset, prepared=largest, max_seconds=max_seconds, on_note=on_note
    )


def _gpu_capabilities() -> list[tuple[int, int]]:
    import tensorflow as tf

    details = [
        tf.config.experimental.get_device_details(gpu)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return [detail.get("compute_capability", (0, 0)) for detail in details]


def _faster(
    recipe: Recipe,
    dataset: AnyDataset,
    float32: Trainee,
    max_seconds: float,
    on_note: Callable[[str], None],
) -> Arithmetic:
    """Return the faster arithmetic for a network on this CPU."""
    if not _is_worth_measuring(float32, max_seconds=max_seconds):
        return Arithmetic("float32", "a short training")

    def measured() -> StepSeconds:
        on_note("Measuring float32 against bfloat16 ...")
        return measure(float32, trainee(recipe, dataset, "mixed_bfloat16"))

    try:
        speedup = _cached(_key(float32), measured).speedup
    except Exception as error:  # Keras, TensorFlow and a user's code have many
        reason = str(error).partition("\n")[0] if isinstance(error, EyetuneError) else repr(error)
        return Arithmetic("float32", f"bfloat16 cannot be measured: {reason:.200}")
    if speedup >= MIN_SPEEDUP:
        return Arithmetic("bfloat16", f"measured: {speedup:.2f} times as fast as float32")
    return Arithmetic("float32", f"measured: bfloat16 is {speedup:.2f} times as fast")


def _is_worth_measuring(subject: Trainee, *, max_seconds: float) -> bool:
    """Return whether a measurement takes a small part of a training only.

    This depends on the training alone, so that a short one gives the same result every time,
    whatever was measured in the meantime.
    """
    network = subject.network
    if not network.input_shape:  # the layers of a user's own class are unknown
        return True
    image_seconds = MACS_PER_FORWARD_MAC * network.macs / (MACS_PER_SECOND * _num_threads())
    training = image_seconds * subject.num_images * subject.num_epochs
    training = min(training, max_seconds)
    tracing = 2 * SECONDS_PER_LAYER * len(network.layers)
    steps = 2 * MIN_ROUNDS * subject.batch_size * image_seconds
    return tracing + max(steps, MIN_SECONDS) <= MAX_SHARE * training


def _num_threads() -> int:
    import tensorflow as tf

    threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count() or 1
    return min(threads, MAX_THREADS)


def _key(subject: Trainee) -> str:
    """Return what the duration of a step depends on, as JSON."""
    import tensorflow as tf

    network = subject.network
    layers = [
        (layer.kind, _settings(layer), layer.output_shape, layer.parameters)
        for layer in network.layers
    ]
    key = {
        "format": FORMAT,
        "layers": layers,
        "input_shape": subject.input_shape,
        "trainable_from": subject.trainable_from,
        "batch_size": subject.batch_size,
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "versions": library_versions("keras", "tensorflow", "tensorflow-cpu"),
    }
    return json.dumps(key, sort_keys=True)


def _settings(layer: Layer) -> str:
    """Return the settings of a layer that determine its duration: not the rate of dropout."""
    return "" if layer.kind == "Dropout" else layer.settings


def _processor() -> list[str]:
    """Return the model and the instructions of this machine's processor."""
    names = ("model name", "cpu family", "model", "stepping", "flags")
    try:
        # One block of lines for each core.
        first, *_ = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")
    except OSError:  # not Linux
        return [platform.machine(), platform.processor()]
    lines = [line for line in first.splitlines() if line.partition(":")[0].strip() in names]
    return lines or [platform.machine(), platform.processor()]


def _cached(key: str, measured: Callable[[], StepSeconds]) -> StepSeconds:
    """Return the cached result of a key; measure it first if it is missing, in one process only.

    A file that is damaged is replaced. If the cache cannot be written, the result is not kept.
    """
    path = cache.measured_directory() / f"{hashlib.sha256(key.encode()).hexdigest()[:20]}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock: Any = acquire_lock(path.with_suffix(".lock"), timeout_seconds=None)
    except OSError:
        lock = nullcontext()
    with lock:
        seconds = _read(path, key)
        if seconds is None:
            seconds = measured()
            with suppress(OSError):
                write_text(path, json.dumps({"key": key, **asdict(seconds)}))
    return seconds


def _read(path: Path, key: str) -> StepSeconds | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        seconds = StepSeconds(float(values["float32"]), float(values["bfloat16"]))
        is_valid = values["key"] == key and min(seconds.float32, seconds.bfloat16) > 0
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return seconds if is_valid else None
