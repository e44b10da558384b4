"""Make Keras's `fit` faster without changing what it computes.

- The pipeline delivers several batches at once, and one call of the graph trains on them in turn.
- The graph of a step is traced once instead of twice.
- The optimizer updates weights after all gradients are computed, and Adam does it in one operation
  (see `speed_up_updates`).
- Batch normalization is one operation (see `fused_batch_norm`).

Measured by benchmarks/train_throughput.py and benchmarks/tuner_vs_keras_tuner.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any

from eyetune.models.keras_internals import adam_moments, build_loss_and_metrics
from eyetune.training.fused_batch_norm import Momentum, fused_batch_norm

if TYPE_CHECKING:
    import keras

MAX_STEPS_AT_ONCE = 8
MAX_BYTES_AT_ONCE = 2**24  # several batches of large images would fill the memory
MIN_CALLS_PER_EPOCH = 10  # each call moves the progress bar


def steps_at_once(
    model: keras.Model, images_per_epoch: int, image_bytes: int, batch_size: int
) -> int:
    """Return the number of batches that a network may train on in one call of the graph.

    Args:
        model: A compiled model.
        images_per_epoch: Training images in an epoch, augmented copies included.
        image_bytes: Size of an image or of its features as the network gets them.
        batch_size: Images in each step.
    """
    import keras

    own_step = type(model).train_step is not keras.Model.train_step
    if own_step or model.run_eagerly or model.steps_per_execution != 1:
        return 1
    steps = math.ceil(images_per_epoch / batch_size) // MIN_CALLS_PER_EPOCH
    room = MAX_BYTES_AT_ONCE // (batch_size * max(1, image_bytes))
    return max(1, min(MAX_STEPS_AT_ONCE, steps, room))


@contextmanager
def fast_fit(
    model: keras.Model, batches: Any, batch_size: int, steps: int, momentum: Momentum | None = None
) -> Iterator[None]:
    """Make `fit` of a network fast inside the context, with several steps on each batch.

    Args:
        model: A built and compiled model.
        batches: The `tf.data.Dataset` of images and labels that it is trained on, `batch_size *
            steps` at once.
        batch_size: Images in each step.
        steps: From `steps_at_once`.
        momentum: Momentum of the running averages of batch normalization. Default: the momentum of
            each layer.
    """
    speed_up_updates(model.optimizer)
    build_state(model, batches)
    with fused_batch_norm(model, momentum):
        if steps > 1:
            model.train_function = _train_function(model, batch_size)
        try:
            yield
        finally:
            if steps > 1:
                model.train_function = None  # Keras makes its own in the next fit


def _train_function(model: keras.Model, batch_size: int) -> Callable[[Any], Any]:
    """Return a `train_function` that slices a batch and takes Keras's own step on each slice.

    See https://keras.io/api/models/model_training_apis/ for the `train_function` of a model.
    """
    import tensorflow as tf

    step = model.train_step
    if model.jit_compile:
        step = tf.function(model.train_step, jit_compile=True, autograph=False)

    def train(iterator: Any) -> Any:
        data = iterator.get_next()
        total = tf.shape(tf.nest.flatten(data)[0])[0]

        def train_on_slice(start: Any) -> Any:
            step(tf.nest.map_structure(lambda part: part[start : start + batch_size], data))
            return start + batch_size

        tf.while_loop(lambda start: start < total, train_on_slice, [0], parallel_iterations=1)
        return model.get_metrics_result()

    function: Callable[[Any], Any] = tf.function(train, reduce_retracing=True, autograph=False)
    return function


def speed_up_updates(optimizer: keras.optimizers.Optimizer) -> None:
    """Make an optimizer update its variables faster. Results differ by rounding only, if at all.

    - Every update waits for all gradients. The backward pass reads a weight too, for the gradients
      of the layers before it. TensorFlow may update the weight before that and then has to copy
      it, which takes as long as the update itself.
    - Adam updates a variable in one operation. Keras computes the same formula in a dozen
      operations, each over the whole variable. See Kingma and Ba, Adam, section 2
      (https://arxiv.org/abs/1412.6980): both use the variant in which the bias correction is part
      of the learning rate.
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
    """Return the arguments of Adam's operation that are the same for all variables."""
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

    # The gradient of an embedding consists of rows, and variables may have half precision.
    if not isinstance(gradient, tf.Tensor) or variable.dtype != "float32":
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
        batches: The `tf.data.Dataset` that it will be trained on: images and labels, or whatever
            the network is trained on.
    """
    import keras
    import tensorflow as tf

    model.optimizer.build(model.trainable_variables)
    batch = tf.nest.map_structure(
        lambda spec: keras.KerasTensor((1, *spec.shape[1:]), spec.dtype.name), batches.element_spec
    )
    build_loss_and_metrics(model, batch)
