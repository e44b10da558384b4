"""TensorBoard as a tracker: scalars and hyperparameters of each training in a folder of its own."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from eyetune.errors import TrackerError, UsageError
from eyetune.tracking.event_files import EventFile, logged_tags
from eyetune.tracking.tracker import Metrics, Tracked, TrackedEnd, Tracker

_SUCCESSFUL = ("COMPLETE", "STOPPED")


@dataclass
class _Log:
    """The event files of a training, and the tags in them with their steps."""

    file: EventFile
    logged: set[tuple[str, int]]

    def write_scalars(self, scalars: Metrics, step: int) -> None:
        """Write those that have not been written for this step."""
        new = {
            tag: float(value) for tag, value in scalars.items() if (tag, step) not in self.logged
        }
        if new:
            self.file.write_scalars(new, step)
            self.logged |= {(tag, step) for tag in new}

    def write_once(self, tag: str, summary: Any) -> None:
        """Write a summary unless there is one with this tag."""
        if (tag, 0) not in self.logged:
            self.file.write(summary)
            self.logged.add((tag, 0))


@final
class TensorBoardTracker(Tracker):
    """Writes TensorBoard's logs: the metrics of each epoch as scalars, and HParams.

    Each training has a folder, and those of a study or lab are in a folder together. The tab
    HParams compares trainings by their parameters, results and costs; an infeasible trial has the
    status FAILURE there, like one that failed. After a resume, the same folders continue. It needs
    `pip install 'eyetune[tensorboard]'`.

    Args:
        folder: The folder, which is created if it is missing; `tensorboard --logdir` takes it.

    Raises:
        UsageError: TensorBoard is not installed.
        TrackerError: The folder cannot be written.

    Source: https://www.tensorflow.org/tensorboard

    Example:
        >>> import eyetune as et
        >>> tracker = et.TensorBoardTracker("logs")  # doctest: +SKIP
        >>> run = et.train(data="digits", trackers=[tracker])  # doctest: +SKIP
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            import tensorboard
        except ImportError:
            raise UsageError(
                "TensorBoard is not installed.", fix="pip install 'eyetune[tensorboard]'"
            ) from None
        assert tensorboard
        self._folder = Path(folder).expanduser().resolve()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._error(error.strerror or error) from None
        if not os.access(self._folder, os.W_OK):
            raise self._error("no permission to write")
        self._folders: dict[str, Path] = {}
        self._logs: dict[str, _Log] = {}

    @property
    def name(self) -> str:
        """TensorBoard and its folder."""
        return f"TensorBoard ({self._folder})"

    def begin(self, item: Tracked) -> None:
        """Write the hyperparameters of a training, and epochs that are missing."""
        parent = self._folders.get(item.parent, self._folder)
        self._folders[item.id] = parent / _folder_name(item)
        if item.kind in ("study", "lab"):
            return
        from tensorboard.plugins.hparams import metadata
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        log = self._log(item)
        # Executions of a trial are a group, whose metrics TensorBoard averages.
        group = item.parent if item.kind == "execution" else item.id
        start = hparams_pb(dict(item.parameters), trial_id=group)
        log.write_once(metadata.SESSION_START_INFO_TAG, start)
        for epoch, metrics in sorted(item.epochs.items()):
            log.write_scalars(metrics, epoch)

    def log_epoch(self, item: Tracked, epoch: int, metrics: Metrics) -> None:
        """Write the metrics of an epoch, with its number as the step."""
        self._log(item).write_scalars(metrics, epoch)

    def end(self, item: Tracked, end: TrackedEnd) -> None:
        """Write results, costs and the status of a training that is over."""
        if item.kind in ("study", "lab") or not end.is_over:
            return
        from tensorboard.plugins.hparams import metadata

        log = self._log(item)
        log.write_scalars(end.metrics, end.num_epochs)
        is_success = end.state in _SUCCESSFUL
        log.write_once(metadata.SESSION_END_INFO_TAG, _session_end(is_success=is_success))
        del self._logs[item.id]

    def catch_up(self, item: Tracked, end: TrackedEnd | None) -> None:
        """Write what is missing of a training that an earlier invocation recorded."""
        self.begin(item)
        if end is not None:
            self.end(item, end)

    def close(self) -> None:
        """Begin new event files with the next command."""
        self._logs.clear()

    def _log(self, item: Tracked) -> _Log:
        if item.id not in self._logs:
            folder = self._folders[item.id]
            self._logs[item.id] = _Log(EventFile(folder), logged_tags(folder))
        return self._logs[item.id]

    def _error(self, reason: object) -> TrackerError:
        return TrackerError(
            f"The folder {self._folder} for TensorBoard cannot be written.",
            received=reason,
            fix="Name another folder: --tensorboard FOLDER",
        )


def _folder_name(item: Tracked) -> str:
    """Return the name of the folder of a training, study or lab.

    Example:
        >>> _folder_name(Tracked("1a2b/7", "trial", "first/7"))
        'trial-0007'
        >>> _folder_name(Tracked("1a2b", "run", "a b"))
        'a_b-1a2b'
    """
    if item.kind in ("trial", "execution"):
        number, *others = item.id.split("/")[1:]
        if item.kind == "execution":
            return f"execution-{others[0]}"
        return "-".join([f"trial-{int(number):04d}", *others])
    if item.name == item.id:
        return item.id
    name = re.sub(r"[^\w\-.=]", "_", item.name)[:80]
    return f"{name}-{item.id}"


def _session_end(*, is_success: bool) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_SUCCESS if is_success else api_pb2.STATUS_FAILURE
    data = plugin_data_pb2.HParamsPluginData(
        session_end_info=plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    )
    value = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(data),
        tensor=metadata.NULL_TENSOR,
    )
    return Summary(value=[value])
