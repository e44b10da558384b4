"""Check the network that a model function returned: can it be trained on these images?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from eyetune.errors import FunctionError

COMPILE = "model.compile(optimizer=..., loss='categorical_crossentropy', metrics=['accuracy'])"
MEASURE = "In the model function, compile it with metrics=['accuracy']."


@dataclass(frozen=True)
class Fit:
    """The form of a network's images, labels and metrics.

    Attributes:
        has_channels: Whether its images have a channel axis. Images of one channel may have none.
        integer_labels: Whether its loss takes integer labels instead of one-hot rows.
        gives_logits: Whether its outputs are logits instead of probabilities, according to its
            loss.
        metrics: Names of its metrics, the loss included.
        accuracy: Name of the metric that is the accuracy.
        output_dtype: Type of its outputs.
    """

    has_channels: bool
    integer_labels: bool
    gives_logits: bool
    metrics: tuple[str, ...]
    accuracy: str
    output_dtype: str = "float32"


def check(model: Any, image_shape: tuple[int, int, int], num_classes: int) -> Fit:
    """Check that a network can be trained on such images. It is built here if necessary.

    Args:
        model: What the model function returned.
        image_shape: Height and width in pixels, and number of channels.
        num_classes: Number of classes, at least 2.

    Raises:
        FunctionError: It is not a compiled Keras model, or its inputs, outputs, loss or metrics do
            not fit.
    """
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
    images = _images(model, image_shape)
    outputs = _outputs(model, images, num_classes)
    integer_labels, metrics = _measured(model, images, outputs, num_classes)
    return Fit(
        has_channels=images.ndim == 4,
        integer_labels=integer_labels,
        gives_logits=bool(getattr(_loss(model), "from_logits", False)),
        metrics=metrics,
        accuracy=_accuracy(metrics),
        output_dtype=keras.backend.standardize_dtype(outputs.dtype),
    )


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
        received=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
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
    if type(model).train_step is not keras.Model.train_step:
        # A train_step of the user's own may measure in its own way.
        names = ["loss", *(metric.name for metric in model.metrics)]
        return first, tuple(dict.fromkeys(names))
    raise FunctionError(
        "The loss or a metric of the model function's network does not fit its outputs.",
        expected=(
            f"a loss of one-hot or integer labels and outputs of shape (batch, {num_classes})"
        ),
        received=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
    )


def _loss(model: Any) -> Any:
    loss = getattr(model, "loss", None)
    values = list(loss.values()) if isinstance(loss, dict) else loss
    return values[0] if isinstance(values, list | tuple) and len(values) == 1 else loss


def _is_sparse(model: Any) -> bool:
    loss = _loss(model)
    names = (loss, getattr(loss, "name", ""), getattr(loss, "__name__", ""), type(loss).__name__)
    return any("sparse" in str(name).lower() for name in names)


def _accuracy(metrics: tuple[str, ...]) -> str:
    """Return the first metric that is an accuracy; top-k accuracies do not count."""
    for name in metrics:
        if re.search("acc", name, re.IGNORECASE) and "top" not in name.lower():
            return name
    raise FunctionError(
        "The network of the model function does not measure its accuracy.",
        expected="an accuracy among its metrics",
        received=", ".join(metrics),
        fix=MEASURE,
    )
