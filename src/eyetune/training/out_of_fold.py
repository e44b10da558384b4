"""What networks think of pictures that they have not been trained on: out-of-fold predictions.

The pictures are divided into parts. A classifier that was trained on the others predicts the
classes of each part, so that no picture is judged by a network that has learned its label. Copies
of a picture are in the same part.

There are two kinds of classifiers. For few pictures: logistic regression on features of the
pre-trained ResNet-8 of the package. For many pictures, and for CIFAR-10, whose labels the
pre-trained network has seen: small networks that are trained from scratch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from eyetune._scratch import scratch_folder
from eyetune.data.dataset import Dataset, Floats, Images, Labels, Split
from eyetune.data.split import stratified_order
from eyetune.models import build as networks
from eyetune.models import initial_weights
from eyetune.recipe import CIFAR10_WEIGHTS, Recipe
from eyetune.training.evaluate import probabilities
from eyetune.training.fit import fit
from eyetune.training.pipeline import evaluation_batches
from eyetune.training.precision import choose_arithmetic
from eyetune.training.prepared_network import prepare_network
from eyetune.values.history import Epoch
from eyetune.values.progress import OnProgress

if TYPE_CHECKING:
    import keras

Method = Literal["features", "networks"]
NUM_FOLDS = 5
MANY_PICTURES = 5000  # from there on, networks trained from scratch know more than the features
BATCH_SIZE = 128
NUM_EPOCHS = 8
MIN_STEPS = 600  # of a training: with few pictures, there are more epochs


def choose_method(num_pictures: int, data_name: str) -> Method:
    """Return the kind of classifier that suits a number of pictures."""
    if data_name == CIFAR10_WEIGHTS or num_pictures >= MANY_PICTURES:
        return "networks"
    return "features"


def fold_of(labels: Labels, groups: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the part of each picture, 0 to 4: each has the classes in their proportions.

    Args:
        labels: The classes, shape (N,).
        groups: A number for each picture; copies of a picture have the same one.
        seed: Random seed.

    Example:
        >>> folds = fold_of(np.zeros(10, np.int64), np.array([0, 0, 0, *range(1, 8)]), seed=0)
        >>> len(set(folds[:3])), len(set(folds))
        (1, 5)
    """
    folds = np.empty(len(labels), np.int64)
    folds[stratified_order(labels, seed)] = np.arange(len(labels)) % NUM_FOLDS
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return folds[first[inverse]]


def picture_features(images: Images) -> Floats:
    """Return features of pictures: the pooled outputs of the pre-trained ResNet-8's stages.

    Args:
        images: uint8, shape (N, 32, 32, 1 or 3).

    Returns:
        float32, shape (N, 112).
    """
    import keras

    section = Recipe().with_({"model": "resnet8", "model.initial_weights": CIFAR10_WEIGHTS}).model
    network = networks.build(section, images.shape[1:], 2)
    initial_weights.put(initial_weights.load(CIFAR10_WEIGHTS, network), network)
    outputs = [keras.ops.mean(stage, axis=(1, 2)) for stage in _stage_outputs(network)]
    extractor = keras.Model(network.inputs, keras.ops.concatenate(outputs, axis=-1))
    batches = evaluation_batches(Split(images, np.zeros(len(images), np.int64)), 1)
    return np.asarray(extractor.predict(batches, verbose=0), np.float32)


def _stage_outputs(network: keras.Model) -> list[keras.KerasTensor]:
    """Return the last feature maps of each size, the largest first."""
    by_size = {}
    for layer in network.layers:
        if len(layer.output.shape) == 4:
            by_size[layer.output.shape[1]] = layer.output
    return list(by_size.values())


def predict_by_features(
    features: Floats, labels: Labels, num_classes: int, folds: NDArray[np.int64]
) -> Floats:
    """Return out-of-fold probabilities of logistic regression on features.

    Args:
        features: Shape (N, features).
        labels: The classes, shape (N,).
        num_classes: Number of classes.
        folds: The part of each picture, from `fold_of`.

    Returns:
        float32, shape (N, num_classes). A class that no other part has gets 0.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    predicted = np.zeros((len(labels), num_classes), np.float32)
    for fold in np.unique(folds):
        held_out = folds == fold
        present = np.unique(labels[~held_out])
        if len(present) < 2:
            predicted[np.ix_(held_out, present)] = 1.0
            continue
        regression = LogisticRegression(C=0.1, max_iter=300)
        classifier = make_pipeline(StandardScaler(), regression)
        with warnings.catch_warnings(), threadpool_limits(limits=1, user_api="blas"):
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier.fit(features[~held_out], labels[~held_out])
            predicted[np.ix_(held_out, present)] = classifier.predict_proba(features[held_out])
    return predicted


def predict_by_networks(
    images: Images,
    labels: Labels,
    num_classes: int,
    folds: NDArray[np.int64],
    on_progress: OnProgress = lambda *_: None,
) -> Floats:
    """Return out-of-fold probabilities of small networks that are trained from scratch.

    Args:
        images: uint8, shape (N, 32, 32, 1 or 3).
        labels: The classes, shape (N,).
        num_classes: Number of classes.
        folds: The part of each picture, from `fold_of`.
        on_progress: Called with the number of epochs that were trained and of all.

    Returns:
        float32, shape (N, num_classes).
    """
    predicted = np.zeros((len(labels), num_classes), np.float32)
    numbers = np.unique(folds)
    for position, fold in enumerate(numbers):
        held_out = folds == fold
        train = Split(images[~held_out], labels[~held_out])
        held = Split(images[held_out], labels[held_out])
        dataset = Dataset(
            "fold",
            "fold",
            tuple(str(label) for label in range(num_classes)),
            train,
            held.take(0, min(len(held), 200)),  # its accuracy decides nothing
            held.take(0, 0),
            f"fold-{fold}",
        )
        recipe = _recipe(len(train))
        num_epochs = recipe.fit.epochs
        done = position * num_epochs

        def on_epoch(epoch: Epoch, done: int = done, num_epochs: int = num_epochs) -> None:
            on_progress(done + epoch.epoch, num_epochs * len(numbers))

        predicted[held_out] = _trained(recipe, dataset, on_epoch, held)
    return predicted


def _recipe(num_pictures: int) -> Recipe:
    batch_size = min(BATCH_SIZE, max(8, num_pictures // 10))
    steps = -(-num_pictures // batch_size)
    return Recipe().with_(
        {
            "model": "resnet8",
            "augment.shift": 2,
            "optimizer.name": "sgd",
            "optimizer.momentum": 0.9,
            "optimizer.nesterov": True,
            "optimizer.learning_rate": 0.1,
            "optimizer.weight_decay": 0.005,
            "optimizer.schedule": "one_cycle",
            "fit.batch_size": batch_size,
            "fit.epochs": max(NUM_EPOCHS, -(-MIN_STEPS // steps)),
        }
    )


def _trained(
    recipe: Recipe, dataset: Dataset, on_epoch: Callable[[Epoch], None], held: Split
) -> Floats:
    arithmetic = choose_arithmetic(recipe, dataset)
    prepared = prepare_network(recipe, dataset, seed=0, arithmetic=arithmetic, deterministic=False)
    with scratch_folder() as folder:
        fitted = fit(prepared, folder, on_epoch=on_epoch)
    return probabilities(fitted.model, held)
