"""A Keras callback that records a training by `model.fit` as a run."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import keras

from eyetune.api.fit_recording import FitRecording
from eyetune.api.preparing import workspace_of
from eyetune.api.run import Run
from eyetune.errors import (
    DivergedError,
    EyetuneError,
    EyetuneWarning,
    UsageError,
    WorkspaceError,
)
from eyetune.models.keras_internals import count_running_fits, running_fit, watch_epochs
from eyetune.records import Workspace
from eyetune.records.resolver import LATEST
from eyetune.tracking.follow import check_trackers
from eyetune.tracking.tracker import Tracker

ONE_FOR_EACH_FIT = "Give each fit an eyetune.Callback of its own, with another name."


class Callback(keras.callbacks.Callback):  # type: ignore[misc]
    """Records a training by Keras's own `fit` as a run, which all commands show.

    The run has its curves, the layers of the network with their costs, the trained network in a
    file, and a state: COMPLETE, PAUSED after Ctrl-C, FAILED after an exception or if the loss
    became NaN or infinite. If a classifier is validated on arrays, its predictions for them are
    recorded too, so that it can be compared with others. The run has no recipe: eyetune does not
    know how the network was made.

    If `fit` is called again with the same callback and network, and its `initial_epoch` is the
    number of epochs that are recorded, it continues the run. Otherwise it begins a new one.

    Args:
        name: A name for the run, beside its id.
        workspace: Where to record it. Default: `./eyetune-workspace`, or the folder that
            EYETUNE_WORKSPACE names.
        class_names: Names of the classes, in the order of the labels. Default: their numbers.
        trackers: Where to log the run, besides the workspace, for example
            `[eyetune.MlflowTracker("sqlite:///mlflow.db")]`.

    Raises:
        UsageError: The name is "latest". From `fit`: another `fit` with the same callback is
            running, or it has two callbacks of this class.

    Example:
        >>> import eyetune as et, keras, numpy as np, tempfile
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> recording = et.Callback(name="mine", workspace=tempfile.mkdtemp())
        >>> x, y = np.ones((8, 4)), np.ones((8, 1))
        >>> _ = model.fit(x, y, epochs=2, callbacks=[recording], verbose=0)
        >>> recording.run.state, len(recording.run.history)
        (<RunState.COMPLETE: 'COMPLETE'>, 2)
    """

    records_runs = True  # trainings by eyetune refuse it: they are recorded anyway

    def __init__(
        self,
        name: str = "",
        *,
        workspace: str | Path | Workspace | None = None,
        class_names: Sequence[str] = (),
        trackers: Sequence[Tracker] = (),
    ) -> None:
        super().__init__()
        check_trackers(trackers)
        if name == LATEST:
            raise UsageError(
                f"A run cannot be named {LATEST}: this name means the newest one.", received=name
            )
        self.name = name
        self.folder = workspace_of(workspace).folder  # a Workspace could not be copied
        self.class_names = tuple(class_names)
        self.trackers = tuple(trackers)
        self._recording: FitRecording | None = None
        self._is_active = False

    @property
    def run(self) -> Run:
        """The run that was recorded last.

        Raises:
            UsageError: Nothing has been recorded yet.
        """
        if self._recording is None:
            raise UsageError(
                "The callback has not recorded a training yet.",
                fix="Give it to Keras: model.fit(x, y, callbacks=[callback])",
            )
        return self._recording.run

    def set_model(self, model: Any) -> None:
        """Refuse to record a `fit` while another one is recorded, whose epochs would be mixed in.

        Raises:
            UsageError: Another `fit` with this callback is running.
        """
        if self._is_active and count_running_fits(self.model) > (model is self.model):
            raise UsageError(
                "The callback records another fit, which is still running.", fix=ONE_FOR_EACH_FIT
            )
        super().set_model(model)

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Watch the `fit` that begins for its end, which Keras announces only if all goes well."""
        if self._is_active:  # an earlier `fit` was interrupted where it was not watched
            self._fail(KeyboardInterrupt())
        self._fit: Mapping[str, Any] = running_fit(self.model)
        hooks = self._fit.get("callbacks")
        self._others = getattr(hooks, "callbacks", [])
        if sum(isinstance(callback, Callback) for callback in self._others) > 1:
            raise UsageError(
                "Several of the callbacks would record the same training.", fix=ONE_FOR_EACH_FIT
            )
        self._is_active = True
        self._has_epoch = False
        self._guards = ExitStack()
        self._guards.callback(watch_epochs(self._fit, self._fail))
        self._guard(self.model, "evaluate")  # validates after an epoch
        if isinstance(hooks, keras.callbacks.CallbackList):
            self._guard(hooks, "on_epoch_begin")
            self._guard(hooks, "on_epoch_end")
            original = hooks.on_train_end

            def on_train_end(logs: Any = None) -> None:
                original(logs)  # EarlyStopping restores its best weights there
                self._complete()

            hooks.on_train_end = on_train_end

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Begin a run in the first epoch, or continue the one of an earlier `fit`."""
        if not self._is_active:
            return
        if not self._has_epoch:
            self._has_epoch = True
            before, self._recording = self._recording, None
            if before and before.continues(self.model, epoch, self._fit, self.params):
                self._recording = before
            else:
                self._recording = FitRecording(
                    Workspace(self.folder),
                    self.name,
                    self.class_names,
                    self.model,
                    self._fit,
                    self.params,
                    epoch,
                    self.trackers,
                )
        self._started_at = time.perf_counter()
        self._training_seconds = 0.0

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Note that the training part of an epoch ends where its validation begins."""
        if self._is_active and self._has_epoch:
            self._training_seconds = time.perf_counter() - self._started_at

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record an epoch."""
        if not self._is_active or self._recording is None:
            return
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        for name in ("loss", "val_loss"):
            if not math.isfinite(metrics.get(name, 0.0)):
                self._fail(
                    DivergedError(
                        f"The training diverged: {name} became {metrics[name]:g} in epoch "
                        f"{epoch + 1}.",
                        expected="a finite loss",
                        received=f"{metrics[name]:g}",
                        fix="Try a smaller learning rate or gradient clipping.",
                    )
                )
                return
        seconds = time.perf_counter() - self._started_at
        try:
            self._recording.add_epoch(metrics, seconds, self._training_seconds or seconds)
        except WorkspaceError as error:
            self._give_up(error)

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """Record the end of the training, unless that waits for the other callbacks."""
        if not isinstance(self._fit.get("callbacks"), keras.callbacks.CallbackList):
            self._complete()

    def _guard(self, owner: Any, name: str) -> None:
        """Watch a method that `fit` calls: what it raises ends the training."""
        original, own = getattr(owner, name), vars(owner).get(name)

        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return original(*args, **kwargs)
            except BaseException as error:
                self._fail(error)
                raise

        setattr(owner, name, guarded)
        if own is None:
            self._guards.callback(delattr, owner, name)
        else:
            self._guards.callback(setattr, owner, name, own)

    def _complete(self) -> None:
        if self._end() and self._recording is not None:
            try:
                self._recording.complete(self._others)
            except WorkspaceError as error:
                text = f"The end of the training is not recorded. {error}"
                warnings.warn(text, EyetuneWarning, stacklevel=3)

    def _fail(self, error: BaseException) -> None:
        if self._end() and self._recording is not None:
            self._recording.fail(error)

    def _give_up(self, error: EyetuneError) -> None:
        """Let the training continue without its record."""
        with suppress(WorkspaceError):
            self._fail(error)
        text = f"The training is not recorded any further. {error}"
        warnings.warn(text, EyetuneWarning, stacklevel=3)

    def _end(self) -> bool:
        """Stop watching; return whether the training was being recorded."""
        was_active = self._is_active
        self._is_active = False
        self._guards.close()
        self._fit = {name: value for name, value in self._fit.items() if name == "callbacks"}
        return was_active and self._has_epoch
