"""Jobs in this process, one after the other, for models and callbacks that cannot leave it.

It is the one exception to the rule that the process that coordinates a study imports no Keras.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, final

from eyetune.errors import UsageError
from eyetune.training.backend import preserve_random_state
from eyetune.tuning.executors.executor import Executor, Result, resolve_future

COSTS = (
    "workers=0 trains in this process: one training at a time, without a limit on its memory or "
    "time, and a training that crashes ends the search."
)


@final
class InProcessExecutor(Executor):
    """Runs each job in this process, as soon as it is submitted; a context manager.

    Example:
        >>> with InProcessExecutor() as executor:
        ...     executor.submit(divmod, 7, 2).result()
        (3, 1)
    """

    num_workers = 1
    threads = 0
    is_in_process = True

    def submit(
        self,
        function: Callable[..., Result],
        *arguments: Any,
        limit_seconds: float | None = None,
        limit_bytes: int | None = None,
    ) -> Future[Result]:
        """Call a function, and return a future that is done (see `Executor.submit`).

        The future raises what the function raised, KeyboardInterrupt included.

        Raises:
            UsageError: The call has a limit, which this process cannot set for itself.
        """
        if limit_seconds is not None or limit_bytes is not None:
            raise UsageError(
                "A training in this process cannot have a limit on its memory or time.",
                expected="workers=1 or more, or no trial_seconds and no trial_bytes",
                received="workers=0",
            )
        future: Future[Result] = Future()
        with preserve_random_state():
            resolve_future(future, partial(function, *arguments))
        return future

    def close(self) -> None:
        """Do nothing: no job is left when `submit` has returned."""
