"""What is kept of a network that a user's `HyperModel.fit` trains without the network's own `fit`.

That is a loop of the user's own, or the training of other networks, as in a cross-validation.
"""

from __future__ import annotations

import math
import zlib
from typing import Any

import keras

from eyetune.values.history import is_better_high


class OwnLoopWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the weights of the best epoch of all networks that it is used with.

    As in KerasTuner, the last epoch counts where the monitor is not measured in each epoch.

    Args:
        monitor: Metric that chooses the best epoch, with its direction where the name does not
            imply it, as in "my_score:max".

    Attributes:
        weights: The weights; None if it was never called at the end of an epoch.

    Example:
        >>> keeper = OwnLoopWeights("val_loss")
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> keeper.set_model(model)
        >>> keeper.on_epoch_end(0, {"val_loss": 0.5})
        >>> [weights.shape for weights in keeper.weights]
        [(2, 1), (1,)]
    """

    def __init__(self, monitor: str) -> None:
        super().__init__()
        self._metric, _, direction = monitor.partition(":")
        is_maximized = direction == "max" if direction else is_better_high(self._metric)
        self._sign = 1 if is_maximized else -1
        self._best = -math.inf
        self.weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Keep the weights if the epoch is the best one so far."""
        if self._metric in (logs or {}):
            score = self._sign * float(logs[self._metric])
            if self.weights is not None and not score > self._best:
                return
            self._best = max(self._best, score)
        self.weights = self.model.get_weights()

    def restore(self, model: Any) -> bool:
        """Give a network the weights, and return whether there are any that fit it."""
        shapes = [weights.shape for weights in model.get_weights()]
        if self.weights is None or [weights.shape for weights in self.weights] != shapes:
            return False
        model.set_weights(self.weights)
        return True


def weights_digest(model: Any) -> int:
    """Return a number that shows whether the weights of a network have changed."""
    digest = 0
    for weights in model.get_weights():
        digest = zlib.crc32(weights.tobytes(), digest)
    return digest
