"""MLflow as a tracker: a parent run with a child run for each part, in one experiment."""

from __future__ import annotations

import math
import os
import re
import socket
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, final
from urllib.parse import urlsplit

from eyetune.errors import TrackerError, UsageError
from eyetune.tracking.tracker import Metrics, Tracked, TrackedEnd, Tracker

if TYPE_CHECKING:
    from mlflow.entities import Run

EXPERIMENT = "eyetune"
SECONDS_TO_CONNECT = 5.0
# Tags by which a run is found again, and by which it is known whether it is up to date.
ID_TAG, STATE_TAG, EPOCHS_TAG = "eyetune.id", "eyetune.state", "eyetune.epochs"
_PARENT_TAG = "mlflow.parentRunId"
_STATUS = {
    "COMPLETE": "FINISHED",
    "STOPPED": "FINISHED",
    "PAUSED": "SCHEDULED",
    "FAILED": "FAILED",
    "INFEASIBLE": "KILLED",
}
_EVERY_EPOCH = "duration_seconds"  # a metric that each epoch has
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
# MLflow's own limits are a little higher.
_MAX_KEY, _MAX_TEXT, _MAX_PER_BATCH = 250, 5000, 90


@dataclass
class _LoggedRun:
    """A run of MLflow, and what it contains."""

    run_id: str
    parameters: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    epochs: set[int] | None = None  # None: not looked up


@final
class MlflowTracker(Tracker):
    """Logs to MLflow: parameters, metrics by epoch, states and files.

    A study or lab becomes a run with a child run for each trial or training. After a resume, the
    same runs of MLflow continue, and what they lack is added. Its tag `eyetune.id` names a run. A
    trial or training that failed has the status FAILED, an infeasible one KILLED and a paused one
    SCHEDULED; the tag `eyetune.state` has eyetune's own word. It needs
    `pip install 'eyetune[mlflow]'`.

    Args:
        uri: MLflow's tracking URI, for example "sqlite:///mlflow.db" or "http://localhost:5000".
        experiment: Name of the experiment, which is created if it is missing. Default: the one that
            MLFLOW_EXPERIMENT_NAME names, or "eyetune".

    Raises:
        UsageError: MLflow is not installed.
        TrackerError: MLflow cannot be reached or used at this URI.

    Source: https://mlflow.org/docs/latest/ml/tracking/

    Example:
        >>> import eyetune as et
        >>> tracker = et.MlflowTracker("sqlite:///mlflow.db")  # doctest: +SKIP
        >>> run = et.train(data="digits", trackers=[tracker])  # doctest: +SKIP
    """

    def __init__(self, uri: str, *, experiment: str | None = None) -> None:
        self._uri = uri
        name = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        # eyetune sends nothing to anyone but the tracking server that its user names.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # With --json, standard output holds one JSON object.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        try:
            from mlflow import MlflowClient
        except ImportError:
            raise UsageError(
                "MLflow is not installed.", fix="pip install 'eyetune[mlflow]'"
            ) from None
        self._check_connection()
        with self._errors_explained():
            self._client = MlflowClient(uri)
            self._experiment_id = self._find_or_create_experiment(name)
        self._runs: dict[str, _LoggedRun] = {}
        self._parents_looked_up: set[str] = set()

    @property
    def name(self) -> str:
        """MLflow and its address, without a password."""
        parts = urlsplit(self._uri)
        host = parts.netloc.rpartition("@")[2]
        return f"MLflow ({parts.scheme}://{host}{parts.path})" if parts.scheme else "MLflow"

    def begin(self, item: Tracked) -> None:
        """Create a run, or continue the one that there is."""
        run = self._find(item)
        if run is None:
            run = self._create(item)
        else:
            self._client.update_run(run.run_id, status="RUNNING")
        self._log_parameters(run, item)
        for epoch, metrics in sorted(item.epochs.items()):
            self._log_epoch(run, epoch, metrics)

    def log_epoch(self, item: Tracked, epoch: int, metrics: Metrics) -> None:
        """Log the metrics of an epoch, with its number as the step."""
        self._log_epoch(self._runs[item.id], epoch, metrics)

    def end(self, item: Tracked, end: TrackedEnd) -> None:
        """Log results, files and the state."""
        run = self._runs[item.id]
        self._log_parameters(run, item)
        changed = {
            name: value
            for name, value in with_valid_keys(end.metrics).items()
            if not _is_equal(run.metrics.get(name), value)
        }
        self._log_metrics(run, changed, step=end.num_epochs)
        self._log_tags(
            run,
            {
                STATE_TAG: end.state,
                EPOCHS_TAG: str(end.num_epochs),
                "eyetune.error": end.error,
                **{f"eyetune.{name}": text for name, text in end.tags.items()},
            },
        )
        if end.is_over:
            for name, path in end.files.items():
                if path.is_file():  # the user may have deleted it
                    folder = str(PurePosixPath(name).parent).removeprefix(".")
                    self._client.log_artifact(run.run_id, str(path), folder or None)
        status = _STATUS.get(end.state, "FINISHED" if end.is_over else "SCHEDULED")
        if end.is_over:
            self._client.set_terminated(run.run_id, status)
        else:
            self._client.update_run(run.run_id, status=status)

    def catch_up(self, item: Tracked, end: TrackedEnd | None) -> None:
        """Log what was recorded while MLflow could not be reached or was not used."""
        if end is None:
            end = TrackedEnd("PAUSED", is_over=False, num_epochs=len(item.epochs))
        run = self._find(item)
        if run is not None:
            expected = (end.state, str(end.num_epochs))
            if (run.tags.get(STATE_TAG), run.tags.get(EPOCHS_TAG)) == expected:
                return
        self.begin(item)
        self.end(item, end)

    # Runs of MLflow.

    def _find(self, item: Tracked) -> _LoggedRun | None:
        """Return the run of an item; None if there is none."""
        if item.id in self._runs:
            return self._runs[item.id]
        if item.kind == "trial" and item.parent in self._parents_looked_up:
            return None
        for run in self._search(f"tags.`{ID_TAG}` = '{item.id}'"):
            found = self._note(run)
            if item.kind == "study":  # its trials, in a few requests for all of them
                for child in self._search(f"tags.`{_PARENT_TAG}` = '{found.run_id}'"):
                    self._note(child)
                self._parents_looked_up.add(item.id)
            return found
        return None

    def _search(self, condition: str) -> Iterator[Run]:
        page = None
        while True:
            runs = self._client.search_runs(
                [self._experiment_id], condition, max_results=1000, page_token=page
            )
            yield from runs
            page = runs.token
            if not page:
                return

    def _note(self, run: Run) -> _LoggedRun:
        tags = dict(run.data.tags)
        logged = _LoggedRun(run.info.run_id, dict(run.data.params), dict(run.data.metrics), tags)
        self._runs[tags[ID_TAG]] = logged
        return logged

    def _create(self, item: Tracked) -> _LoggedRun:
        tags = {ID_TAG: item.id, "eyetune.kind": item.kind, "mlflow.source.name": "eyetune"}
        tags |= {f"eyetune.{name}": _text(text) for name, text in item.tags.items()}
        if item.parent:
            tags[_PARENT_TAG] = self._runs[item.parent].run_id
        created = self._client.create_run(self._experiment_id, tags=tags, run_name=item.name)
        run = self._runs[item.id] = _LoggedRun(created.info.run_id, tags=tags, epochs=set())
        if item.kind == "study":
            self._parents_looked_up.add(item.id)
        return run

    # What runs contain.

    def _log_parameters(self, run: _LoggedRun, item: Tracked) -> None:
        """Log new parameters; one that has changed becomes a tag, since MLflow keeps the first."""
        from mlflow.entities import Param

        values = {key: _text(value) for key, value in with_valid_keys(item.parameters).items()}
        new = {key: value for key, value in values.items() if key not in run.parameters}
        changed = {
            f"eyetune.changed.{key}": value
            for key, value in values.items()
            if run.parameters.get(key, value) != value
        }
        for part in _parts(new.items()):
            self._client.log_batch(run.run_id, params=[Param(key, value) for key, value in part])
        run.parameters |= new
        self._log_tags(run, changed)

    def _log_epoch(self, run: _LoggedRun, epoch: int, metrics: Metrics) -> None:
        if run.epochs is None:
            history = self._client.get_metric_history(run.run_id, _EVERY_EPOCH)
            run.epochs = {metric.step for metric in history}
        if epoch not in run.epochs:
            self._log_metrics(run, metrics, step=epoch)
            run.epochs.add(epoch)

    def _log_metrics(self, run: _LoggedRun, metrics: Metrics, *, step: int) -> None:
        from mlflow.entities import Metric

        milliseconds = int(time.time() * 1000)
        values = with_valid_keys(metrics)
        for part in _parts(values.items()):
            self._client.log_batch(
                run.run_id,
                metrics=[Metric(key, float(value), milliseconds, step) for key, value in part],
            )
        run.metrics |= values

    def _log_tags(self, run: _LoggedRun, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        changed = {
            key: _text(text)
            for key, text in with_valid_keys(tags).items()
            if run.tags.get(key, "") != _text(text)
        }
        for part in _parts(changed.items()):
            self._client.log_batch(run.run_id, tags=[RunTag(key, text) for key, text in part])
        run.tags |= changed

    # The beginning.

    def _check_connection(self) -> None:
        """Refuse a server that does not answer: MLflow itself would try for minutes."""
        parts = urlsplit(self._uri)
        scheme = parts.scheme.partition("+")[0]
        if scheme == "sqlite":
            folder = _sqlite_file(self._uri).parent
            if not os.access(folder, os.W_OK):
                raise self._error(f"{folder} is not a folder that can be written")
            return
        port = parts.port or _PORTS.get(scheme)
        has_proxy = scheme in urllib.request.getproxies()
        if parts.hostname is None or port is None or has_proxy:
            return
        try:
            socket.create_connection((parts.hostname, port), SECONDS_TO_CONNECT).close()
        except OSError as error:
            raise self._error(error) from None

    def _find_or_create_experiment(self, name: str) -> str:
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            location = None
            if self._uri.startswith("sqlite:"):  # beside the database, not in the working folder
                folder = _sqlite_file(self._uri).parent
                location = (folder / "mlartifacts" / _file_name(name)).as_uri()
            return str(self._client.create_experiment(name, artifact_location=location))
        if experiment.lifecycle_stage != "active":
            raise TrackerError(
                f"The experiment {name} of {self.name} is deleted.",
                fix=f"Restore it: mlflow experiments restore -x {experiment.experiment_id}",
            )
        return str(experiment.experiment_id)

    @contextmanager
    def _errors_explained(self) -> Iterator[None]:
        try:
            yield
        except TrackerError:
            raise
        except Exception as error:  # of MLflow, of its database driver, of the network
            raise self._error(error) from error

    def _error(self, reason: object) -> TrackerError:
        return TrackerError(
            f"{self.name} cannot be used.",
            expected="the tracking URI of an MLflow server that is running, or of a database",
            received=reason,
            fix="Start the server, or log to a database in a file: --mlflow sqlite:///mlflow.db",
        )


def with_valid_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values under names that MLflow accepts, which differ if the names did.

    Example:
        >>> with_valid_keys({"units (first)": 1, "units [first]": 2, "loss": 3, "/a": 4})
        {'units _first_': 1, 'units _first_ 2': 2, 'loss': 3, '_a': 4}
    """
    valid: dict[str, Any] = {}
    for name, value in values.items():
        key = re.sub(r"[^\w\-./ ]", "_", name)[: _MAX_KEY - 4] or "_"
        if str(PurePosixPath(key)) != key or key == "." or key.startswith(("/", "..")):
            key = key.replace("/", "_").replace(".", "_")
        unique, number = key, 1
        while unique in valid:
            number += 1
            unique = f"{key} {number}"
        valid[unique] = value
    return valid


def _text(value: object) -> str:
    """Return a value as text of the length that MLflow keeps."""
    text = str(value)
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"


def _is_equal(first: float | None, second: float) -> bool:
    return first == second or (first is not None and math.isnan(first) and math.isnan(second))


def _parts(items: Iterable[tuple[str, Any]]) -> Iterator[list[tuple[str, Any]]]:
    """Yield items in lists that MLflow takes at once."""
    remaining = list(items)
    for start in range(0, len(remaining), _MAX_PER_BATCH):
        yield remaining[start : start + _MAX_PER_BATCH]


def _file_name(text: str) -> str:
    return re.sub(r"[^\w\-.]", "_", text)


def _sqlite_file(uri: str) -> Path:
    """Return the file of a URI such as sqlite:///mlflow.db or sqlite:////data/mlflow.db."""
    return Path(urlsplit(uri).path.removeprefix("/")).resolve()
