"""The linear baseline of unknown images: how far a linear classifier on the pixels gets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_IMAGES = 5000
MAX_SIDE = 32  # pixels: more adds time and nothing to a linear classifier
MAX_ITERATIONS = 200


def count_correct(
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.int64],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> int:
    """Fit multinomial logistic regression on pixels and count what it classifies correctly.

    It is fitted on the first 5,000 training images, which are in random order, at about 32x32
    pixels at most. One thread of arithmetic is enough: with more, threads that wait for each other
    on a busy machine take 25 times as long.

    Args:
        train_images: uint8, shape (N, height, width, channels).
        train_labels: Shape (N,).
        images: The images to classify, of the same size; the first 5,000 count.
        labels: Their labels.

    Returns:
        Number of images that are classified correctly.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    regression = LogisticRegression(C=0.01, max_iter=MAX_ITERATIONS)
    classifier = make_pipeline(StandardScaler(), regression)
    with warnings.catch_warnings(), threadpool_limits(limits=1, user_api="blas"):
        # A baseline need not have converged wholly.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(_pixels(train_images[:MAX_IMAGES]), train_labels[:MAX_IMAGES])
        predicted = classifier.predict(_pixels(images[:MAX_IMAGES]))
    return int((predicted == labels[:MAX_IMAGES]).sum())


def _pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    step = max(1, -(-max(images.shape[1:3]) // MAX_SIDE))
    return images[:, ::step, ::step].reshape(len(images), -1).astype(np.float32) / np.float32(255)
