"""Labels that are likely wrong: cleanlab on predictions of classifiers that have not seen them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Another class must be this many times as likely as the label. cleanlab alone calls far too many
# labels wrong where classifiers often err: benchmarks/data_check.py measures both.
MIN_RATIO = 10.0


@dataclass(frozen=True)
class Suspect:
    """A picture whose label is likely wrong.

    Attributes:
        index: Its index.
        likelier: The class that the predictions prefer.
        score: 1 less the predicted probability of its label, 0 to 1.
    """

    index: int
    likelier: int
    score: float


def label_suspects(
    labels: NDArray[np.int64], predicted: NDArray[np.float32]
) -> tuple[Suspect, ...]:
    """Return the pictures whose labels are likely wrong, the most likely first.

    They are among those of confident learning (Northcutt, Jiang and Chuang, 2021, Confident
    Learning: Estimating Uncertainty in Dataset Labels, arXiv:1911.00068).

    Args:
        labels: The classes, shape (N,).
        predicted: Out-of-fold probabilities, shape (N, number of classes).
    """
    present, compact = np.unique(labels, return_inverse=True)  # cleanlab wants every class
    if len(present) < 2:
        return ()
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    shares = predicted[:, present].astype(np.float64)
    totals = shares.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, shares / np.maximum(totals, 1e-12), 1 / len(present))
    with warnings.catch_warnings():  # about classes with few pictures, which the check lists
        warnings.simplefilter("ignore", UserWarning)
        is_wrong = find_label_issues(compact, shares, filter_by="low_self_confidence", n_jobs=1)
    quality = get_label_quality_scores(compact, shares, method="self_confidence")
    is_wrong &= shares.max(axis=1) >= MIN_RATIO * quality
    order = np.argsort(quality, kind="stable")
    return tuple(
        Suspect(int(index), int(present[shares[index].argmax()]), float(1 - quality[index]))
        for index in order
        if is_wrong[index]
    )
