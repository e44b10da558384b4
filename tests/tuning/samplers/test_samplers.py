"""Samplers: what they suggest, in which order, and how they learn."""

from __future__ import annotations

import json
import logging
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyetune.errors import SpaceError, UsageError
from eyetune.records.study import Objective, SamplerName, SamplerSettings
from eyetune.space.hyperparameters import Choice, Condition, Range, Sampling, Value
from eyetune.space.space import Space
from eyetune.tuning.samplers import Sampler, Suggestion

ACCURACY = Objective(name="val_accuracy", direction="max")
FLASH = Objective(name="flash_bytes", direction="min")
ALL: tuple[SamplerName, ...] = get_args(SamplerName)
QUICK = tuple(name for name in ALL if name != "gp")
FORESEEABLE: tuple[SamplerName, ...] = ("random", "quasi-random", "grid")

FINITE = Space.make(
    [
        Choice(name="activation", values=("relu", "tanh")),
        Choice(name="units", values=(16, 32, 64, 128), ordered=True),
        Range(name="batch", low=8, high=64, step=2, sampling="log", whole=True),
        Choice(
            name="norm",
            values=(True, False),
            conditions=(Condition(parent="activation", values=("tanh",)),),
        ),
    ]
)
MIXED = Space.make(
    [
        *FINITE.distributions,
        Range(name="rate", low=1e-4, high=1e-1, sampling="log", whole=False),
        Range(name="dropout", low=0.0, high=0.5, whole=False),
        Range(
            name="momentum",
            low=0.1,
            high=0.99,
            sampling="reverse_log",
            whole=False,
            conditions=(Condition(parent="norm", values=(True,)),),
        ),
    ]
)


def score(values: dict[str, Value]) -> float:
    rate = math.log10(float(values.get("rate", 1e-2)))
    return (
        -abs(rate + 2) - abs(int(values["units"]) - 64) / 64 + (values["activation"] == "tanh") / 2
    )


def search(
    name: SamplerName,
    space: Space,
    trials: int,
    *,
    rebuilt: bool = False,
    workers: int = 1,
    seed: int = 3,
    both: bool = False,
) -> list[Suggestion]:
    """Run a study with some trials under way at once; with `rebuilt` each suggestion comes from a
    new sampler.
    """
    objectives = [ACCURACY, FLASH] if both else [ACCURACY]
    sampler = Sampler(name, space, objectives, seed=seed)
    made: list[Suggestion] = []
    for number in range(trials):
        if rebuilt:
            sampler = Sampler(name, space, objectives, seed=seed)
            for known, one in enumerate(made):
                running = known > number - workers
                told = None if running else outcome(one.values, both)
                sampler.add(
                    known,
                    one.values,
                    told,
                    running=running,
                    state=json.loads(json.dumps(one.state)),
                )
        suggestion = sampler.suggest(number)
        if suggestion is None:
            break
        made.append(suggestion)
        if number + 1 >= workers and not rebuilt:
            over = number + 1 - workers
            sampler.tell(over, outcome(made[over].values, both))
    return made


def outcome(values: dict[str, Value], both: bool) -> tuple[float, ...]:
    return (score(values), float(values["units"])) if both else (score(values),)


# What is suggested


@pytest.mark.parametrize("name", QUICK)
def test_samplers_suggest_each_point_of_a_finite_space_once(name: SamplerName) -> None:
    found = [one.values for one in search(name, FINITE, 1000)]
    keys = [FINITE.key(values) for values in found]
    assert sorted(keys) == sorted(FINITE.key(point) for point in FINITE.points())
    assert all(FINITE.contains(values) for values in found)


def test_gp_never_repeats_itself() -> None:
    space = Space.make(
        [
            Choice(name="units", values=(16, 32, 64), ordered=True),
            Choice(name="kind", values=(*"abcdef",)),
        ]
    )
    sampler = Sampler("gp", space, [ACCURACY], seed=0)
    found: list[str] = []
    while (one := sampler.suggest(len(found))) is not None:
        sampler.tell(len(found), (float(one.values["units"]),))
        found.append(space.key(one.values))
    assert len(found) == len(set(found)) == 18


numbers = st.integers(1, 40)
names = st.lists(st.text("abcde", min_size=1, max_size=3), min_size=1, max_size=4, unique=True)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    made: list[Choice | Range] = []
    for name in draw(names):
        conditions: tuple[Condition, ...] = ()
        parents = [part for part in made if isinstance(part, Choice)]
        is_conditional: bool = draw(st.booleans())
        if parents and is_conditional:
            parent = draw(st.sampled_from(parents))
            value = draw(st.sampled_from(parent.values))
            conditions = (Condition(parent=parent.name, values=(value,)),)
        is_choice: bool = draw(st.booleans())
        if is_choice:
            made.append(draw(choices(name, conditions)))
        else:
            made.append(draw(ranges(name, conditions)))
    return Space.make(made)


@st.composite
def choices(draw: st.DrawFn, name: str, conditions: tuple[Condition, ...]) -> Choice:
    kind = draw(st.sampled_from(["words", "switch", "ordered"]))
    values: tuple[Value, ...] = (False, True)
    if kind == "words":
        values = tuple(draw(st.lists(st.text(max_size=3), min_size=1, max_size=3, unique=True)))
    if kind == "ordered":
        values = tuple(sorted(draw(st.lists(numbers, min_size=1, max_size=4, unique=True))))
    return Choice(name=name, values=values, ordered=kind == "ordered", conditions=conditions)


@st.composite
def ranges(draw: st.DrawFn, name: str, conditions: tuple[Condition, ...]) -> Range:
    low = draw(numbers)
    whole = draw(st.booleans())
    sampling: Sampling = draw(st.sampled_from(get_args(Sampling)))
    if draw(st.booleans()):
        step, high = (
            (draw(st.integers(1, 3)), low + draw(st.integers(0, 9)))
            if sampling == "linear"
            else (2, 9 * low)
        )
        return Range(
            name=name,
            low=low,
            high=high,
            step=step,
            sampling=sampling,
            whole=whole,
            conditions=conditions,
        )
    high = low + draw(st.integers(0, 5))
    return Range(
        name=name, low=low, high=high, sampling=sampling, whole=whole, conditions=conditions
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    space=spaces(),
    name=st.sampled_from([name for name in QUICK if name != "grid"]),
    seed=st.integers(-5, 2**40),
)
def test_suggestions_are_in_the_space_and_unique(
    space: Space, name: SamplerName, seed: int
) -> None:
    sampler = Sampler(name, space, [ACCURACY], seed=seed)
    seen: list[str] = []
    for number in range(25):
        one = sampler.suggest(number)
        if one is None:
            break
        assert space.contains(one.values)
        seen.append(space.key(one.values))
        sampler.tell(number, (float(len(seen[-1])),))
    assert len(seen) == len(set(seen))
    if (size := space.size()) is not None:
        assert len(seen) == min(size, 25)


@settings(max_examples=30)
@given(space=spaces(), seed=st.integers(0, 99))
def test_a_grid_is_complete(space: Space, seed: int) -> None:
    if space.size() is None:
        with pytest.raises(SpaceError):
            Sampler("grid", space, [ACCURACY], seed=seed)
        return
    sampler = Sampler("grid", space, [ACCURACY], seed=seed)
    found: list[str] = []
    while (one := sampler.suggest(len(found))) is not None:
        found.append(space.key(one.values))
    assert sorted(found) == sorted(map(space.key, space.points()))


def test_a_grid_is_shuffled_by_the_seed() -> None:
    orders = [
        [FINITE.key(one.values) for one in search("grid", FINITE, 48, seed=seed)] for seed in (0, 1)
    ]
    assert orders[0] != orders[1]
    first = [one.values["activation"] for one in search("grid", FINITE, 12, seed=0)]
    assert set(first) == {"relu", "tanh"}


def test_random_values_follow_their_scale() -> None:
    for name in ("random", "quasi-random"):
        found = [one.values for one in search(name, MIXED, 400)]
        assert 0.2 < sum(float(one["rate"]) < 1e-3 for one in found) / 400 < 0.47
        momenta = [float(one["momentum"]) for one in found if "momentum" in one]
        assert (
            sum(momentum > 0.9 for momentum in momenta) > len(momenta) / 4
        )  # a tenth of the range


def test_quasi_random_is_more_even_than_random() -> None:
    space = Space.make([Range(name="x", low=0.0, high=1.0, whole=False)])

    def largest_gap(name: SamplerName) -> float:
        sampler = Sampler(name, space, [ACCURACY], seed=0)
        suggestions = [sampler.suggest(number) for number in range(64)]
        places = sorted(float(one.values["x"]) for one in suggestions if one is not None)
        return max(after - before for before, after in pairwise(places))

    assert largest_gap("quasi-random") < 2.01 / 64 < largest_gap("random")


def test_an_empty_space_has_one_point() -> None:
    for name in ALL:
        sampler = Sampler(name, Space(), [ACCURACY], seed=0)
        assert sampler.suggest(0) == Suggestion({})
        assert sampler.suggest(1) is None


# The same again


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("name", [name for name in QUICK if name != "grid"])
def test_rebuilt_sampler_suggests_the_same(name: SamplerName, workers: int) -> None:
    unbroken, rebuilt = (
        search(name, MIXED, 30, workers=workers, rebuilt=one) for one in (False, True)
    )
    assert [one.values for one in unbroken] == [one.values for one in rebuilt]
    if name != "cma-es":  # which packs the same state into other bytes
        assert unbroken == rebuilt


def test_rebuilt_sampler_repeats_discarded_suggestions() -> None:
    for name in ("tpe", "nsga2", "cma-es", "grid"):
        unbroken, rebuilt = (
            search(name, FINITE, 60, workers=2, rebuilt=one) for one in (False, True)
        )
        assert [one.values for one in unbroken] == [one.values for one in rebuilt]


def test_rebuilt_nsga2_continues_its_generation() -> None:
    unbroken = search("nsga2", MIXED, 115, workers=3, both=True)
    assert any("study" in one.state for one in unbroken)
    sampler = Sampler("nsga2", MIXED, [ACCURACY, FLASH], seed=3)
    for number, one in enumerate(unbroken[:114]):
        running = number > 114 - 3
        sampler.add(
            number,
            one.values,
            None if running else outcome(one.values, True),
            running=running,
            state=one.state,
        )
    assert sampler.suggest(114) == unbroken[114]


def test_rebuilt_gp_suggests_the_same() -> None:
    unbroken = search("gp", MIXED, 13, workers=2)
    sampler = Sampler("gp", MIXED, [ACCURACY], seed=3)
    for number, one in enumerate(unbroken[:12]):
        sampler.add(
            number,
            one.values,
            outcome(one.values, False) if number < 11 else None,
            running=number == 11,
        )
    assert sampler.suggest(12) == unbroken[12]


@pytest.mark.parametrize("name", FORESEEABLE)
def test_samplers_without_results_depend_on_lower_numbers(name: SamplerName) -> None:
    expected = search(name, FINITE, 20)
    sampler = Sampler(name, FINITE, [ACCURACY], seed=3)
    for number in [0, 1, 2, 3, 4, 5, 7, 8, 9]:  # the record of 6 was lost, and nothing was told
        sampler.add(number, expected[number].values, None, running=True)
    assert sampler.suggest(6) == expected[6]
    assert sampler.suggest(10) == expected[10]


def test_seeds_differ() -> None:
    for name in ("random", "quasi-random", "tpe", "gp", "cma-es", "nsga2"):
        assert search(name, MIXED, 3, seed=0) != search(name, MIXED, 3, seed=1)
    assert search("random", MIXED, 3, seed=-1) != search("random", MIXED, 3, seed=1)


# What is learned


def best(name: SamplerName, seed: int, trials: int) -> float:
    return max(score(one.values) for one in search(name, MIXED, trials, seed=seed))


@pytest.mark.parametrize(("name", "trials"), [("tpe", 60), ("gp", 25), ("cma-es", 60)])
def test_learning_samplers_beat_random_search(name: SamplerName, trials: int) -> None:
    seeds = range(3)
    assert sum(best(name, seed, trials) for seed in seeds) > sum(
        best("random", seed, trials) for seed in seeds
    )


def test_nsga2_moves_the_front() -> None:
    found = [score(one.values) for one in search("nsga2", MIXED, 200, both=True)]
    assert sum(found[150:]) > sum(found[:50]) + 10


def test_tpe_learns_where_constraints_are_broken() -> None:
    space = Space.make(
        [Range(name=name, low=0.0, high=1.0, whole=False) for name in ("size", "rate")]
    )
    broken = []
    for seed in range(3):
        sampler = Sampler("tpe", space, [ACCURACY], seed=seed)
        for number in range(60):
            one = sampler.suggest(number)
            assert one is not None
            size = float(one.values["size"])
            if size > 0.3:
                sampler.tell(number, None, excess=(size - 0.3, -1.0), infeasible=True)
            else:
                sampler.tell(number, (float(one.values["rate"]),))
            broken += [size > 0.3] if number >= 40 else []
    assert sum(broken) < 0.4 * len(broken)  # chance: 0.7


def test_prior_runs_seed_the_search() -> None:
    alone = Sampler("tpe", MIXED, [ACCURACY], seed=0)
    seeded = Sampler("tpe", MIXED, [ACCURACY], seed=0)
    for number, one in enumerate(search("random", MIXED, 40)):
        seeded.add(number - 40, one.values, (score(one.values),))
    first = [
        score(one.values)
        for one in (seeded.suggest(number) for number in range(8))
        if one is not None
    ]
    other = [
        score(one.values)
        for one in (alone.suggest(number) for number in range(8))
        if one is not None
    ]
    assert sum(first) > sum(other) + 4


def test_sampler_never_repeats_a_prior_run() -> None:
    space = Space.make(
        [
            Choice(name="units", values=(16, 32), ordered=True),
            Choice(name="kind", values=("a", "b")),
        ]
    )
    for name in ALL:
        sampler = Sampler(name, space, [ACCURACY], seed=0)
        sampler.add(-1, {"units": 32, "kind": "b"}, (0.5,))
        sampler.add(-2, {"units": 9000, "kind": "a"}, (0.5,))
        sampler.add(-3, {"units": 20, "kind": "zzz"}, None, infeasible=True)
        found: list[tuple[Value, Value]] = []
        while (one := sampler.suggest(len(found))) is not None:
            sampler.tell(len(found), None)
            found.append((one.values["units"], one.values["kind"]))
        assert sorted(found) == [(16, "a"), (16, "b"), (32, "a")]


@pytest.mark.parametrize("name", [name for name in ALL if name != "grid"])
def test_samplers_accept_failed_trials(name: SamplerName) -> None:
    sampler = Sampler(name, MIXED, [ACCURACY], seed=0)
    told: Sequence[tuple[float, ...] | None] = [
        None,
        (math.nan,),
        (math.inf,),
        (-math.inf,),
        (0.5,),
    ]
    for number in range(15):
        assert sampler.suggest(number) is not None
        sampler.tell(number, told[number % 5])


@pytest.mark.parametrize("name", ["random", "quasi-random", "tpe", "gp", "cma-es", "nsga2"])
def test_grow_adds_hyperparameters(name: SamplerName) -> None:
    sampler = Sampler(name, FINITE, [ACCURACY], seed=0)
    late = FINITE.merge(Space.make([Range(name="late", low=0.0, high=1.0, whole=False)]))
    found = []
    for number in range(30):
        if number == 12:
            sampler.grow(late)
        one = sampler.suggest(number)
        assert one is not None
        assert ("late" in one.values) == (number >= 12)
        found.append(one.values.get("late"))
        sampler.tell(number, (score(one.values) + float(one.values.get("late", 0)),))
    assert len(set(found[12:])) > 4


# What cannot be done


@pytest.mark.parametrize("name", ["gp", "cma-es"])
def test_samplers_of_one_objective_reject_several(name: SamplerName) -> None:
    with pytest.raises(UsageError) as caught:
        Sampler(name, FINITE, [ACCURACY, FLASH], seed=0)
    assert all(word in str(caught.value) for word in ("tpe", "nsga2", "random", "quasi-random"))


@pytest.mark.parametrize("name", ["tpe", "nsga2", "random", "quasi-random", "grid"])
def test_samplers_support_several_objectives(name: SamplerName) -> None:
    assert len(search(name, FINITE, 15, both=True)) == 15


def test_grid_rejects_an_infinite_space() -> None:
    with pytest.raises(SpaceError):
        Sampler("grid", MIXED, [ACCURACY], seed=0)
    wide = Space.make([Range(name=name, low=0, high=2000, whole=True) for name in "ab"])
    with pytest.raises(SpaceError):
        Sampler("grid", wide, [ACCURACY], seed=0)


# Manners


def test_samplers_silence_optuna_and_keep_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    import optuna

    before = optuna.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("tpe", "cma-es", "nsga2"):
            search(name, FINITE, 14)
    assert capsys.readouterr().err == ""
    assert optuna.logging.get_verbosity() == before == logging.INFO


@pytest.fixture(scope="module")
def many() -> list[dict[str, Value]]:
    return [one.values for one in search("random", MIXED, 10_000, seed=1)]


def num_calls(function: Callable[[], object]) -> int:
    """Return how many functions a call calls: its cost, whatever the machine does besides."""
    count = 0

    def on_event(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(on_event)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def cost_of_suggestion(name: SamplerName, trials: list[dict[str, Value]]) -> int:
    """Return the cost of a suggestion after trials."""
    sampler = Sampler(name, MIXED, [ACCURACY], seed=0)
    for number, values in enumerate(trials):
        sampler.add(number, values, (score(values),))
    sampler.suggest(len(trials))
    return num_calls(lambda: sampler.suggest(len(trials) + 1))


@pytest.mark.parametrize("name", ["random", "quasi-random", "tpe"])
def test_cost_of_suggestion_does_not_grow(name: SamplerName, many: list[dict[str, Value]]) -> None:
    assert cost_of_suggestion(name, many) < 2 * cost_of_suggestion(name, many[:1000])


def test_tpe_learns_from_the_best_and_newest_of_many_trials() -> None:
    """Good trials that are long past still show where to look."""
    space = Space.make([Range(name="x", low=0.0, high=1.0, whole=False)])
    sampler = Sampler("tpe", space, [ACCURACY], seed=0)
    for number in range(1000):
        x = 0.2 + 0.0001 * number if number < 30 else 0.5 + 0.0005 * number
        sampler.add(number, {"x": x}, (1.0 if number < 30 else 0.0,))
    found = [one.values["x"] for one in map(sampler.suggest, range(1000, 1010)) if one is not None]
    assert sum(0.15 < float(x) < 0.25 for x in found) >= 5  # chance: 1


LINE = Space.make([Range(name="x", low=0.0, high=1.0, whole=False)])


def suggested_after(tried: Sequence[float], settings: SamplerSettings) -> float:
    """Return what gp suggests after trials at some points, where the objective is the point."""
    sampler = Sampler("gp", LINE, [ACCURACY], seed=3, settings=settings)
    for index, x in enumerate(tried):
        sampler.add(index, {"x": x}, (x,))
    suggestion = sampler.suggest(len(tried))
    assert suggestion is not None
    return float(suggestion.values["x"])


@pytest.mark.parametrize("name", ["gp", "tpe"])
def test_initial_points_are_random(name: SamplerName) -> None:
    def suggested(initial_points: int | None) -> list[dict[str, Value]]:
        settings = SamplerSettings(initial_points=initial_points)
        sampler = Sampler(name, LINE, [ACCURACY], seed=3, settings=settings)
        suggestions = []
        for number in range(5):
            suggestion = sampler.suggest(number)
            assert suggestion is not None
            sampler.tell(number, (float(suggestion.values["x"]),))
            suggestions.append(suggestion.values)
        return suggestions

    random, late, early = suggested(None), suggested(5), suggested(3)
    assert late == random
    assert early[:3] == random[:3]
    assert early[3] != random[3]


def test_gp_explores_more_with_a_higher_beta() -> None:
    tried = [0.70, 0.72, 0.74, 0.76, 0.78, 0.80]
    greedy = suggested_after(tried, SamplerSettings(initial_points=3, beta=0))
    curious = suggested_after(tried, SamplerSettings(initial_points=3, beta=100))
    assert greedy > 0.8
    assert curious < 0.5  # far from all points


def test_gp_alpha_is_the_noise_that_it_assumes() -> None:
    """With much noise, one good result among bad ones is taken for chance."""
    bad = [(x, 0.0) for x in (0.02, 0.06, 0.14, 0.18)]
    good = [(x, 0.8) for x in (0.6, 0.65, 0.7, 0.75)]
    results = [*bad, (0.1, 1.0), *good]

    def suggested(alpha: float) -> float:
        settings = SamplerSettings(initial_points=3, alpha=alpha, beta=0)
        sampler = Sampler("gp", LINE, [ACCURACY], seed=3, settings=settings)
        for index, (x, value) in enumerate(results):
            sampler.add(index, {"x": x}, (value,))
        suggestion = sampler.suggest(len(results))
        assert suggestion is not None
        return float(suggestion.values["x"])

    assert suggested(1e-6) < 0.3 < suggested(1.0)
