"""What a model function returned: whether it can be trained on these images, and what it takes and
measures.
"""

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
    """How a network fits images and labels.

    Attributes:
        has_channels: Whether images come with their axis of channels; one-channel images may come
            without.
        integer_labels: Whether its loss takes class numbers; otherwise one-hot rows.
        gives_logits: Whether its outputs are logits, as its loss says, and not probabilities.
        metrics: Names of what it measures, the loss included.
        accuracy: The one of them that is the accuracy.
    """

    has_channels: bool
    integer_labels: bool
    gives_logits: bool
    metrics: tuple[str, ...]
    accuracy: str


def check(model: Any, image_shape: tuple[int, int, int], num_classes: int) -> Fit:
    """Refuse what cannot be trained on such images, and say why; a network without weights gets
    them here.

    Raises:
        FunctionError: It is no compiled Keras model, or its inputs, outputs, loss or metrics do not
            fit.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise FunctionError(
            "The model function returned no Keras model.",
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
    )


def _images(model: Any, image_shape: tuple[int, int, int]) -> Any:
    """Return two black images as the model takes them, which also gives it its weights where it has
    none yet.
    """
    import keras

    height, width, channels = image_shape
    shapes: list[tuple[int, ...]] = [image_shape, *([(height, width)] if channels == 1 else [])]
    known = _input_shape(model)
    if known is not None:
        shapes = [shape for shape in shapes if _takes(known, shape)]
        if not shapes:
            raise FunctionError(
                "The network of the model function takes other images.",
                expected=f"input shape {image_shape}",
                received=f"input shape {known[1:] if isinstance(known, tuple) else known}",
                fix="Leave the input shape out, or give the one of the images: height, width, channels.",
            )
    error: Exception | None = None
    for shape in shapes:
        images = np.zeros((2, *shape), np.float32)
        try:
            if isinstance(model, keras.Sequential) and not model.built:
                keras.Sequential(model.layers).build(
                    (None, *shape)
                )  # one that fails stays with the shape it failed for
                model.build((None, *shape))  # a call would fix the size of batches
            model(images, training=False)
            return images
        except (
            Exception
        ) as reason:  # whatever Keras and TensorFlow make of images that are too small
            error = error or reason
    raise FunctionError(
        f"The network of the model function cannot be built for images of shape {image_shape}.",
        received=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
    )


def _input_shape(model: Any) -> Any:
    """Return the shape that a model was made for, batch included; None where any is taken so far."""
    import keras

    if not model.built or not (hasattr(model, "inputs") or isinstance(model, keras.Sequential)):
        return None
    return model.input_shape


def _takes(known: Any, shape: tuple[int, ...]) -> bool:
    if not isinstance(known, tuple) or len(known) != len(shape) + 1:
        return False
    return all(size is None or size == given for size, given in zip(known[1:], shape, strict=True))


def _outputs(model: Any, images: Any, num_classes: int) -> Any:
    outputs = model(images, training=False)
    shape = getattr(outputs, "shape", None)
    if shape is None or tuple(shape) != (len(images), num_classes):
        last = f"Dense({num_classes}, activation='softmax')"
        raise FunctionError(
            "The network of the model function has outputs that do not fit the classes.",
            expected=f"one output for each of {num_classes} classes: shape (batch, {num_classes})",
            received="several outputs"
            if shape is None
            else f"shape (batch, {', '.join(map(str, shape[1:]))})",
            fix=f"End the network with {last}.",
        )
    return outputs


def _measured(
    model: Any, images: Any, outputs: Any, num_classes: int
) -> tuple[bool, tuple[str, ...]]:
    """Find the kind of labels that the loss takes, and the names of what is measured."""
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
        except Exception as reason:  # each loss has its own way to refuse
            error = error or reason
            continue
        model.reset_metrics()
        return integer_labels, tuple(metrics)
    if (
        type(model).train_step is not keras.Model.train_step
    ):  # a training of the user's own measures in its own way
        return first, tuple(dict.fromkeys(["loss", *(one.name for one in model.metrics)]))
    raise FunctionError(
        "The loss or a metric of the model function's network does not fit its outputs.",
        expected=f"a loss of labels, one-hot or by number, and outputs of shape (batch, {num_classes})",
        received=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
    )


def _loss(model: Any) -> Any:
    loss = getattr(model, "loss", None)
    values = list(loss.values()) if isinstance(loss, dict) else loss
    return values[0] if isinstance(values, list | tuple) and len(values) == 1 else loss


def _is_sparse(model: Any) -> bool:
    loss = _loss(model)
    words = (loss, getattr(loss, "name", ""), getattr(loss, "__name__", ""), type(loss).__name__)
    return any("sparse" in str(word).lower() for word in words)


def _accuracy(metrics: tuple[str, ...]) -> str:
    """Return the first metric that is an accuracy; being among the first k is another thing."""
    found = [
        name
        for name in metrics
        if re.search("acc", name, re.IGNORECASE) and "top" not in name.lower()
    ]
    if not found:
        raise FunctionError(
            "The network of the model function does not measure its accuracy.",
            expected="an accuracy among its metrics",
            received=", ".join(metrics),
            fix=MEASURE,
        )
    return found[0]
