"""The scheduler of a study: which trial trains next, and up to how many epochs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from eyetune.errors import UsageError
from eyetune.tuning.schedulers.brackets import Bracket
from eyetune.tuning.schedulers.fronts import Scores


@dataclass(frozen=True)
class Promotion:
    """The permission to train a trial up to a rung.

    Attributes:
        trial: Number of the trial; None for a new one.
        bracket: Its bracket, counted from 0 over all iterations.
        rung: The rung of the bracket, from 0.
        epochs: Total epochs at this rung.
    """

    trial: int | None
    bracket: int
    rung: int
    epochs: int


@final
class Scheduler:
    """Distributes epochs over trials; `make_scheduler` makes one.

    Promotions depend only on the calls of its methods. After `restore` with all recorded trials, in
    the order of their numbers, it continues as before.

    Args:
        open_bracket: Returns a new bracket by its number; None where there is no such bracket.

    Example:
        >>> from eyetune.tuning.schedulers import make_scheduler
        >>> scheduler = make_scheduler("halving", max_epochs=9, num_trials=3)
        >>> for trial, accuracy in enumerate([0.3, 0.5, 0.4]):
        ...     scheduler.start(trial, scheduler.next())
        ...     print(sorted(scheduler.report(trial, (accuracy,))))
        []
        [0]
        [2]
        >>> scheduler.next()
        Promotion(trial=1, bracket=0, rung=1, epochs=3)
    """

    def __init__(self, open_bracket: Callable[[int], Bracket | None]) -> None:
        self._open_bracket = open_bracket
        self._brackets: dict[int, Bracket] = {}
        self._num_opened = 0
        self._upcoming = open_bracket(0)
        self._running: dict[int, Promotion] = {}
        self._started: set[int] = set()
        self._out: set[int] = set()
        self._num_objectives: int | None = None
        self._decision: tuple[Promotion | None] | None = None

    def next(self) -> Promotion | None:
        """Return what a free worker should train now; None for nothing.

        Promotions come before new trials, the highest rung first. Repeated calls return the same.
        """
        if self._decision is None:
            self._decision = (self._promotion() or self._opening(),)
        return self._decision[0]

    @property
    def is_over(self) -> bool:
        """Whether nothing is running and nothing will be promoted again."""
        return not self._running and self.next() is None

    @property
    def out(self) -> frozenset[int]:
        """All trials that will not be promoted again; `report` returns the new ones."""
        return frozenset(self._out)

    def start(self, trial: int, promotion: Promotion) -> None:
        """Start a trial with a promotion.

        Args:
            trial: Number of the new trial, or of the promoted one.
            promotion: What `next` returned.

        Raises:
            UsageError: The promotion is for another trial, or is no longer valid.
        """
        if not self._is_valid(trial, promotion):
            raise UsageError(
                f"Trial {trial} cannot take this promotion.",
                expected=self.next(),
                received=promotion,
            )
        if promotion.bracket == self._num_opened:
            self._open()
        self._brackets[promotion.bracket].enter(trial, promotion.rung)
        self._started.add(trial)
        self._running[trial] = promotion
        self._decision = None

    def report(self, trial: int, scores: Scores | None) -> frozenset[int]:
        """Take in a trial that has reached the rung of its promotion.

        Args:
            trial: Number of the trial.
            scores: A value for each objective of the study, higher is better; NaN is the worst.
                None where it failed or is infeasible.

        Returns:
            The trials that will not be promoted again from now on: they are complete or stopped,
            and their checkpoints can be deleted.

        Raises:
            UsageError: The trial is not running, or its number of objectives differs from that of
                earlier trials.
        """
        promotion = self._promotion_of(trial)
        self._check(scores)
        bracket = self._brackets[promotion.bracket]
        bracket.arrive(trial, promotion.rung, scores)
        del self._running[trial]
        return self._finalize(promotion.bracket, bracket.decide(trial, promotion.rung))

    def replace(self, trial: int) -> None:
        """Give the place of a trial that could not be built or is infeasible to another one.

        Raises:
            UsageError: The trial has already been trained.
        """
        promotion = self._promotion_of(trial)
        if promotion.rung > 0:
            raise UsageError(
                f"Trial {trial} has been trained and cannot be replaced.",
                expected="a trial that was just started",
                received=promotion,
                fix="Report None for a trial that failed.",
            )
        self._brackets[promotion.bracket].leave(trial)
        del self._running[trial]
        self._decision = None

    def close(self) -> frozenset[int]:
        """Start no more new trials; trials that waited for them continue without them.

        Returns:
            The trials that will not be promoted again from now on.
        """
        self._open_bracket, self._upcoming = lambda _: None, None
        out: set[int] = set()
        for number, bracket in list(self._brackets.items()):
            out |= self._finalize(number, bracket.close())
        self._decision = None
        return frozenset(out)

    def restore(
        self,
        trial: int,
        bracket: int,
        granted_rung: int,
        scores_by_rung: Sequence[Scores | None],
        *,
        is_stopped: bool = False,
    ) -> None:
        """Take in a recorded trial: all but replaced ones, in the order of their numbers.

        Args:
            trial: Number of the trial.
            bracket: Its bracket.
            granted_rung: The rung of its last promotion.
            scores_by_rung: Its scores at each rung that it reached. One fewer than the rung of its
                last promotion: it is running.
            is_stopped: Whether `report` returned it before its last rung. The median rule decides
                on arrival by the trials that were there before, which scores do not show.

        Raises:
            UsageError: It does not fit this scheduler, or was restored before.
        """
        while self._num_opened <= bracket and self._upcoming is not None:
            self._open()
        opened = self._brackets.get(bracket)
        if (
            opened is None
            or not opened.has_place
            or trial in self._started
            or not 0 <= granted_rung < len(opened.epochs)
            or not granted_rung <= len(scores_by_rung) <= granted_rung + 1
            or None in scores_by_rung[:granted_rung]
        ):
            raise UsageError(
                f"The record of trial {trial} does not fit the scheduler.",
                expected="a trial of a study with the same scheduler, epochs and factor, once",
                received=f"bracket {bracket}, rung {granted_rung}, scores {list(scores_by_rung)}",
            )
        for scores in scores_by_rung:
            self._check(scores)
        self._started.add(trial)
        for rung in range(granted_rung + 1):
            opened.enter(trial, rung)
            if rung < len(scores_by_rung):
                opened.arrive(trial, rung, scores_by_rung[rung])
        if len(scores_by_rung) == granted_rung:
            self._running[trial] = Promotion(
                trial if granted_rung else None, bracket, granted_rung, opened.epochs[granted_rung]
            )
            # Its earlier arrivals may have decided about others.
            self._finalize(bracket, opened.drop_hopeless())
        else:
            self._finalize(bracket, opened.decide(trial, granted_rung, is_stopped=is_stopped))

    def _is_valid(self, trial: int, promotion: Promotion) -> bool:
        is_upcoming = promotion.bracket == self._num_opened and promotion.trial is None
        bracket = self._upcoming if is_upcoming else self._brackets.get(promotion.bracket)
        if (
            bracket is None
            or promotion.rung not in range(len(bracket.epochs))
            or trial in self._running
        ):
            return False
        is_for_trial = (
            trial not in self._started
            if promotion.trial is None
            else trial == promotion.trial and promotion.rung > 0
        )
        is_plausible = (promotion.trial is None) == (
            promotion.rung == 0
        ) and promotion.epochs == bracket.epochs[promotion.rung]
        return is_for_trial and is_plausible and bracket.may_enter(trial, promotion.rung)

    def _promotion(self) -> Promotion | None:
        best: Promotion | None = None
        for number, bracket in self._brackets.items():
            candidate = bracket.promotion()
            if candidate is None:
                continue
            trial, rung = candidate
            if best is None or rung > best.rung:
                best = Promotion(trial, number, rung, bracket.epochs[rung])
        return best

    def _opening(self) -> Promotion | None:
        for number, bracket in self._brackets.items():
            if bracket.has_place:
                return Promotion(None, number, 0, bracket.epochs[0])
        if self._upcoming is None:
            return None
        return Promotion(None, self._num_opened, 0, self._upcoming.epochs[0])

    def _open(self) -> None:
        if self._upcoming is not None:
            self._brackets[self._num_opened] = self._upcoming
            self._num_opened += 1
            self._upcoming = self._open_bracket(self._num_opened)

    def _finalize(self, number: int, out: Sequence[int]) -> frozenset[int]:
        if self._brackets[number].is_over:
            del self._brackets[number]
        self._out.update(out)
        self._decision = None
        return frozenset(out)

    def _promotion_of(self, trial: int) -> Promotion:
        if trial not in self._running:
            raise UsageError(
                f"Trial {trial} is not running.",
                expected="a trial that was started and has not reported since",
                received="a trial that has reported"
                if trial in self._started
                else "an unknown trial",
            )
        return self._running[trial]

    def _check(self, scores: Scores | None) -> None:
        if scores is None:
            return
        expected = len(scores) if self._num_objectives is None else self._num_objectives
        if len(scores) != expected or not scores:
            raise UsageError(
                "The scores do not match the study's objectives.",
                expected=f"{max(expected, 1)} values, one for each objective",
                received=scores,
            )
        self._num_objectives = expected
