"""The logs that a TensorBoard callback of the user writes: a folder for each training, and HParams.

As in KerasTuner, each training has the subfolder TRIAL/executionN, where the HParams plug-in of
TensorBoard finds the values of its hyperparameters beside its metrics.

See https://www.tensorflow.org/tensorboard/hyperparameter_tuning_with_hparams.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eyetune.errors import FunctionError
from eyetune.models.model_function import space_of
from eyetune.space.hyperparameters import Choice, Range


def configure_tensorboard(callbacks: Sequence[Any], folder: str, hyperparameters: Any) -> list[Any]:
    """Let TensorBoard callbacks write into a subfolder, and return those that write HParams.

    Args:
        callbacks: Callbacks of a training; those named TensorBoard are changed.
        folder: The subfolder, such as "03/execution0".
        hyperparameters: The `keras_tuner.HyperParameters` of the training.

    Returns:
        One callback for each TensorBoard callback.

    Raises:
        FunctionError: TensorBoard is not installed.
    """
    logs = []
    for callback in callbacks:
        if type(callback).__name__ == "TensorBoard":
            callback.log_dir = str(Path(callback.log_dir) / folder)
            logs.append(_hparams_callback(callback.log_dir, folder, hyperparameters))
    return logs


def _hparams_callback(log_folder: str, folder: str, hyperparameters: Any) -> Any:
    try:
        from tensorboard.plugins.hparams import api
    except ImportError:
        raise FunctionError(
            "The TensorBoard callback cannot write hyperparameters without TensorBoard.",
            fix="pip install tensorboard",
        ) from None
    values = {}
    for distribution in space_of(hyperparameters).distributions:
        if hyperparameters.is_active(distribution.name):
            value = hyperparameters.values[distribution.name]
            values[api.HParam(distribution.name, _domain(distribution, api))] = value
    return api.KerasCallback(writer=log_folder, hparams=values, trial_id=Path(folder).parts[0])


def _domain(distribution: Choice | Range, api: Any) -> Any:
    """Return the values of a hyperparameter as TensorBoard shows them."""
    if isinstance(distribution, Choice):
        return api.Discrete(list(distribution.values))
    every_number = (None, 1) if distribution.whole else (None,)
    values = None if distribution.step in every_number else distribution.grid()
    if values is not None:
        return api.Discrete(list(values))
    if distribution.whole:
        return api.IntInterval(int(distribution.low), int(distribution.high))
    return api.RealInterval(float(distribution.low), float(distribution.high))
