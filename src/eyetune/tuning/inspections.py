"""Networks of new trials that workers build, untrained, before anything is trained."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future
from functools import partial
from typing import final

from eyetune.device.boards.profiles import load_board
from eyetune.errors import WorkerLostError
from eyetune.recipe import Recipe
from eyetune.records.study import StudySettings
from eyetune.training.job import Inspection, inspect_apart
from eyetune.tuning.dispatch import MAX_TRIES
from eyetune.tuning.executors import Executor
from eyetune.tuning.objectives import is_feasible, needs_footprint


@final
class Inspections:
    """The networks that workers are building for a study.

    Args:
        executor: Executor whose workers build them.
        settings: Settings of the study: what to estimate, and the limits of a worker.
    """

    def __init__(self, executor: Executor, settings: StudySettings) -> None:
        self._executor = executor
        self._limits = settings.limits
        self._with_footprint = needs_footprint(settings.objectives, settings.constraints)
        self._board = load_board(settings.board) if settings.board else None
        self._is_feasible = partial(is_feasible, settings.constraints, settings.limits.parameters)
        self._active: dict[Future[tuple[Inspection, ...]], tuple[int, Recipe]] = {}
        self._num_lost: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._active)

    @property
    def futures(self) -> tuple[Future[tuple[Inspection, ...]], ...]:
        """The futures to wait for."""
        return tuple(self._active)

    def start(self, number: int, recipe: Recipe) -> None:
        """Let a worker build the network of a trial.

        Args:
            number: Number of the trial.
            recipe: Its recipe.
        """
        future = self._executor.submit(
            inspect_apart,
            (recipe,),
            self._executor.threads,
            (),
            self._with_footprint,
            self._is_feasible,
            self._board,
            limit_seconds=self._limits.seconds,
            limit_bytes=self._limits.memory_bytes,
        )
        self._active[future] = number, recipe

    def collect(self) -> list[tuple[int, Inspection | Exception]]:
        """Return what is finished, by the numbers of the trials.

        A network whose worker died is built again, up to three times in all: a worker may die of
        the network itself.
        """
        finished: list[tuple[int, Inspection | Exception]] = []
        for future in [future for future in self._active if future.done()]:
            number, recipe = self._active.pop(future)
            try:
                (inspection,) = future.result()
            except WorkerLostError as error:
                self._num_lost[number] += 1
                if self._num_lost[number] < MAX_TRIES:
                    self.start(number, recipe)
                else:
                    finished.append((number, error))
            except Exception as error:  # any exception is a failure of this trial only
                finished.append((number, error))
            else:
                finished.append((number, inspection))
        return finished

    def cancel(self) -> None:
        """Stop all of them."""
        for future in self._active:
            future.cancel()
        self._active.clear()
