"""The copies of a user's callbacks that a training gets, and what it changes in them.

KerasTuner copies callbacks in its own process: the functions of a `LambdaCallback` are shared, and
so is what they refer to. In a worker process everything is a copy, so what a script reads after the
search may be missing there. It is noticed by comparing the copies before and after the training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eyetune.models.model_function import Loaded, deep_copies
from eyetune.models.model_function.outside_state import (
    Digest,
    changed_names,
    digest_of,
    functions_of,
    is_container,
    is_object,
    is_of_library,
    is_scalar,
    own_state,
    variables_of,
)
from eyetune.training.model_function.tensorboard_logs import configure_tensorboard
from eyetune.training.model_function.user_callbacks import NOT_STATE


class CallbackCopies:
    """The copies of the user's callbacks for one training.

    Args:
        loaded: The model function, with the user's arguments of `search`.
        folder: Subfolder of TensorBoard's logs, such as "03/execution0".
        hyperparameters: The `keras_tuner.HyperParameters` of the training, for TensorBoard.
    """

    def __init__(self, loaded: Loaded, folder: str, hyperparameters: Any) -> None:
        self._loaded = loaded
        self._folder = folder
        self._hyperparameters = hyperparameters
        self._copies: list[Any] = []
        self._digests: dict[str, Digest] = {}

    def make(self) -> list[Any]:
        """Return new copies, with those for TensorBoard writing into the folder of the training.

        Raises:
            FunctionError: The callbacks cannot be copied.
        """
        self._copies = deep_copies(self._loaded.arguments.get("callbacks"))
        self._digests = _digests(self._copies)
        logs = configure_tensorboard(self._copies, self._folder, self._hyperparameters)
        return [*self._copies, *logs]

    def give_back(self) -> None:
        """Write the attributes of the copies to the user's own objects, if this process has them.

        Only objects of the user's own classes get them: an attribute of a callback of Keras is its
        private business.
        """
        for original, trained in zip(self._loaded.originals, self._copies, strict=False):
            if not is_of_library(original):
                state = vars(trained)
                vars(original).update(
                    {name: state[name] for name in state if name not in NOT_STATE}
                )

    @property
    def changes(self) -> tuple[str, ...]:
        """What the training changed in its copies and the user's own objects do not have.

        Each text names a callback and an attribute, or a variable that a function refers to, such
        as "LossLog.losses" or "LambdaCallback: losses". Of the attributes, only containers count:
        a number may be a time or a counter of the callback itself.
        """
        if self._loaded.originals:
            return ()
        return changed_names(self._digests, _digests(self._copies))


def _digests(callbacks: Sequence[Any]) -> dict[str, Digest]:
    """Return a digest of each container that the callbacks could fill, by its name."""
    digests: dict[str, Digest] = {}
    for callback in callbacks:
        kind = type(callback).__name__
        if not is_of_library(callback):
            for name, value in own_state(callback):
                if name not in NOT_STATE and not name.startswith("_") and is_container(value):
                    digests[f"{kind}.{name}"] = digest_of(value)
        for function in functions_of(callback):
            for name, value in variables_of(function):
                if is_container(value) or is_scalar(value) or is_object(value):
                    digests[f"{kind}: {name}"] = digest_of(value)
    return digests
