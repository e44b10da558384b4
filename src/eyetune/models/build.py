"""Build the network of a recipe: blocks of convolutions, a backbone with a head, or a function."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eyetune.errors import EyetuneError, TrainingError
from eyetune.inputs.limits import LimitExceededError
from eyetune.models import cnn, model_function, transfer
from eyetune.models.parameter_limit import limited_parameters
from eyetune.recipe import ModelSection

if TYPE_CHECKING:
    import keras

_MAX_MESSAGE_CHARACTERS = 200  # of Keras's and TensorFlow's messages


@contextmanager
def translate_build_errors() -> Iterator[None]:
    """Turn the exceptions of Keras and TensorFlow while a network is built into a TrainingError.

    Raises:
        TrainingError: Keras or TensorFlow cannot build the network.
    """
    try:
        yield
    except EyetuneError:
        raise
    except LimitExceededError as error:
        raise TrainingError(
            "The network is too large.", received=str(error), fix=error.fix
        ) from None
    # Keras and TensorFlow have many exceptions for a network that is too large or inconsistent.
    except Exception as error:
        message = " ".join(str(error).split())[:_MAX_MESSAGE_CHARACTERS]
        raise TrainingError(
            "The network cannot be built.", received=f"{type(error).__name__}: {message}"
        ) from error


def build(
    section: ModelSection,
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    dtype: str = "float32",
) -> keras.Model:
    """Build the network of a recipe with random weights, also in the backbone (see `weights`).

    Args:
        section: The recipe's model section.
        image_shape: Height and width in pixels, and number of channels.
        num_classes: Number of outputs, at least 2.
        dtype: Keras dtype policy, for example "mixed_bfloat16"; the softmax is always in float32. A
            model function chooses its own.

    Returns:
        A Keras model from float images of shape (batch, height, width, channels), 0 to 1, to
        probabilities of shape (batch, num_classes).

    Raises:
        RecipeError: The network cannot be built for such images: they shrink to nothing, or are
            not what the backbone needs.
        FunctionError: A model function cannot be loaded, raised an exception, or returned a network
            that cannot be trained.
        TrainingError: Keras or TensorFlow cannot build the network.

    Example:
        >>> build(ModelSection(), (32, 32, 3), 10).count_params()
        167562
        >>> build(ModelSection(base="vgg16"), (32, 32, 3), 10).count_params()
        14748170
    """
    with translate_build_errors():
        if section.has_function:
            return model_function.build(section, image_shape, num_classes)
        with limited_parameters():
            if section.has_backbone:
                return transfer.build(section, image_shape, num_classes, dtype=dtype)
            return cnn.build(section, image_shape, num_classes, dtype=dtype)
