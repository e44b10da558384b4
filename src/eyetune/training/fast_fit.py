"""What makes Keras's `fit` faster without changing what it computes (measured:
benchmarks/tuner_vs_keras_tuner.py).

- Several batches come from the pipeline at once, and one call of the graph trains on them one after
  the other.
- The graph of a step is traced once and not twice.
- The optimizer updates weights when all gradients are there, and Adam in one operation (see
  `speed_up_updates`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any

from eyetune.models.keras_internals import adam_moments, build_loss_and_metrics

if TYPE_CHECKING:
    import keras

MAX_STEPS_AT_ONCE = 8
MAX_BYTES_AT_ONCE = 2**24  # of large images, several of which would fill the memory
CALLS_PER_EPOCH = 10  # at least, for a lively progress bar


def steps_at_once(
    model: keras.Model, images_per_epoch: int, image_shape: tuple[int, ...], batch_size: int
) -> int:
    """Return how many batches a network may train on in one call of the graph.

    Args:
        model: Compiled.
        images_per_epoch: Copies included.
        image_shape: Of an image, or of its features.
        batch_size: Images in each step.
    """
    import keras

    own_step = type(model).train_step is not keras.Model.train_step
    if own_step or model.run_eagerly or model.steps_per_execution != 1:
        return 1
    steps = math.ceil(images_per_epoch / batch_size) // CALLS_PER_EPOCH
    room = MAX_BYTES_AT_ONCE // (4 * batch_size * math.prod(image_shape))
    return max(1, min(MAX_STEPS_AT_ONCE, steps, room))


@contextmanager
def fast_fit(model: keras.Model, batches: Any, batch_size: int, steps: int) -> Iterator[None]:
    """Within it, `fit` of a compiled network is fast, and trains several steps on each batch of the
    pipeline.

    Args:
        model: Built and compiled.
        batches: What it will learn from: a `tf.data.Dataset` of images and labels, `batch_size *
            steps` at once.
        batch_size: Images in each step.
        steps: From `steps_at_once`.
    """
    speed_up_updates(model.optimizer)
    build_state(model, batches)
    if steps == 1:
        yield
        return
    model.train_function = _train_function(model, batch_size)
    try:
        yield
    finally:
        model.train_function = None  # Keras makes its own again


def _train_function(model: keras.Model, batch_size: int) -> Callable[[Any], Any]:
    """Return what Keras calls for each batch of the pipeline: it slices that, and takes Keras's own
    step on each slice.

    See https://keras.io/api/models/model_training_apis/ for what a training function is.
    """
    import tensorflow as tf

    step = (
        tf.function(model.train_step, jit_compile=True, autograph=False)
        if model.jit_compile
        else model.train_step
    )

    def train(iterator: Any) -> Any:
        data = iterator.get_next()
        total = tf.shape(data[0])[0]

        def train_on_slice(start: Any) -> Any:
            step(tuple(part[start : start + batch_size] for part in data))
            return start + batch_size

        tf.while_loop(lambda start: start < total, train_on_slice, [0], parallel_iterations=1)
        return model.get_metrics_result()

    function: Callable[[Any], Any] = tf.function(train, reduce_retracing=True, autograph=False)
    return function


def speed_up_updates(optimizer: keras.optimizers.Optimizer) -> None:
    """Let an optimizer update its variables in less time; results differ by rounding alone, if at
    all.

    - Every update waits for all gradients. A weight is read in the backward pass too, for the
      gradients of the layers before it. TensorFlow may run its update before that, and then has to
      copy the weight, which takes as long as the update itself.
    - Adam updates a variable in one operation: Keras writes the same formula as a dozen, each over
      all of it. See Kingma and Ba, Adam, section 2 (https://arxiv.org/abs/1412.6980): both are the
      form with the rate corrected for bias, and epsilon outside of that.
    """
    optimizer.apply = MethodType(_apply, optimizer)


def _apply(
    optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any] | None = None
) -> None:
    import keras
    import tensorflow as tf

    with tf.control_dependencies([gradient for gradient in gradients if gradient is not None]):
        if (
            type(optimizer) in (keras.optimizers.Adam, keras.optimizers.AdamW)
            and not optimizer.amsgrad
        ):
            optimizer.update_step = partial(_adam_step, optimizer, _adam_numbers(optimizer))
        type(optimizer).apply(optimizer, gradients, variables)


def _adam_numbers(optimizer: Any) -> dict[str, Any]:
    """Return what all variables have in common in one step of Adam."""
    import tensorflow as tf

    beta1, beta2, epsilon = (
        tf.constant(value, tf.float32)
        for value in (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon)
    )
    step = tf.cast(optimizer.iterations + 1, tf.float32)
    return {
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "beta1_power": tf.pow(beta1, step),
        "beta2_power": tf.pow(beta2, step),
    }


def _adam_step(
    optimizer: Any, numbers: dict[str, Any], gradient: Any, variable: Any, learning_rate: Any
) -> None:
    import tensorflow as tf

    if (
        not isinstance(gradient, tf.Tensor) or variable.dtype != "float32"
    ):  # rows of an embedding, half precision
        type(optimizer).update_step(optimizer, gradient, variable, learning_rate)
        return
    first_moment, second_moment = adam_moments(optimizer, variable)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=first_moment.handle,
        v=second_moment.handle,
        lr=tf.cast(learning_rate, tf.float32),
        grad=tf.cast(gradient, tf.float32),
        **numbers,
    )


def build_state(model: keras.Model, batches: Any) -> None:
    """Create the variables of optimizer, loss and metrics, so that the graph is traced only once.

    Keras creates them in the first batch, and traces the graph again after that.

    Args:
        model: Built and compiled.
        batches: The `tf.data.Dataset` of images and labels that it will be trained on.
    """
    import keras

    model.optimizer.build(model.trainable_variables)
    images, labels = (
        keras.KerasTensor((1, *spec.shape[1:]), spec.dtype.name)
        for spec in batches.element_spec[:2]
    )
    build_loss_and_metrics(model, images, labels)
