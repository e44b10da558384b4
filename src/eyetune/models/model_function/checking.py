"""Check the network that a model function returned: can it be trained on this data?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from eyetune.errors import FunctionError
from eyetune.values.samples import Samples, Tree, labels_of, map_leaves, shapes

COMPILE = "model.compile(optimizer=..., loss='categorical_crossentropy', metrics=['accuracy'])"
MEASURE = "In the model function, compile it with metrics=['accuracy']."


@dataclass(frozen=True)
class ImageInputs:
    """The images of a source, which are scaled and shaped as a network needs them.

    Attributes:
        image_shape: Height and width in pixels, and number of channels.
        num_classes: Number of classes, at least 2.
    """

    image_shape: tuple[int, int, int]
    num_classes: int


# What a network is trained on: images of a source, or samples exactly as a user gave them.
Inputs = ImageInputs | Samples


@dataclass(frozen=True)
class Fit:
    """The form of a network's inputs, targets and metrics.

    Attributes:
        metrics: Names of its metrics, the loss included.
        accuracy: Name of the metric that is the accuracy; None if there is none.
        num_classes: Number of classes that it distinguishes; 0 if it is not a classifier.
        gives_logits: Whether its outputs are logits instead of probabilities, according to its
            loss.
        has_channels: Whether images have a channel axis. Images of one channel may have none.
        integer_labels: Whether its loss takes integer labels of images instead of one-hot rows.
        output_dtype: Type of its outputs; "" if it has several.
        has_own_step: Whether it trains in its own way, by a `train_step` or `test_step` of its
            class, and may measure other metrics.
    """

    metrics: tuple[str, ...]
    accuracy: str | None
    num_classes: int
    gives_logits: bool = False
    has_channels: bool = True
    integer_labels: bool = False
    output_dtype: str = "float32"
    has_own_step: bool = False


def check(model: Any, inputs: Inputs) -> Fit:
    """Check that a network can be trained on its inputs. It is built here if necessary.

    Args:
        model: What the model function returned.
        inputs: What it is trained on.

    Raises:
        FunctionError: It is not a compiled Keras model, or its inputs, outputs, loss or metrics do
            not fit.
    """
    _check_compiled(model)
    return (
        _check_samples(model, inputs)
        if isinstance(inputs, Samples)
        else _check_images(model, inputs)
    )


def _check_compiled(model: Any) -> None:
    import keras

    if not isinstance(model, keras.Model):
        raise FunctionError(
            "The model function did not return a Keras model.",
            expected="a compiled keras.Model",
            received=f"{type(model).__name__}: {model!r:.60}",
            fix="End the function with `return model`." if model is None else None,
        )
    if not model.compiled:
        raise FunctionError(
            "The model function returned a model that is not compiled.",
            expected="a compiled keras.Model",
            fix=f"Before it returns: {COMPILE}",
        )


def _check_images(model: Any, inputs: ImageInputs) -> Fit:
    import keras

    images = _images(model, inputs.image_shape)
    outputs = _outputs(model, images, inputs.num_classes)
    integer_labels, metrics = _measured(model, images, outputs, inputs.num_classes)
    accuracy = _accuracy(metrics)
    if accuracy is None:
        raise FunctionError(
            "The network of the model function does not measure its accuracy.",
            expected="an accuracy among its metrics",
            received=", ".join(metrics),
            fix=MEASURE,
        )
    return Fit(
        metrics=metrics,
        accuracy=accuracy,
        num_classes=inputs.num_classes,
        gives_logits=_gives_logits(model),
        has_channels=images.ndim == 4,
        integer_labels=integer_labels,
        output_dtype=keras.backend.standardize_dtype(outputs.dtype),
        has_own_step=_has_own(model, "train_step", "test_step"),
    )


def _check_samples(model: Any, samples: Samples) -> Fit:
    """Check a network on the first samples, as Keras's `fit` would find out in its first batch."""
    import keras

    few = samples.take(0, 2)
    x, y, sample_weight = (
        map_leaves(_as_tensor, tree) for tree in (few.x, few.y, few.sample_weight)
    )
    try:
        if isinstance(model, keras.Sequential) and not model.built and hasattr(few.x, "shape"):
            model.build((None, *few.x.shape[1:]))  # a call would fix the batch size
        outputs = model(x, training=False)
    except Exception as error:  # Keras and TensorFlow have many errors for inputs that do not fit
        raise FunctionError(
            "The network of the model function cannot be called with the data.",
            expected=f"a network for inputs of shape {shapes(samples.x)}",
            received=_one_line(error),
            fix="The data arrives exactly as it was given: compare its shape with the network's.",
        ) from None
    if _has_own(model, "train_step"):
        metrics = _metrics_of_own_step(model)
    else:
        try:
            model.compute_loss(x, y, outputs, sample_weight)
            metrics = tuple(model.compute_metrics(x, y, outputs, sample_weight))
        except Exception as error:  # each loss and metric has its own errors
            raise FunctionError(
                "The loss or a metric of the model function's network does not fit its outputs.",
                expected=f"a loss of targets of shape {shapes(samples.y)}",
                received=_one_line(error),
            ) from None
        model.reset_metrics()
    is_single = hasattr(outputs, "dtype")
    num_classes = _num_classes(model, outputs, samples.y) if is_single else 0
    return Fit(
        metrics=metrics,
        accuracy=_accuracy(metrics) if is_single else None,
        num_classes=num_classes,
        gives_logits=_gives_logits(model),
        output_dtype=keras.backend.standardize_dtype(outputs.dtype) if is_single else "",
        has_own_step=_has_own(model, "train_step", "test_step"),
    )


def _as_tensor(values: Any) -> Any:
    """Return an array as Keras's `fit` passes it on: floating-point numbers in Keras's type."""
    import keras
    import tensorflow as tf

    if values.dtype.kind in "SU":
        return tf.convert_to_tensor(values)
    return tf.convert_to_tensor(
        values.astype(keras.config.floatx()) if values.dtype.kind == "f" else values
    )


def _num_classes(model: Any, outputs: Any, y: Tree) -> int:
    """Return the number of classes that a network distinguishes, according to its loss.

    One output with binary cross-entropy stands for two classes.
    """
    labels = labels_of(y)
    if labels is None or len(outputs.shape) != 2:
        return 0
    loss, width = re.sub("[^a-z]", "", _loss_names(model).lower()), int(outputs.shape[1])
    if width == 1:
        is_binary = "binarycrossentropy" in loss or "binaryfocal" in loss
        return 2 if is_binary and labels.max() <= 1 else 0
    is_categorical = re.search("categorical(focal)?crossentropy", loss) is not None
    return width if is_categorical and labels.max() < width else 0


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _images(model: Any, image_shape: tuple[int, int, int]) -> Any:
    """Return two black images in the form that the model needs; build the model if necessary."""
    import keras

    height, width, channels = image_shape
    shapes: list[tuple[int, ...]] = [image_shape, *([(height, width)] if channels == 1 else [])]
    input_shape = _input_shape(model)
    if input_shape is not None:
        shapes = [shape for shape in shapes if _accepts(input_shape, shape)]
        if not shapes:
            without_batch = input_shape[1:] if isinstance(input_shape, tuple) else input_shape
            raise FunctionError(
                "The network of the model function is for images of another shape.",
                expected=f"input shape {image_shape}",
                received=f"input shape {without_batch}",
                fix="Leave out the input shape, or use (height, width, channels) of the images.",
            )
    error: Exception | None = None
    for shape in shapes:
        images = np.zeros((2, *shape), np.float32)
        try:
            if isinstance(model, keras.Sequential) and not model.built:
                # On a copy first: a model whose build fails keeps the shape that failed.
                keras.Sequential(model.layers).build((None, *shape))
                model.build((None, *shape))  # a call would fix the batch size
            model(images, training=False)
            return images
        except Exception as reason:  # Keras and TensorFlow have many errors for small images
            error = error or reason
    raise FunctionError(
        f"The network of the model function cannot be built for images of shape {image_shape}.",
        received=_one_line(error) if error else "",
    )


def _input_shape(model: Any) -> Any:
    """Return a model's input shape with the batch axis; None if it accepts any shape so far."""
    import keras

    if not model.built or not (hasattr(model, "inputs") or isinstance(model, keras.Sequential)):
        return None
    return model.input_shape


def _accepts(input_shape: Any, shape: tuple[int, ...]) -> bool:
    if not isinstance(input_shape, tuple) or len(input_shape) != len(shape) + 1:
        return False
    sizes = zip(input_shape[1:], shape, strict=True)
    return all(expected is None or expected == size for expected, size in sizes)


def _outputs(model: Any, images: Any, num_classes: int) -> Any:
    outputs = model(images, training=False)
    shape = getattr(outputs, "shape", None)
    if shape is None or tuple(shape) != (len(images), num_classes):
        received = "several outputs"
        if shape is not None:
            received = f"shape (batch, {', '.join(map(str, shape[1:]))})"
        raise FunctionError(
            "The outputs of the model function's network do not fit the classes.",
            expected=f"one output for each of {num_classes} classes: shape (batch, {num_classes})",
            received=received,
            fix=f"End the network with Dense({num_classes}, activation='softmax').",
        )
    return outputs


def _measured(
    model: Any, images: Any, outputs: Any, num_classes: int
) -> tuple[bool, tuple[str, ...]]:
    """Return whether the loss takes integer labels, and the names of the metrics."""
    import keras

    integers = np.arange(len(images)) % num_classes
    kinds = {True: integers, False: np.eye(num_classes, dtype=np.float32)[integers]}
    first = _is_sparse(model)
    error: Exception | None = None
    for integer_labels in (first, not first):
        labels = keras.ops.convert_to_tensor(kinds[integer_labels])
        try:
            model.compute_loss(images, labels, outputs, None)
            metrics = model.compute_metrics(images, labels, outputs, None)
        except Exception as reason:  # each loss has its own errors
            error = error or reason
            continue
        model.reset_metrics()
        return integer_labels, tuple(metrics)
    if _has_own(model, "train_step"):
        return first, _metrics_of_own_step(model)
    raise FunctionError(
        "The loss or a metric of the model function's network does not fit its outputs.",
        expected=(
            f"a loss of one-hot or integer labels and outputs of shape (batch, {num_classes})"
        ),
        received=_one_line(error) if error else "",
    )


def _has_own(model: Any, *names: str) -> bool:
    """Return whether the class of a model overrides one of Keras's methods."""
    import keras

    return any(getattr(type(model), name) is not getattr(keras.Model, name) for name in names)


def _metrics_of_own_step(model: Any) -> tuple[str, ...]:
    """Return the metrics of a network with a `train_step` of its own, which may measure others."""
    names = ["loss", *(metric.name for metric in model.metrics)]
    return tuple(dict.fromkeys(names))


def _gives_logits(model: Any) -> bool:
    return bool(getattr(_loss(model), "from_logits", False))


def _loss(model: Any) -> Any:
    loss = getattr(model, "loss", None)
    values = list(loss.values()) if isinstance(loss, dict) else loss
    return values[0] if isinstance(values, list | tuple) and len(values) == 1 else loss


def _is_sparse(model: Any) -> bool:
    return "sparse" in _loss_names(model).lower()


def _loss_names(model: Any) -> str:
    """Return all names of a network's loss, in one text."""
    loss = _loss(model)
    names = (loss, getattr(loss, "name", ""), getattr(loss, "__name__", ""), type(loss).__name__)
    return " ".join(map(str, names))


def _accuracy(metrics: tuple[str, ...]) -> str | None:
    """Return the first metric that is an accuracy; top-k accuracies do not count."""
    for name in metrics:
        if re.search("acc", name, re.IGNORECASE) and "top" not in name.lower():
            return name
    return None
