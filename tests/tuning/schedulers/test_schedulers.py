"""Schedules: each rule against its definition, timing that decides nothing, and a rebuilt schedule
that goes on.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eyetune.errors import UsageError
from eyetune.records.study import SchedulerName
from eyetune.tuning.schedulers import (
    Promotion,
    Scheduler,
    halving_rungs,
    hyperband_brackets,
    make_scheduler,
    median_rungs,
)
from tests.counting import count_calls
from tests.tuning.schedulers.promotion_order import promotion_order

Scores = tuple[float, ...]
ScoreOf = Callable[[int, int], Scores | None]


@dataclass
class Trial:
    """What a coordinator records of a trial."""

    bracket: int
    rung: int
    epochs: int
    scores: list[Scores | None] = field(default_factory=list)
    is_stopped: bool = False


class Simulation:
    """Workers that take grants and report in a random order."""

    def __init__(
        self,
        schedule: Scheduler,
        score_of: ScoreOf,
        *,
        seed: int = 0,
        num_workers: int = 2,
        replaced: float = 0,
    ) -> None:
        self.schedule = schedule
        self.score_of = score_of
        self.random = Random(seed)
        self.num_workers = num_workers
        self.replaced = replaced
        self.trials: dict[int, Trial] = {}
        self.running: list[int] = []
        self.grants: list[tuple[int, Promotion]] = []
        self.num_numbers = 0

    def run(self, num_reports: float = math.inf) -> Simulation:
        while num_reports > 0 and self.step():
            num_reports -= 1
        return self

    def step(self) -> bool:
        """Let all free workers take a grant, and one report."""
        while len(self.running) < self.num_workers and (grant := self.schedule.next()) is not None:
            assert self.schedule.next() == grant
            self.take(grant)
        if not self.running:
            assert self.schedule.is_over
            return False
        assert not self.schedule.is_over
        trial = self.running.pop(self.random.randrange(len(self.running)))
        record = self.trials[trial]
        record.scores.append(self.score_of(trial, record.rung))
        for gone in self.schedule.report(trial, record.scores[-1]):
            one = self.trials[gone]
            one.is_stopped = one.scores[-1] is not None
        return True

    def take(self, grant: Promotion) -> None:
        trial = self.num_numbers if grant.trial is None else grant.trial
        assert trial not in self.schedule.out
        self.schedule.start(trial, grant)
        self.grants.append((trial, grant))
        self.num_numbers += grant.trial is None
        if grant.trial is None and self.random.random() < self.replaced:
            self.schedule.replace(trial)
            return
        scores = self.trials[trial].scores if trial in self.trials else []
        self.trials[trial] = Trial(grant.bracket, grant.rung, grant.epochs, scores)
        self.running.append(trial)

    def rebuilt(self, schedule: Scheduler) -> Simulation:
        """Return a simulation at the same point, its schedule told what is recorded."""
        other = Simulation(
            schedule, self.score_of, num_workers=self.num_workers, replaced=self.replaced
        )
        other.random.setstate(self.random.getstate())
        other.num_numbers, other.running = self.num_numbers, list(self.running)
        for number, one in sorted(self.trials.items()):
            schedule.restore(number, one.bracket, one.rung, one.scores, is_stopped=one.is_stopped)
            other.trials[number] = Trial(
                one.bracket, one.rung, one.epochs, list(one.scores), one.is_stopped
            )
        return other

    @property
    def epochs(self) -> dict[int, int]:
        return {number: one.epochs for number, one in self.trials.items()}


def scoring(seed: int, *, num_objectives: int = 1, failed: float = 0.0) -> ScoreOf:
    """Return scores by trial and rung, with many ties, and with NaN where trials may fail."""

    def score_of(trial: int, rung: int) -> Scores | None:
        random = Random(f"{seed} {trial} {rung}")
        if random.random() < failed:
            return None
        if random.random() < failed / 2:
            return (math.nan,) * num_objectives
        return tuple(random.randrange(8) / 8 for _ in range(num_objectives))

    return score_of


def by_number(trial: int, rung: int) -> Scores:
    return (float(trial),)


def best_of(trials: Sequence[int], scores: Sequence[Scores | None], places: int) -> list[int]:
    kept = [place for place in promotion_order(scores) if scores[place] is not None]
    return sorted(trials[place] for place in kept[:places])


# ---- full


def test_full_grants_all_epochs_in_one_promotion() -> None:
    done = Simulation(make_scheduler("full", max_epochs=7, num_trials=5), by_number).run()
    assert [grant for _, grant in done.grants] == [Promotion(None, 0, 0, 7)] * 5
    assert done.schedule.out == frozenset(range(5))


def test_unlimited_scheduler_always_starts_new_trials() -> None:
    for name in ("full", "halving", "median"):
        simulation = Simulation(make_scheduler(name, max_epochs=9), by_number).run(200)
        assert simulation.schedule.next() is not None
        assert not simulation.schedule.is_over


# ---- halving


def test_halving_rungs_are_powers_and_end_with_all_epochs() -> None:
    assert halving_rungs(81) == (1, 3, 9, 27, 81)
    assert halving_rungs(40, 2, min_epochs=5) == (5, 10, 20, 40)
    assert halving_rungs(1) == (1,)
    assert halving_rungs(10, 1.5) == (1, 2, 3, 5, 8, 10)


@given(max_epochs=st.integers(1, 500), factor=st.floats(1.2, 10), data=st.data())
def test_rungs_rise_from_min_to_max_epochs(
    max_epochs: int, factor: float, data: st.DataObject
) -> None:
    min_epochs = data.draw(st.integers(1, max_epochs))
    for rungs in (
        halving_rungs(max_epochs, factor, min_epochs),
        median_rungs(max_epochs, min_epochs),
    ):
        assert list(rungs) == sorted(set(rungs))
        assert rungs[0] >= min_epochs
        assert rungs[-1] == max_epochs
    for plan in hyperband_brackets(max_epochs, factor, min_epochs):
        assert plan.epochs[0] >= min_epochs
        assert plan.epochs[-1] == max_epochs


@given(seed=st.integers(0, 10**6), num_workers=st.integers(1, 5), num_objectives=st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_halving_promotes_the_best_share_of_arrived_trials(
    seed: int, num_workers: int, num_objectives: int
) -> None:
    factor = 3
    simulation = Simulation(
        make_scheduler("halving", max_epochs=9, factor=factor),
        scoring(seed, num_objectives=num_objectives, failed=0.1),
        seed=seed,
        num_workers=num_workers,
    )
    for _ in range(60):
        simulation.step()
        assert simulation.schedule.next() == expected_by_halving(simulation, factor)


def expected_by_halving(simulation: Simulation, factor: int) -> Promotion:
    for rung in (1, 0):
        there = [
            (number, one.scores[rung])
            for number, one in sorted(simulation.trials.items())
            if len(one.scores) > rung and one.scores[rung] is not None
        ]
        for place in promotion_order([scores for _, scores in there])[: len(there) // factor]:
            number = there[place][0]
            if simulation.trials[number].rung == rung:
                return Promotion(number, 0, rung + 1, (1, 3, 9)[rung + 1])
    return Promotion(None, 0, 0, 1)


def test_halving_does_not_promote_an_overtaken_trial() -> None:
    schedule = make_scheduler("halving", max_epochs=3, factor=2)
    for trial in range(3):
        schedule.start(trial, schedule.next() or pytest.fail("no grant"))
    schedule.report(0, (0.1,))
    schedule.report(1, (0.0,))
    assert schedule.next() == Promotion(0, 0, 1, 2)
    schedule.report(2, (0.5,))
    assert schedule.next() == Promotion(2, 0, 1, 2)


@pytest.mark.parametrize("num_trials", [1, 2, 3, 10, 27, 40])
@pytest.mark.parametrize("num_objectives", [1, 2])
def test_limited_halving_trains_the_best_to_the_end(num_trials: int, num_objectives: int) -> None:
    schedule = make_scheduler("halving", max_epochs=27, num_trials=num_trials)
    done = Simulation(
        schedule, lambda trial, _: (float(trial),) * num_objectives, num_workers=3
    ).run()
    assert len(done.trials) == num_trials
    assert done.epochs[num_trials - 1] == 27
    assert schedule.out == frozenset(done.trials)


def test_limited_halving_stops_trials_without_a_chance() -> None:
    schedule = make_scheduler("halving", max_epochs=9, num_trials=9)
    done = Simulation(schedule, lambda trial, _: (-float(trial),), num_workers=1).run(4)
    assert done.epochs == {0: 3, 1: 1, 2: 1}
    assert schedule.out == frozenset()
    done.run(1)
    assert schedule.out == {3}


# ---- hyperband


@pytest.mark.parametrize(
    ("max_epochs", "num_promotions", "epochs"), [(10, 30, 120), (30, 90, 576), (100, 254, 2672)]
)
def test_hyperband_has_the_published_numbers(
    max_epochs: int, num_promotions: int, epochs: int
) -> None:
    plans = hyperband_brackets(max_epochs, 3)
    assert sum(sum(plan.places) for plan in plans) == num_promotions
    assert sum(plan.epochs_trained for plan in plans) == epochs
    done = Simulation(
        make_scheduler("hyperband", max_epochs=max_epochs), scoring(1), num_workers=3
    ).run()
    assert len(done.grants) == num_promotions
    assert epochs_trained(done) == epochs
    assert len(done.trials) == sum(plan.places[0] for plan in plans)


def epochs_trained(done: Simulation) -> int:
    trained: dict[int, int] = {}
    total = 0
    for trial, grant in done.grants:
        total += grant.epochs - trained.get(trial, 0)
        trained[trial] = grant.epochs
    return total


def test_hyperband_has_the_brackets_of_keras_tuner() -> None:
    import keras_tuner
    from keras_tuner.src.tuners.hyperband import HyperbandOracle

    for factor in (2, 3, 4, 5, 10):
        for max_epochs in (*range(1, 130), 243, 256, 625, 729, 1000):
            objective = keras_tuner.Objective("val_accuracy", "max")
            theirs = HyperbandOracle(objective=objective, max_epochs=max_epochs, factor=factor)
            numbers = range(theirs._get_num_brackets() - 1, -1, -1)
            ours = hyperband_brackets(max_epochs, factor)
            assert [list(plan.places) for plan in ours] == rounds(theirs, numbers, theirs._get_size)
            assert [list(plan.epochs) for plan in ours] == rounds(
                theirs, numbers, theirs._get_epochs
            )


def rounds(oracle: Any, numbers: Sequence[int], what: Callable[[int, int], int]) -> list[list[int]]:
    return [
        [what(number, turn) for turn in range(oracle._get_num_rounds(number))] for number in numbers
    ]


@given(
    seed=st.integers(0, 10**6),
    num_workers=st.integers(1, 20),
    num_objectives=st.integers(1, 2),
    failed=st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    max_epochs=st.integers(1, 12),
    factor=st.sampled_from([2, 3]),
    iterations=st.integers(1, 2),
)
@settings(deadline=None, max_examples=150)
def test_hyperband_equals_synchronous_hyperband(
    seed: int,
    num_workers: int,
    num_objectives: int,
    failed: float,
    max_epochs: int,
    factor: int,
    iterations: int,
) -> None:
    score_of = scoring(seed, num_objectives=num_objectives, failed=failed)
    schedule = make_scheduler(
        "hyperband", max_epochs=max_epochs, factor=factor, iterations=iterations
    )
    done = Simulation(schedule, score_of, seed=seed, num_workers=num_workers).run()
    expected: dict[int, int] = {}
    for plan in hyperband_brackets(max_epochs, factor) * iterations:
        trials = list(range(len(expected), len(expected) + plan.places[0]))
        for rung, epochs in enumerate(plan.epochs):
            expected |= dict.fromkeys(trials, epochs)
            if rung + 1 < len(plan.places):
                trials = best_of(
                    trials, [score_of(trial, rung) for trial in trials], plan.places[rung + 1]
                )
    assert done.epochs == expected
    assert schedule.out == frozenset(expected)


def test_hyperband_never_waits_while_there_is_work() -> None:
    schedule = make_scheduler("hyperband", max_epochs=10, iterations=2)
    simulation = Simulation(schedule, by_number, num_workers=44)
    for _ in range(44):  # two iterations of 12 + 6 + 4 new trials: none has reported yet
        grant = schedule.next()
        assert grant is not None
        assert grant.trial is None
        simulation.take(grant)
    assert schedule.next() is None
    assert not schedule.is_over
    assert [one.bracket for one in simulation.trials.values()] == [0] * 12 + [1] * 6 + [2] * 4 + [
        3
    ] * 12 + [4] * 6 + [5] * 4


def test_hyperband_promotes_certain_trials_immediately() -> None:
    schedule = make_scheduler("hyperband", max_epochs=10)
    for trial in range(12):
        schedule.start(trial, schedule.next() or pytest.fail("no grant"))
    for trial in range(8):
        assert schedule.report(trial, (float(trial),)) == (
            frozenset({trial - 4}) if trial >= 4 else frozenset()
        )
    assert schedule.next() == Promotion(None, 1, 0, 4)  # four are to come, who may be the best four
    schedule.report(8, (8.0,))
    assert schedule.next() == Promotion(8, 0, 1, 4)
    assert schedule.report(9, None) == {9}
    schedule.start(8, Promotion(8, 0, 1, 4))
    assert schedule.next() == Promotion(7, 0, 1, 4)


def test_hyperband_promotes_before_a_round_ends() -> None:
    schedule = make_scheduler("hyperband", max_epochs=10)
    for trial in range(18):
        schedule.start(trial, schedule.next() or pytest.fail("no grant"))
    for trial in range(11):
        schedule.report(trial, (float(trial),))
    for trial in (10, 9, 8):
        schedule.start(trial, Promotion(trial, 0, 1, 4))
    for trial in (10, 9, 8):
        schedule.report(trial, (float(trial),))
    assert schedule.next() == Promotion(
        10, 0, 2, 10
    )  # trial 7 or 11 is the only one to come, and two go on


def test_hyperband_promotes_from_the_earlier_bracket_first() -> None:
    schedule = make_scheduler("hyperband", max_epochs=10)
    for trial in range(18):
        schedule.start(trial, schedule.next() or pytest.fail("no grant"))
    for trial in reversed(range(18)):
        schedule.report(trial, (float(trial),))
    assert schedule.next() == Promotion(11, 0, 1, 4)


def test_replace_frees_the_slot_of_a_trial() -> None:
    schedule = make_scheduler("hyperband", max_epochs=10)
    done = Simulation(schedule, scoring(3), num_workers=4, replaced=0.4).run()
    assert len(done.trials) == 22
    assert done.num_numbers > 22
    assert (
        epochs_trained(done)
        - sum(grant.epochs for trial, grant in done.grants if trial not in done.trials)
        == 120
    )
    done = Simulation(
        make_scheduler("full", max_epochs=2, num_trials=10), by_number, replaced=0.5
    ).run()
    assert len(done.trials) == 10


@given(
    num_trials=st.integers(1, 60),
    iterations=st.sampled_from([1, 2, None]),
    seed=st.integers(0, 100),
)
@settings(deadline=None, max_examples=60)
def test_num_trials_reduces_the_last_bracket(
    num_trials: int, iterations: int | None, seed: int
) -> None:
    schedule = make_scheduler(
        "hyperband", max_epochs=10, num_trials=num_trials, iterations=iterations
    )
    done = Simulation(schedule, scoring(seed), seed=seed, num_workers=3).run()
    assert len(done.trials) == (
        num_trials if iterations is None else min(num_trials, 22 * iterations)
    )
    last = max(one.bracket for one in done.trials.values())
    members = [one for one in done.trials.values() if one.bracket == last]
    share = len(members) / (12, 6, 4)[last % 3]
    finished = [one for one in members if one.epochs == 10]
    assert len(finished) == math.ceil((2, 2, 4)[last % 3] * share)


# ---- median


def test_median_rungs_are_fifths() -> None:
    assert median_rungs(50) == (10, 20, 30, 40, 50)
    assert median_rungs(7) == (2, 3, 5, 6, 7)


@given(seed=st.integers(0, 10**6), num_workers=st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_median_stops_trials_worse_than_the_median(seed: int, num_workers: int) -> None:
    schedule = make_scheduler("median", max_epochs=10, num_trials=25)
    simulation = Simulation(schedule, scoring(seed), seed=seed, num_workers=num_workers)
    reached: dict[int, dict[int, float]] = {rung: {} for rung in range(5)}
    while simulation.step():
        (trial, rung) = next(
            (number, len(one.scores) - 1)
            for number, one in simulation.trials.items()
            if one.scores and number not in reached[len(one.scores) - 1]
        )
        scores = simulation.trials[trial].scores[rung]
        assert scores is not None
        others = reached[rung].values()
        goes_on = trial < 5 or not others or scores[0] >= statistics.median(others)
        assert (trial in schedule.out) == (rung == 4 or not goes_on)
        reached[rung][trial] = scores[0]
    assert schedule.out == frozenset(range(25))


def test_median_ranks_several_objectives_by_fronts() -> None:
    schedule = make_scheduler("median", max_epochs=5)
    for trial in range(8):
        schedule.start(trial, schedule.next() or pytest.fail("no grant"))
    for trial in range(5):
        assert not schedule.report(trial, (float(trial), float(trial)))
    assert not schedule.report(5, (9.0, -1.0))
    assert not schedule.report(6, (2.5, 2.5))  # three are better, three are worse
    assert schedule.report(7, (1.5, 1.5)) == {7}


# ---- all


@given(
    name=st.sampled_from(get_args(SchedulerName)),
    seed=st.integers(0, 10**6),
    num_workers=st.integers(1, 6),
    num_reports=st.integers(0, 60),
    num_objectives=st.integers(1, 2),
    num_trials=st.sampled_from([None, 7, 30]),
    failed=st.sampled_from([0.0, 0.2]),
    replaced=st.sampled_from([0.0, 0.2]),
)
@settings(deadline=None, max_examples=300)
@example(  # the last trial is running on its second rung
    name="hyperband",
    seed=741,
    num_workers=2,
    num_reports=18,
    num_objectives=2,
    num_trials=None,
    failed=0.0,
    replaced=0.0,
)
def test_restored_scheduler_continues_as_before(
    name: SchedulerName,
    seed: int,
    num_workers: int,
    num_reports: int,
    num_objectives: int,
    num_trials: int | None,
    failed: float,
    replaced: float,
) -> None:
    def make() -> Scheduler:
        return make_scheduler(name, max_epochs=9, num_trials=num_trials, iterations=None)

    score_of = scoring(seed, num_objectives=num_objectives, failed=failed)
    one = Simulation(make(), score_of, seed=seed, num_workers=num_workers, replaced=replaced).run(
        num_reports
    )
    other = one.rebuilt(make())
    begin = len(one.grants)
    assert other.schedule.next() == one.schedule.next()
    assert other.schedule.out == one.schedule.out
    assert other.schedule.is_over == one.schedule.is_over
    one.run(60)
    other.run(60)
    assert other.grants == one.grants[begin:]
    assert other.schedule.out == one.schedule.out


@pytest.mark.parametrize("name", get_args(SchedulerName))
def test_promotions_come_before_new_trials_and_the_highest_first(name: SchedulerName) -> None:
    simulation = Simulation(
        make_scheduler(name, max_epochs=27, iterations=None), scoring(2), num_workers=1
    )
    for _ in range(100):
        simulation.step()
        grant = simulation.schedule.next()
        assert grant is not None
        simulation.take(grant)
        following = simulation.schedule.next()
        assert following is None or following.rung <= grant.rung


@pytest.mark.parametrize("name", get_args(SchedulerName))
def test_scheduler_costs_as_much_for_each_of_many_trials(name: SchedulerName) -> None:
    def calls_per_promotion(num_trials: int) -> float:
        schedule = make_scheduler(name, max_epochs=81, num_trials=num_trials, iterations=None)
        random = Random(0)
        simulation = Simulation(schedule, lambda *_: (random.random(),), num_workers=8)
        calls = count_calls(simulation.run)
        assert len(simulation.trials) == num_trials
        return calls / len(simulation.grants)

    assert calls_per_promotion(5000) < 2 * calls_per_promotion(250)


@pytest.mark.parametrize(
    "values",
    [
        {"factor": 1},
        {"factor": 0.5},
        {"factor": math.nan},
        {"factor": math.inf},
        {"max_epochs": 0},
        {"max_epochs": 2.5},
        {"min_epochs": 0},
        {"min_epochs": 11},
        {"num_trials": 0},
        {"iterations": 0},
    ],
)
@pytest.mark.parametrize("name", get_args(SchedulerName))
def test_values_out_of_range_are_refused(name: SchedulerName, values: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        make_scheduler(name, **{"max_epochs": 10, **values})


def test_make_scheduler_suggests_similar_names() -> None:
    with pytest.raises(UsageError):
        make_scheduler("hyperbnd", max_epochs=10)  # type: ignore[arg-type]


def test_scheduler_rejects_invalid_calls_without_effect() -> None:
    schedule = make_scheduler("halving", max_epochs=9, num_trials=3)
    new = schedule.next() or pytest.fail("no grant")
    schedule.start(0, new)
    refused: list[Callable[[], object]] = [
        lambda: schedule.start(0, new),
        lambda: schedule.start(1, Promotion(0, 0, 1, 3)),
        lambda: schedule.start(1, Promotion(1, 0, 1, 3)),
        lambda: schedule.start(1, Promotion(None, 1, 0, 1)),
        lambda: schedule.start(1, Promotion(None, 0, 0, 9)),
        lambda: schedule.report(1, (0.5,)),
        lambda: schedule.report(0, ()),
        lambda: schedule.replace(1),
        lambda: schedule.restore(0, 0, 0, []),
        lambda: schedule.restore(1, 1, 0, []),
        lambda: schedule.restore(1, 0, 3, [(1.0,)] * 3),
        lambda: schedule.restore(1, 0, 1, []),
        lambda: schedule.restore(1, 0, 1, [None]),
    ]
    for call in refused:
        with pytest.raises(UsageError):
            call()
    assert schedule.next() == new
    schedule.report(0, (0.5,))
    schedule.start(1, new)
    with pytest.raises(UsageError):
        schedule.report(1, (0.5, 0.5))
