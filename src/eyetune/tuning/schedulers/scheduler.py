"""The schedule of a study: which trial trains next, and up to how many epochs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from eyetune.errors import UsageError
from eyetune.tuning.schedulers.brackets import Bracket
from eyetune.tuning.schedulers.fronts import Scores


@dataclass(frozen=True)
class Promotion:
    """Leave to train.

    Attributes:
        trial: Which trial; None: a new one.
        bracket: In which bracket, counted from 0 over all iterations.
        rung: To which rung of it, from 0.
        epochs: Up to how many epochs in all.
    """

    trial: int | None
    bracket: int
    rung: int
    epochs: int


@final
class Scheduler:
    """Gives out epochs to trials. `make_scheduler` makes one.

    It changes only by what it is told, and what it grants hangs on nothing else. Told what was
    recorded (`restore`, the trials in the order of their numbers) it goes on as before.

    Args:
        open_bracket: Makes the bracket with a number; None where there is no such.

    Example:
        >>> from eyetune.tuning.schedulers import make_scheduler
        >>> schedule = make_scheduler("halving", max_epochs=9, num_trials=3)
        >>> for trial, accuracy in enumerate([0.3, 0.5, 0.4]):
        ...     schedule.start(trial, schedule.next())
        ...     print(sorted(schedule.report(trial, (accuracy,))))
        []
        [0]
        [2]
        >>> schedule.next()
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
        """Return what a free worker should do now; None: nothing now. Asked twice, it says the
        same.

        Promotions come before new trials, the highest rung first.
        """
        if self._decision is None:
            self._decision = (self._promotion() or self._opening(),)
        return self._decision[0]

    @property
    def is_over(self) -> bool:
        """Whether nothing is running and nothing will ever be granted again."""
        return not self._running and self.next() is None

    @property
    def out(self) -> frozenset[int]:
        """All trials that will never be granted anything again. `report` returns the new ones among
        them.
        """
        return frozenset(self._out)

    def start(self, trial: int, grant: Promotion) -> None:
        """Take a grant: the trial works on it.

        Args:
            trial: The number of the new trial, or of the promoted one.
            grant: What `next` returned.

        Raises:
            UsageError: The grant is for another trial, or is not to be had (any more).
        """
        if not self._is_to_be_had(trial, grant):
            raise UsageError(
                f"Trial {trial} cannot take this grant.", expected=self.next(), received=grant
            )
        if grant.bracket == self._num_opened:
            self._open()
        self._brackets[grant.bracket].enter(trial, grant.rung)
        self._started.add(trial)
        self._running[trial] = grant
        self._decision = None

    def report(self, trial: int, scores: Scores | None) -> frozenset[int]:
        """Tell that a trial has reached the rung of its grant.

        Args:
            trial: Which one.
            scores: A value for each objective of the study, higher is better; NaN is the worst.
                None: it failed, or was found infeasible, and will never go on.

        Returns:
            The trials that will never be granted anything again since now: they are done or
            stopped, and what was kept for going on with them can be deleted.

        Raises:
            UsageError: The trial is not running, or another number of objectives was reported
                before.
        """
        grant = self._grant_of(trial)
        self._check(scores)
        bracket = self._brackets[grant.bracket]
        bracket.arrive(trial, grant.rung, scores)
        del self._running[trial]
        return self._settle(grant.bracket, bracket.decide(trial, grant.rung))

    def replace(self, trial: int) -> None:
        """Give the place of a trial that was never trained to another: it could not be built or is
        infeasible.

        Raises:
            UsageError: The trial is not on its way to its first rung.
        """
        grant = self._grant_of(trial)
        if grant.rung > 0:
            raise UsageError(
                f"Trial {trial} has been trained and cannot be replaced.",
                expected="a trial that was just begun",
                received=grant,
                fix="Report None for a trial that failed.",
            )
        self._brackets[grant.bracket].leave(trial)
        del self._running[trial]
        self._decision = None

    def close(self) -> frozenset[int]:
        """Tell that there will be no new trial any more; those that waited for others go on without
        them.

        Returns:
            The trials that will never be granted anything again since now.
        """
        self._open_bracket, self._upcoming = lambda _: None, None
        out: set[int] = set()
        for number, bracket in list(self._brackets.items()):
            out |= self._settle(number, bracket.close())
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
        """Tell what was recorded of a trial. To be called for all but replaced ones, in the order
        of their numbers.

        Args:
            trial: Which one.
            bracket: That of its grants.
            granted_rung: That of its last grant.
            scores_by_rung: What it reported at each rung that it reached. One short of the last
                grant: it is running and is still to report.
            is_stopped: Whether `report` ever returned it while it had rungs ahead. The median rule
                decides on arrival, by who had been there before; that cannot be told from scores.

        Raises:
            UsageError: It does not fit this schedule, or has been told before.
        """
        while self._num_opened <= bracket and self._upcoming is not None:
            self._open()
        room = self._brackets.get(bracket)
        if (
            room is None
            or not room.has_place
            or trial in self._started
            or not 0 <= granted_rung < len(room.epochs)
            or not granted_rung <= len(scores_by_rung) <= granted_rung + 1
            or None in scores_by_rung[:granted_rung]
        ):
            raise UsageError(
                f"What is recorded of trial {trial} does not fit the schedule.",
                expected="a trial of a study with the same schedule, epochs and factor, told once",
                received=f"bracket {bracket}, rung {granted_rung}, scores {list(scores_by_rung)}",
            )
        for scores in scores_by_rung:
            self._check(scores)
        self._started.add(trial)
        for rung in range(granted_rung + 1):
            room.enter(trial, rung)
            if rung < len(scores_by_rung):
                room.arrive(trial, rung, scores_by_rung[rung])
        if len(scores_by_rung) == granted_rung:
            self._running[trial] = Promotion(
                trial if granted_rung else None, bracket, granted_rung, room.epochs[granted_rung]
            )
            self._decision = None
        else:
            self._settle(bracket, room.decide(trial, granted_rung, is_stopped=is_stopped))

    def _is_to_be_had(self, trial: int, grant: Promotion) -> bool:
        is_upcoming = grant.bracket == self._num_opened and grant.trial is None
        bracket = self._upcoming if is_upcoming else self._brackets.get(grant.bracket)
        if (
            bracket is None
            or grant.rung not in range(len(bracket.epochs))
            or trial in self._running
        ):
            return False
        is_theirs = (
            trial not in self._started
            if grant.trial is None
            else trial == grant.trial and grant.rung > 0
        )
        is_plausible = (grant.trial is None) == (
            grant.rung == 0
        ) and grant.epochs == bracket.epochs[grant.rung]
        return is_theirs and is_plausible and bracket.may_enter(trial, grant.rung)

    def _promotion(self) -> Promotion | None:
        best: Promotion | None = None
        for number, bracket in self._brackets.items():
            found = bracket.promotion()
            if found is not None and (best is None or found[1] > best.rung):
                best = Promotion(found[0], number, found[1], bracket.epochs[found[1]])
        return best

    def _opening(self) -> Promotion | None:
        for number, bracket in self._brackets.items():
            if bracket.has_place:
                return Promotion(None, number, 0, bracket.epochs[0])
        return (
            None
            if self._upcoming is None
            else Promotion(None, self._num_opened, 0, self._upcoming.epochs[0])
        )

    def _open(self) -> None:
        if self._upcoming is not None:
            self._brackets[self._num_opened] = self._upcoming
            self._num_opened += 1
            self._upcoming = self._open_bracket(self._num_opened)

    def _settle(self, number: int, out: Sequence[int]) -> frozenset[int]:
        if self._brackets[number].is_over:
            del self._brackets[number]
        self._out.update(out)
        self._decision = None
        return frozenset(out)

    def _grant_of(self, trial: int) -> Promotion:
        if trial not in self._running:
            raise UsageError(
                f"Trial {trial} is not running.",
                expected="a trial that was started and has not reported since",
                received=f"{'another' if trial in self._started else 'an unknown'} trial",
            )
        return self._running[trial]

    def _check(self, scores: Scores | None) -> None:
        if scores is None:
            return
        expected = len(scores) if self._num_objectives is None else self._num_objectives
        if len(scores) != expected or not scores:
            raise UsageError(
                "The scores are not those of the study's objectives.",
                expected=f"{max(expected, 1)} values, one for each objective",
                received=scores,
            )
        self._num_objectives = expected
