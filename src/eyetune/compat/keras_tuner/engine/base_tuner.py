"""`keras_tuner.engine.base_tuner`: refused, `Tuner` does the same."""

from __future__ import annotations

from typing import Any

from eyetune.errors import UsageError

__all__ = ["BaseTuner"]


class BaseTuner:
    """Refused: eyetune has one base class, `Tuner`.

    Raises:
        UsageError: Always.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        raise UsageError(
            "eyetune has no tuner without Keras.",
            received=type(self).__name__,
            fix="Derive the class from Tuner: its run_trial may compute anything.",
        )
