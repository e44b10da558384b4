"""The arguments of `tune` that are refused before anything is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eyetune.api.preparing import check_seed
from eyetune.errors import ArgumentTypeError, UsageError
from eyetune.tracking.follow import check_trackers
from eyetune.tuning.options import TuneOptions


def check_arguments(options: TuneOptions) -> None:
    """Refuse arguments of the wrong kind before anything is started.

    Raises:
        UsageError: There is one.
    """
    check_trackers(options.trackers)
    _check_callbacks((options.fit_arguments or {}).get("callbacks"))
    seed = options.seed
    for name, data in (("data", options.data), ("validation_data", options.validation_data)):
        if isinstance(data, tuple) and len(data) not in (2, 3):
            raise UsageError(
                f"{name} must be a pair of arrays.",
                expected="(x, y), or (x, y, sample_weight)",
                received=f"{len(data)} values",
            )
    is_source = options.data is None or isinstance(options.data, str | Path)
    if options.validation_data is not None and is_source:
        raise UsageError(
            "validation_data needs arrays as data.",
            expected="data=(x, y), validation_data=(x, y)",
        )
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise ArgumentTypeError("The seed must be a whole number.", received=repr(seed))
    check_seed(seed or 0)


def _check_callbacks(callbacks: Any) -> None:
    """Refuse to record trials, which are recorded anyway, with `eyetune.Callback`."""
    listed = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    for callback in listed:
        parts = getattr(callback, "callbacks", ())  # of a `CallbackList`
        parts = parts if isinstance(parts, list | tuple) else ()
        if any(getattr(part, "records_runs", False) for part in (callback, *parts)):
            raise UsageError(
                "eyetune.Callback is for trainings by model.fit: a search records each trial.",
                expected="other callbacks",
                received=type(callback).__name__,
                fix="Leave it out. `study.run(trial)` is the run of a trial, of a tuner "
                "`tuner.study.run(trial)`, and `eyetune runs --all` lists all of them.",
            )
