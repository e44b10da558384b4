"""Distillation: a small network learns the predictions of a trained one, besides the labels.

With augmentation, the teacher sees the same augmented image as the student ("consistent teaching").

Sources: Hinton, Vinyals and Dean, 2015 (arXiv:1503.02531); Beyer et al., 2022 (arXiv:2106.05237).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyetune.data import Dataset, cache
from eyetune.errors import RecipeError
from eyetune.recipe import LossSection, Recipe
from eyetune.training.features import predicted
from eyetune.training.pipeline import TeacherPredictions

if TYPE_CHECKING:
    import keras

MIN_PROBABILITY = 1e-7  # Keras's epsilon: its logarithm is finite


@dataclass(frozen=True)
class Teacher:
    """A trained network whose predictions are learned.

    Attributes:
        network: A model from float32 images in [0, 1] to class probabilities.
        digest: Hash of its file.
    """

    network: keras.Model
    digest: str


def open_teacher(recipe: Recipe, dataset: Dataset, path: Path | None = None) -> Teacher | None:
    """Return the teacher of a recipe; None if it has none. A process reads its file once.

    Args:
        recipe: Its loss section may name a teacher.
        dataset: The images that the student is trained on.
        path: The teacher's `.keras` file, if the recipe names a run.

    Raises:
        RecipeError: The file does not exist, or its network is for images of another shape or for
            another number of classes.
        TrainingError: The file is damaged.
    """
    if not recipe.loss.teacher:
        return None
    file = path or Path(recipe.loss.teacher).expanduser()
    try:
        state = file.stat()
    except OSError as error:
        raise RecipeError(
            f"The teacher {recipe.loss.teacher} cannot be read.",
            expected="loss.teacher: a complete run, or the path of a .keras file",
            received=f"{file}: {error.strerror or error}",
        ) from None
    shape = (dataset.image_shape, dataset.num_classes)
    teacher = _read(file.resolve(), shape, state.st_size, state.st_mtime_ns)
    shapes = tuple(teacher.network.input_shape[1:]), teacher.network.output_shape[-1]
    if shapes != (dataset.image_shape, dataset.num_classes):
        raise RecipeError(
            f"The teacher {recipe.loss.teacher} was trained for other images or classes.",
            expected=_task(dataset.image_shape, dataset.num_classes),
            received=_task(*shapes),
            fix="Train a teacher on the same data, or leave loss.teacher empty.",
        )
    return teacher


def _task(image_shape: tuple[int, ...], num_classes: int) -> str:
    return f"images of {'x'.join(map(str, image_shape))}, {num_classes} classes"


@lru_cache(maxsize=1)
def _read(path: Path, shape: tuple[tuple[int, int, int], int], _size: int, _time: int) -> Teacher:
    from eyetune.models.model_function import ImageInputs
    from eyetune.training.model_files import load_classifier

    network = load_classifier(path, ImageInputs(*shape))
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
    return Teacher(network, digest)


def teacher_predictions(
    teacher: Teacher,
    recipe: Recipe,
    dataset: Dataset,
    on_note: Callable[[str], None] = lambda _: None,
) -> TeacherPredictions:
    """Return the teacher's probabilities for the training images.

    Args:
        teacher: From `open_teacher`.
        recipe: It says whether the images change from epoch to epoch.
        dataset: The training images.
        on_note: Called with a line of text now and then while the probabilities are computed.

    Returns:
        Without augmentation, float32 rows of shape (N, number of classes) from the cache. With
        augmentation, a function from a batch of images to such rows.

    Raises:
        DataError: The cache cannot be written.
    """
    if recipe.augments_images:
        return lambda images: teacher.network(images, training=False)
    split = dataset.train
    return cache.computed(
        {
            "kind": "probabilities",
            "data": dataset.fingerprint,
            "split": "train",
            "network": teacher.digest,
        },
        (len(split), dataset.num_classes),
        lambda: predicted(teacher.network, split, "Predictions of the teacher", on_note),
        name="probabilities of a teacher",
        source=dataset.source,
    )


def distilled(usual: keras.losses.Loss, section: LossSection) -> keras.losses.Loss:
    """Return a loss for labels with the teacher's probabilities beside them.

    It is share * T**2 * (cross-entropy of the teacher's and the student's softened probabilities)
    plus (1 - share) times the usual loss. The factor T**2 keeps the teacher's gradients equally
    large at any temperature T. For labels alone, as in validation, it is the usual loss.

    Args:
        usual: The loss for one-hot labels.
        section: The share of the teacher, and the temperature T.
    """
    import keras

    share, temperature = section.teacher_share, section.temperature

    class Distilled(keras.losses.Loss):  # type: ignore[misc]
        def call(self, y_true: Any, y_pred: Any) -> Any:
            num_classes = y_pred.shape[-1]
            if y_true.shape[-1] == num_classes:
                return usual.call(y_true, y_pred)
            soft = keras.ops.softmax(_logits(y_true[:, num_classes:]) / temperature)
            own = keras.ops.log_softmax(_logits(y_pred) / temperature)
            from_teacher = -(temperature**2) * keras.ops.sum(soft * own, axis=-1)
            return share * from_teacher + (1 - share) * usual.call(y_true[:, :num_classes], y_pred)

    return Distilled(name="distilled")


def _logits(probabilities: Any) -> Any:
    """Return logits of probabilities: their logarithms, equal up to a constant."""
    import keras

    return keras.ops.log(keras.ops.maximum(probabilities, MIN_PROBABILITY))


def is_correct(y_true: Any, y_pred: Any) -> Any:
    """Return 1.0 for each image whose most probable class is its label's, else 0.0.

    Args:
        y_true: One-hot labels, shape (N, classes), and beside them any probabilities of a teacher,
            which are ignored.
        y_pred: Predicted probabilities, shape (N, classes).
    """
    import keras

    labels = keras.ops.argmax(y_true[:, : y_pred.shape[-1]], axis=-1)
    return keras.ops.cast(keras.ops.equal(labels, keras.ops.argmax(y_pred, axis=-1)), "float32")
