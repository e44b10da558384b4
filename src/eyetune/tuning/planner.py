"""Which trial trains next, with which values, and up to how many epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import final

from eyetune.records.study import StudyRecord
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.space.hyperparameters import Values
from eyetune.space.space import Space
from eyetune.tuning.budget import BudgetTracker
from eyetune.tuning.endings import Ending
from eyetune.tuning.failures import RejectionCounter
from eyetune.tuning.prior_runs import Seed
from eyetune.tuning.samplers.sampler import Sampler, Suggestion, any_values
from eyetune.tuning.schedulers import Promotion, make_scheduler
from eyetune.tuning.trials import excesses, scores

# With these schedulers a trial may wait until the end of the study.
WAITING_SCHEDULERS = ("halving", "median")


@final
class TrialPlanner:
    """Connects the scheduler, the sampler and the budget of a study.

    Its state depends only on the calls of its methods. After `restore` with all recorded trials, it
    continues as before.

    Args:
        record: The study.
        budget: Its budget.
        seeds: Runs that the sampler knows from the start.
        works: Returns whether values can be trained at all; others are not suggested.
    """

    def __init__(
        self,
        record: StudyRecord,
        budget: BudgetTracker,
        seeds: Sequence[Seed] = (),
        works: Callable[[Values], bool] = any_values,
    ) -> None:
        settings = record.settings
        scheduler = settings.schedule
        self._settings = settings
        self._budget = budget
        self._scheduler = make_scheduler(
            scheduler.name,
            max_epochs=scheduler.max_epochs,
            min_epochs=scheduler.min_epochs,
            factor=scheduler.factor,
            num_trials=settings.budget.trials,
            iterations=scheduler.iterations,
        )
        self._sampler = Sampler(
            settings.sampler,
            record.space,
            settings.objectives,
            seed=settings.seed,
            works=works,
            settings=settings.sampling,
        )
        for number, seed in enumerate(seeds, start=1):
            self._sampler.add(-number, seed.values, seed.objectives)
        self._rejections = RejectionCounter()
        self._is_exhausted = False
        self._is_closed = False

    def restore(self, trials: Iterable[TrialRecord]) -> list[int]:
        """Take in recorded trials, in the order of their numbers.

        Returns:
            Numbers of the trials that were running or waiting.
        """
        waiting = []
        for trial in trials:
            if trial.is_final:
                continue
            self._sampler.add(
                trial.number, trial.values, None, running=True, state=trial.sampler_state
            )
            self._tell_sampler(trial)
            if is_replaced(trial):
                continue
            self._restore_in_scheduler(trial)
            self._budget.release(trial)
            if trial.state in (TrialState.WAITING, TrialState.RUNNING):
                waiting.append(trial.number)
                self._budget.promise(trial)
        return waiting

    def _restore_in_scheduler(self, trial: TrialRecord) -> None:
        by_rung: list[tuple[float, ...] | None] = [
            scores(self._settings.objectives, rung.values) for rung in trial.rungs
        ]
        rung = max(len(by_rung) - 1, 0)
        if trial.is_open or trial.state is TrialState.FAILED:
            rung = trial.rung
        if trial.state is TrialState.FAILED:
            by_rung = [*by_rung[:rung], None]
        is_stopped = trial.state is TrialState.STOPPED
        self._scheduler.restore(trial.number, trial.bracket, rung, by_rung, is_stopped=is_stopped)

    def next_promotion(self, epochs_trained: Callable[[int], int]) -> Promotion | None:
        """Return what the scheduler allows next, within the budget; None where nothing is allowed.

        Args:
            epochs_trained: Returns the epochs that the executions of a trial have trained together,
                by its number.
        """
        promotion = self._scheduler.next()
        if promotion is None:
            return None
        if promotion.trial is None:
            if self.no_more_trials is not None:
                return None
            trained = 0
        else:
            trained = epochs_trained(promotion.trial)
        num_epochs = self._settings.schedule.executions * promotion.epochs
        return promotion if self._budget.allows(num_epochs - trained) else None

    @property
    def no_more_trials(self) -> Ending | None:
        """Why no new trial can be started; None where one can."""
        if self._is_exhausted:
            return Ending.OUT_OF_COMBINATIONS
        return self._rejections.ending

    @property
    def ending(self) -> Ending:
        """Why the study ends once nothing is running or allowed."""
        reason = self.no_more_trials
        if reason is not None:
            return reason
        is_limited = self._settings.budget.epochs is not None
        if is_limited and self._scheduler.next() is not None:
            return Ending.OUT_OF_EPOCHS
        return Ending.TRIALS_DONE

    def is_start(self, number: int) -> bool:
        """Return whether a trial has values that the study began with."""
        return number < len(self._settings.starts)

    def start_trial(
        self, number: int, promotion: Promotion, requested: Values | None = None
    ) -> TrialRecord | None:
        """Suggest a new trial; None where every combination has been tried.

        Args:
            number: Its number.
            promotion: What the scheduler allows it.
            requested: Values that someone asked for. Default: the study's own.
        """
        suggestion = self._suggestion(number, requested)
        if suggestion is None:
            self._is_exhausted = True
            return None
        self._scheduler.start(number, promotion)
        trial = TrialRecord(
            number=number,
            state=TrialState.WAITING,
            values=suggestion.values,
            sampler_state=suggestion.state,
            bracket=promotion.bracket,
            rung=promotion.rung,
            epochs_granted=promotion.epochs,
        )
        self._budget.promise(trial)
        return trial

    def _suggestion(self, number: int, requested: Values | None) -> Suggestion | None:
        """Return what was asked for, the next start, or else what the sampler suggests."""
        values = requested
        if values is None and self.is_start(number):
            values = self._settings.starts[number]
        if values is None:
            return self._sampler.suggest(number)
        self._sampler.add(number, values, None, running=True)
        return Suggestion(dict(values))

    def promote(self, trial: TrialRecord, promotion: Promotion) -> TrialRecord:
        """Return a paused trial with the epochs that it is promoted to."""
        self._scheduler.start(trial.number, promotion)
        promoted = trial.with_(
            state=TrialState.RUNNING, rung=promotion.rung, epochs_granted=promotion.epochs
        )
        if not trial.is_over:
            self._budget.promise(promoted)
        return promoted

    def accept(self) -> None:
        """Take note that the network of a suggestion can be trained."""
        self._rejections.reset()

    def reject(self, trial: TrialRecord) -> None:
        """Give the place of a trial that will not be trained to another one."""
        self._scheduler.replace(trial.number)
        self._budget.release(trial)
        self._rejections.add(trial)
        self._tell_sampler(trial)

    def report(self, trial: TrialRecord) -> frozenset[int]:
        """Take in a trial that has reached its rung, or failed.

        Returns:
            Numbers of the trials that will not be promoted any more, this one included.
        """
        objectives = None
        if trial.state is not TrialState.FAILED and trial.objectives is not None:
            objectives = scores(self._settings.objectives, trial.objectives)
        done = self._scheduler.report(trial.number, objectives)
        self._budget.release(trial)
        return done

    def tell(self, trials: Iterable[TrialRecord]) -> None:
        """Tell the sampler the results of trials, as they are recorded now."""
        for trial in trials:
            self._tell_sampler(trial)

    def close(self) -> frozenset[int] | None:
        """Let the trials that wait for new ones continue without them.

        Returns:
            Numbers of the trials that will not be promoted any more; None where it is closed.
        """
        if self._is_closed:
            return None
        self._is_closed = True
        return self._scheduler.close()

    def remember(self, number: int, values: Values) -> None:
        """Take note of all values that a trial used, so that no other trial gets the same."""
        self._sampler.remember(number, values)

    def extend_space(self, space: Space) -> None:
        """Search a space with more hyperparameters from now on."""
        self._sampler.grow(space)
        self._is_exhausted = False

    def _tell_sampler(self, trial: TrialRecord) -> None:
        """Pass the result of a trial to the sampler, which ignores later results of the trial.

        With halving and median, where a trial may wait until the end of the study, the result is
        that of the first rung, which all reach; else it is the last one, once the trial is done.
        """
        is_waiting_scheduler = self._settings.schedule.name in WAITING_SCHEDULERS
        if is_waiting_scheduler and trial.rungs:
            values: tuple[float, ...] | None = trial.rungs[0].values
        elif trial.is_open:
            return
        else:
            values = None if trial.state is TrialState.FAILED else trial.objectives
        is_infeasible = trial.state is TrialState.INFEASIBLE
        if is_infeasible:
            excess = excesses(self._settings, trial)
            self._sampler.tell(trial.number, None, excess=excess, infeasible=True)
        else:
            self._sampler.tell(trial.number, values)


def is_replaced(trial: TrialRecord) -> bool:
    """Return whether a trial was rejected, so that another one took its place.

    A trial that a tuner in a script ran has no run, either, but took time.
    """
    is_unbuildable = trial.state is TrialState.FAILED and trial.run is None and not trial.seconds
    return is_unbuildable or trial.state is TrialState.INFEASIBLE
