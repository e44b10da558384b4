"""The record of a training by Keras's own `fit`."""

from __future__ import annotations

import hashlib
import json
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from eyetune._files import replaced_file
from eyetune.analysis.metrics import evaluate
from eyetune.api.run import Run
from eyetune.models.structure import structure
from eyetune.records import RunState, Workspace
from eyetune.records.run import DataRecord, Results
from eyetune.tracking.follow import follow
from eyetune.tracking.tracker import Tracker
from eyetune.training.callbacks import named
from eyetune.training.model_function.user_callbacks import kept_epochs
from eyetune.tuning.recording import record_failure, versions
from eyetune.values.history import Epoch
from eyetune.values.network import Network
from eyetune.values.run_files import MODEL_FILE

KERAS_BATCH_SIZE = 32  # the default of `Model.fit`

Predictions = tuple[NDArray[np.float32], NDArray[np.int64]]


class FitRecording:
    """A training by Keras's `fit` as a run, which this process holds until the training ends.

    Args:
        workspace: Where to record it.
        name: A name for the run, or "".
        class_names: Names of the classes; empty for their numbers.
        model: The network.
        fit: Local variables of the `fit` that begins, from `running_fit`; may be empty.
        params: Keras's parameters of callbacks.
        first_epoch: Number of its first epoch, from 0.
        trackers: Where to log it, besides the workspace.

    Attributes:
        workspace: Where it is recorded.
        run_id: Id of the run.
    """

    def __init__(
        self,
        workspace: Workspace,
        name: str,
        class_names: Sequence[str],
        model: Any,
        fit: Mapping[str, Any],
        params: Mapping[str, Any],
        first_epoch: int,
        trackers: Sequence[Tracker] = (),
    ) -> None:
        self.workspace = workspace
        self._model = model
        self._first_epoch = first_epoch
        self._trackers = trackers
        self._history: tuple[Epoch, ...] = ()
        self._validation = _validation_arrays(fit)
        self._data = _describe(model, fit, params, class_names, self._validation)
        record = workspace.runs.create(
            recipe=None,
            data=self._data,
            network=_network(model),
            seed=0,
            precision=model.compute_dtype,
            deterministic=False,
            name=name,
            versions=versions(),
            keras_fit=_settings(model, fit, params, first_epoch),
        )
        self.run_id = record.id
        self._held = ExitStack()
        self._hold()

    @property
    def run(self) -> Run:
        """The run, as it is recorded now."""
        return Run(self.workspace, self.workspace.runs.get(self.run_id))

    def continues(
        self, model: Any, epoch: int, fit: Mapping[str, Any], params: Mapping[str, Any]
    ) -> bool:
        """Return whether another `fit` continues this training; if so, record it as part of it.

        Args:
            model: The network of the other `fit`.
            epoch: Its first epoch, from 0.
            fit: Its local variables.
            params: Its parameters of callbacks.
        """
        num_epochs = self._first_epoch + len(self._history)
        if model is not self._model or not self._history or epoch != num_epochs:
            return False
        self._validation = _validation_arrays(fit)
        self._redescribe(_settings(model, fit, params, self._first_epoch))
        self._hold()
        return True

    def _hold(self) -> None:
        """Hold the run for this process, and let trackers follow it until the training ends."""
        self._held.enter_context(self.workspace.runs.claim(self.run_id))
        self._held.enter_context(follow(self.workspace, self._trackers))
        self.workspace.runs.set_state(self.run_id, RunState.RUNNING)

    def add_epoch(
        self, metrics: Mapping[str, float], seconds: float, training_seconds: float
    ) -> None:
        """Record an epoch.

        Args:
            metrics: Its metrics by Keras's names.
            seconds: Its duration, validation included.
            training_seconds: Its duration without validation.

        Raises:
            WorkspaceError: It cannot be written.
        """
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        done = Epoch(
            epoch=len(self._history) + 1,
            **named(finite, accuracy_name(finite)),
            learning_rate=_learning_rate(self._model),
            duration_seconds=seconds,
            images_per_second=self._data.num_train / training_seconds,
        )
        if not self._history:  # only now every network is built
            self._redescribe(self.run.record.keras_fit or {})
        self._history = (*self._history, done)
        self.workspace.runs.save_epochs(self.run_id, [done])

    def complete(self, callbacks: Sequence[Any]) -> None:
        """Record the end of the training: the network, predictions and results.

        Args:
            callbacks: All callbacks of the `fit`.

        Raises:
            WorkspaceError: Something cannot be written.
        """
        with self._held:
            self._save_network()
            if not self._history:
                self.workspace.runs.set_state(self.run_id, RunState.COMPLETE)
                return
            restored = kept_epochs(callbacks)
            kept = len(self._history) if restored is None else restored - self._first_epoch
            epoch = self._history[kept - 1]
            results = Results(kept, epoch.val_loss, epoch.val_accuracy)
            predictions = None
            if self._validation is not None and epoch.val_accuracy is not None:
                predictions = _predictions(self._model, *self._validation)
            if predictions is not None:
                self.workspace.predictions.save(self.run_id, "validation", *predictions)
                measured = evaluate(*predictions)
                results = Results(kept, measured.loss, measured.accuracy)
            self.workspace.runs.set_state(self.run_id, RunState.COMPLETE, results=results)

    def fail(self, error: BaseException) -> None:
        """Record that an error, or Ctrl-C, ended the training."""
        with self._held:
            if isinstance(error, KeyboardInterrupt):
                self._save_network()
            record_failure(self.workspace, self.run_id, error)

    def _redescribe(self, settings: Mapping[str, Any]) -> None:
        self.workspace.runs.set_network(self.run_id, _network(self._model), settings)

    def _save_network(self) -> None:
        """Write the network as it is compiled, if Keras can write it."""
        path = self.workspace.runs.folder(self.run_id) / MODEL_FILE
        try:
            with replaced_file(path) as partial:
                self._model.save(partial)
        except Exception as error:  # layers of the user's own have all kinds of errors
            warnings.warn(
                f"The network of run {self.run_id} cannot be saved. "
                f"{type(error).__name__}: {str(error)[:200]}",
                stacklevel=2,
            )


def accuracy_name(metrics: Mapping[str, float]) -> str | None:
    """Return the name of the first metric that is an accuracy; top-k accuracies do not count.

    Example:
        >>> accuracy_name({"loss": 1.0, "top_k_acc": 0.9, "acc": 0.5, "val_acc": 0.4})
        'acc'
    """
    for name in metrics:
        is_accuracy = re.search("acc", name, re.IGNORECASE) and "top" not in name.lower()
        if is_accuracy and not name.startswith("val_"):
            return name
    return None


def _learning_rate(model: Any) -> float:
    """Return the optimizer's learning rate; 0 if it has none."""
    return float(getattr(model.optimizer, "learning_rate", 0.0))


def _network(model: Any) -> Network:
    """Return the layers of a network; none if it is not built yet."""
    return structure(model) if model.built else Network((), (), 0)


def _settings(
    model: Any, fit: Mapping[str, Any], params: Mapping[str, Any], first_epoch: int
) -> dict[str, Any]:
    """Return how a network is compiled and trained, as plain JSON values."""
    optimizer = model.optimizer
    settings = {
        "epochs": max(0, int(fit.get("epochs") or params.get("epochs") or 0) - first_epoch),
        "initial_epoch": first_epoch,
        "steps_per_epoch": params.get("steps"),
        "batch_size": _batch_size(fit),
        "optimizer": {**optimizer.get_config(), "name": type(optimizer).__name__}
        if optimizer
        else None,
        "loss": _name(getattr(model, "loss", None)),
        "metrics": [metric.name for metric in model.metrics],
        "class_weight": fit.get("class_weight"),
    }
    return dict(json.loads(json.dumps(settings, default=str)))


def _name(loss: Any) -> Any:
    """Return the name of a loss, or the names of several."""
    if isinstance(loss, dict):
        return {name: _name(item) for name, item in loss.items()}
    if isinstance(loss, list | tuple):
        return [_name(item) for item in loss]
    return getattr(loss, "name", None) or getattr(loss, "__name__", None) or loss


def _batch_size(fit: Mapping[str, Any]) -> int | None:
    """Return the batch size of a `fit`; None if its data comes in batches."""
    if not _is_array(fit.get("x")):
        return None
    return int(fit.get("batch_size") or KERAS_BATCH_SIZE)


def _is_array(tree: Any) -> bool:
    """Return whether a value is an array, or a list or dictionary of arrays."""
    leaves = keras.tree.flatten(tree)
    return bool(leaves) and all(hasattr(leaf, "shape") and len(leaf.shape) for leaf in leaves)


def _validation_arrays(fit: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """Return inputs and targets that a `fit` validates on, if they are arrays."""
    data = fit.get("validation_data")
    if not isinstance(data, tuple | list) or len(data) < 2:
        return None
    inputs, targets = data[0], data[1]
    return (inputs, targets) if _is_array(inputs) and hasattr(targets, "shape") else None


def _describe(
    model: Any,
    fit: Mapping[str, Any],
    params: Mapping[str, Any],
    class_names: Sequence[str],
    validation: tuple[Any, Any] | None,
) -> DataRecord:
    """Return what is known about the data of a `fit`."""
    num_train = 0
    notes: tuple[str, ...] = ()
    if _is_array(fit.get("x")):
        num_train = len(keras.tree.flatten(fit["x"])[0])
    else:
        steps = params.get("steps")
        batches = f"{steps:,} batches" if steps else "batches"
        notes = (f"fit got {batches}: the number of training samples is not known.",)
    shape = getattr(model, "input_shape", None) if model.built else None
    sizes = shape[1:] if isinstance(shape, tuple) else ()
    return DataRecord(
        name="arrays" if num_train else "batches",
        source="",
        fingerprint=_digest(validation) if validation else "",
        class_names=tuple(class_names) or _numbers(model, validation),
        image_shape=tuple(size or 1 for size in sizes),
        num_train=num_train,
        num_validation=len(validation[1]) if validation else 0,
        num_test=0,
        notes=notes,
        kind="arrays",
    )


def _digest(arrays: tuple[Any, Any]) -> str:
    digest = hashlib.sha256()
    for leaf in keras.tree.flatten(arrays):
        values = np.ascontiguousarray(leaf)
        digest.update(f"{values.dtype} {values.shape}".encode())
        digest.update(values.data)
    return digest.hexdigest()[:16]


def _numbers(model: Any, validation: tuple[Any, Any] | None) -> tuple[str, ...]:
    """Return the numbers of the classes as their names; none if that is not known."""
    shape = getattr(model, "output_shape", None) if model.built else None
    if validation is None or not isinstance(shape, tuple) or len(shape) != 2:
        return ()
    return tuple(str(label) for label in range(max(2, shape[1] or 0)))


def _predictions(model: Any, inputs: Any, targets: Any) -> Predictions | None:
    """Return class probabilities and labels of validation samples; None if these are no classes.

    Args:
        model: A network that measures its accuracy.
        inputs: What it is validated on, arrays.
        targets: Integer labels of shape (N,) or (N, 1), or one-hot rows.
    """
    outputs = model.predict(inputs, verbose=0)
    if not hasattr(outputs, "ndim") or outputs.ndim != 2:
        return None
    outputs = np.asarray(outputs, np.float32)
    if getattr(model.loss, "from_logits", False):
        activation = keras.ops.sigmoid if outputs.shape[1] == 1 else keras.ops.softmax
        outputs = np.asarray(activation(outputs), np.float32)
    if outputs.shape[1] == 1:
        outputs = np.concatenate([1 - outputs, outputs], axis=1)
    labels = np.asarray(targets)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    elif labels.ndim == 2 and (np.sort(labels, axis=1)[:, -2:] == (0, 1)).all():
        labels = labels.argmax(axis=1)  # one-hot rows
    are_labels = labels.ndim == 1 and np.isin(labels, np.arange(outputs.shape[1])).all()
    are_probabilities = (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3)
    if not are_labels or not are_probabilities:
        return None
    return outputs, labels.astype(np.int64)
