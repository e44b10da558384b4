"""The linear_baseline for a data set that nobody knows: how far a linear classifier on the pixels gets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_IMAGES = 5000
MAX_PIXELS = 32  # along a side: more adds time and nothing to a linear classifier
MAX_ITERATIONS = 200


def linear_accuracy(
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.int64],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> float:
    """Train multinomial logistic regression on pixels and return its accuracy on other images.

    The first 5,000 training images (in random order already) at no more than about 32x32 pixels are
    enough.

    Args:
        train_images: uint8, shape (N, height, width, channels).
        train_labels: Shape (N,).
        images: What it is measured on.
        labels: Their labels.

    Returns:
        Share classified right, 0 to 1.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, max_iter=MAX_ITERATIONS)
    )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # nearly converged is a good enough yardstick
        classifier.fit(_pixels(train_images[:MAX_IMAGES]), train_labels[:MAX_IMAGES])
    return float(classifier.score(_pixels(images[:MAX_IMAGES]), labels[:MAX_IMAGES]))


def _pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    step = max(1, -(-max(images.shape[1:3]) // MAX_PIXELS))
    return images[:, ::step, ::step].reshape(len(images), -1).astype(np.float32) / np.float32(255)
