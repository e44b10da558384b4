"""The duration of a training step in float32 and in bfloat16, measured on this machine.

A step is measured as it is trained: by the graph of Keras's `train_step` with the changes of
`fast_fit`, on a batch of random images.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eyetune.data import AnyDataset, Dataset
from eyetune.models import build as networks
from eyetune.models.model_function import Built, build_with
from eyetune.models.structure import structure
from eyetune.recipe import Recipe
from eyetune.training.backend import preserve_random_state
from eyetune.training.fast_fit import fast_fit
from eyetune.training.load_data import inputs_of
from eyetune.training.pipeline import images_per_epoch
from eyetune.training.stages import compiled, stages
from eyetune.values.network import Network
from eyetune.values.samples import shapes

if TYPE_CHECKING:
    import keras

# Precisions are measured in turn, so that other load on the machine affects both.
MIN_ROUNDS = 8
MIN_SECONDS = 0.25


@dataclass(frozen=True)
class StepSeconds:
    """The shortest duration of a training step in each precision, in seconds."""

    float32: float
    bfloat16: float

    @property
    def speedup(self) -> float:
        """How many times as fast bfloat16 is as float32."""
        return self.float32 / self.bfloat16


@dataclass(frozen=True)
class Trainee:
    """A compiled network that is trained on one batch again and again, from `trainee`.

    Attributes:
        model: The network of the recipe's last stage, which takes the most time for each image.
        batch: Returns the batch, the same each time.
        input_shape: Shape of an image, or of the features of an image; as text if there are
            several inputs.
        batch_size: Images in a step.
        num_images: Images in an epoch.
        num_epochs: Epochs of the stage.
        trainable_from: The first layer of a backbone that is trained; empty if none is.
    """

    model: keras.Model
    batch: Callable[[], Any]
    input_shape: tuple[int, ...] | str
    batch_size: int
    num_images: int
    num_epochs: int
    trainable_from: str = ""

    @property
    def network(self) -> Network:
        """Its layers."""
        return structure(self.model)


def _random_batch(
    batch_size: int, input_shape: tuple[int, ...], label_shape: tuple[int, ...], num_classes: int
) -> tuple[Any, Any]:
    """Return random images and labels; the shape of a label is () for an integer."""
    random = np.random.default_rng(0)
    images = random.random((batch_size, *input_shape), np.float32)
    labels = random.integers(num_classes, size=batch_size)
    if not label_shape:
        return images, labels
    rows = np.eye(num_classes, dtype=np.float32)[labels]
    return images, np.tile(rows, label_shape[0] // num_classes)


def trainee(
    recipe: Recipe, dataset: AnyDataset, policy: str, built: keras.Model | Built | None = None
) -> Trainee:
    """Return the network of a recipe's last stage with random weights, ready to be measured.

    Args:
        recipe: What is trained and how.
        dataset: The data that it is trained on.
        policy: Keras dtype policy of the network.
        built: The network with this policy, if it is there already: what a model function built, or
            the model of a recipe. The measurement trains it.

    Raises:
        EyetuneError: From `models.build` and `model_function.build_with`.
    """
    if recipe.model.has_function:
        if not isinstance(built, Built):
            section = recipe.model
            with networks.translate_build_errors():
                built = build_with(
                    section.function,
                    section.hyperparameters,
                    inputs_of(dataset),
                    seed=0,
                    policy=policy,
                )
        return _function_trainee(recipe, dataset, built)
    assert isinstance(dataset, Dataset)
    num_images = images_per_epoch(dataset.train, recipe.augment)
    *_, stage = (stage for stage in stages(recipe) if not stage.quantized)  # always in float32
    num_classes = dataset.num_classes
    network = built or networks.build(recipe.model, dataset.image_shape, num_classes, dtype=policy)
    model = compiled(stage, network, num_images)
    shape, batch_size = tuple(model.input_shape[1:]), recipe.fit.batch_size
    label_shape = (num_classes * (2 if recipe.loss.teacher else 1),)  # its probabilities follow
    return Trainee(
        model,
        lambda: _random_batch(batch_size, shape, label_shape, num_classes),
        shape,
        batch_size,
        num_images,
        stage.end - stage.start,
        stage.trainable_from,
    )


def _function_trainee(recipe: Recipe, dataset: AnyDataset, built: Built) -> Trainee:
    from eyetune.training.model_function import sample_batches

    given_size = built.loaded.arguments.get("batch_size") or recipe.fit.batch_size
    batch_size = min(int(given_size), len(dataset.train))
    if not isinstance(dataset, Dataset):
        first = dataset.train.take(0, batch_size)
        return Trainee(
            built.model,
            lambda: next(iter(sample_batches.evaluation_batches(first, batch_size))),
            shapes(first.x),
            batch_size,
            len(dataset.train),
            recipe.fit.total_epochs,
        )
    fit, num_classes = built.fit, dataset.num_classes
    shape = dataset.image_shape if fit.has_channels else dataset.image_shape[:2]
    label_shape = () if fit.integer_labels else (num_classes,)
    return Trainee(
        built.model,
        lambda: _random_batch(batch_size, shape, label_shape, num_classes),
        shape,
        batch_size,
        images_per_epoch(dataset.train, recipe.augment),
        recipe.fit.total_epochs,
    )


def measure(float32: Trainee, bfloat16: Trainee) -> StepSeconds:
    """Return the duration of a training step of a network in both precisions.

    Args:
        float32: The network in float32. It is trained.
        bfloat16: The same network in mixed bfloat16. It is trained.
    """
    import tensorflow as tf

    # The processor time of one thread is its duration on a machine without other load. With
    # several threads it is not, since some of them wait.
    is_one_thread = tf.config.threading.get_intra_op_parallelism_threads() == 1
    clock = time.process_time if is_one_thread else time.perf_counter
    with preserve_random_state(), ExitStack() as stack:
        steps = [_step(float32, stack), _step(bfloat16, stack)]
        rounds: list[list[float]] = []
        started_at = time.perf_counter()
        while len(rounds) < MIN_ROUNDS or time.perf_counter() - started_at < MIN_SECONDS:
            rounds.append([_seconds(step, clock) for step in steps])
    return StepSeconds(*(min(seconds) for seconds in zip(*rounds, strict=True)))


def _step(subject: Trainee, stack: ExitStack) -> Callable[[], object]:
    """Return a function that trains a network on one batch. Its graph is traced."""
    import tensorflow as tf

    model = subject.model
    batch = tf.data.Dataset.from_tensors(subject.batch())
    stack.enter_context(fast_fit(model, batch, subject.batch_size, 1))
    data = next(iter(batch))
    step = model.train_step
    if not model.run_eagerly:
        step = tf.function(model.train_step, autograph=False)
    step(data)
    return lambda: step(data)


def _seconds(step: Callable[[], object], clock: Callable[[], float]) -> float:
    started_at = clock()
    step()
    return clock() - started_at
