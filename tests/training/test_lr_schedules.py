"""Learning-rate schedules: the curve of each, and that Keras follows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.errors import RecipeError
from eyetune.recipe import FitSection, LearningRateSchedule, OptimizerSection, Recipe
from eyetune.testing.datasets import tiny_dataset
from eyetune.training.callbacks import should_stop
from eyetune.training.lr_schedules import plateau_rate, rates, share_of_training
from eyetune.training.optimizers import build_optimizer
from eyetune.values.history import Epoch
from tests.training.fitting import fit_recipe


def curve(schedule: LearningRateSchedule, **values: Any) -> Any:
    return rates(OptimizerSection(learning_rate=1.0, schedule=schedule, **values), 10, 10)


def test_each_schedule_has_its_shape() -> None:
    assert set(curve("constant")) == {1.0}
    cosine = curve("cosine")
    assert cosine[0] == 1
    assert cosine[50] == pytest.approx(0.5)
    assert (np.diff(cosine) < 0).all()
    cycle = curve("one_cycle")
    assert cycle[0] == pytest.approx(1 / 25)
    assert np.argmax(cycle) == 30
    assert cycle[-1] < 0.01
    steps = [curve("step")[at] for at in (0, 49, 50, 74, 75, 99)]
    assert steps == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    assert curve("exponential")[50] == pytest.approx(0.1)


@given(
    st.sampled_from([name for name in get_args(LearningRateSchedule) if name != "plateau"]),
    st.floats(0, 5),
    st.integers(1, 40),
    st.integers(6, 30),
    st.floats(1e-6, 10),
)
def test_every_rate_is_above_zero_and_at_most_the_recipes(
    schedule: Any, warmup: float, steps: int, epochs: int, rate: float
) -> None:
    section = OptimizerSection(learning_rate=rate, schedule=schedule, warmup_epochs=warmup)
    values = rates(section, steps, epochs)
    assert values.shape == (steps * epochs,)
    assert (values > 0).all()
    assert values.max() <= np.float32(rate) * 1.0001


def test_warm_up_rises_in_a_straight_line() -> None:
    values = curve("cosine", warmup_epochs=2)
    np.testing.assert_allclose(values[:20], (np.arange(20) + 1) / 20, rtol=1e-6)
    assert values[20] == 1


def test_keras_cosine_decay_agrees() -> None:
    theirs = keras.optimizers.schedules.CosineDecay(1.0, decay_steps=100)
    np.testing.assert_allclose(
        curve("cosine"), [float(theirs(step)) for step in range(100)], atol=1e-6
    )


def test_optimizer_follows_the_curve() -> None:
    recipe = Recipe().with_({"optimizer.schedule": "one_cycle", "fit.epochs": 2})
    optimizer = build_optimizer(recipe, steps_per_epoch=5)
    weight = keras.Variable(np.ones(1, np.float32))
    optimizer.build([weight])
    expected = rates(recipe.optimizer, 5, 2)
    for step in range(12):
        assert float(optimizer.learning_rate) == expected[min(step, 9)]
        optimizer.apply([np.zeros(1, np.float32)])


def history(*losses: float) -> tuple[Epoch, ...]:
    return tuple(Epoch(number + 1, 1, 1, loss, 1, 1, 1, 1) for number, loss in enumerate(losses))


def test_plateau_reduces_after_two_epochs_without_a_better_loss() -> None:
    section = OptimizerSection(learning_rate=1.0, schedule="plateau")
    assert plateau_rate(section, history(3, 2, 1)) == 1
    assert plateau_rate(section, history(3, 2, 2)) == 1
    assert plateau_rate(section, history(3, 2, 2, 2)) == pytest.approx(0.3)
    assert plateau_rate(section, history(3, 2, 2, 2, 1, 1, 1)) == pytest.approx(0.09)


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_training_records_the_rates_of_its_schedule(tmp_path: Path, schedule: str) -> None:
    recipe = Recipe().with_(
        {
            "model.blocks": [2],
            "model.dense": [],
            "fit.batch_size": 20,
            "fit.epochs": 6,
            "optimizer.schedule": schedule,
        }
    )
    fitted = fit_recipe(recipe, tiny_dataset(), tmp_path)
    recorded = [epoch.learning_rate for epoch in fitted.history]
    if schedule == "plateau":
        expected = [plateau_rate(recipe.optimizer, fitted.history[:number]) for number in range(6)]
    else:
        curve = rates(recipe.optimizer, 3, 6)
        expected = [float(curve[min(3 * (number + 1), 17)]) for number in range(6)]
    assert recorded == pytest.approx(expected)


@pytest.mark.parametrize(
    "edits",
    [
        {"optimizer.schedule": "plateau", "optimizer.warmup_epochs": 1},
        {"optimizer.warmup_epochs": 10},
        {"optimizer.schedule": "cosin"},
    ],
)
def test_contradictions_are_rejected(edits: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        Recipe().with_(edits)


def test_cycles_repeat_the_schedule() -> None:
    section = OptimizerSection(
        learning_rate=1.0, schedule="cosine", warmup_epochs=0.5, cycle_epochs=1, cycle_factor=2
    )
    values = rates(section, 10, 8)  # cycles end after 1, 2, 4 and 8 epochs
    warm = OptimizerSection(learning_rate=1.0, schedule="cosine", warmup_epochs=0.5)
    plain = OptimizerSection(learning_rate=1.0, schedule="cosine")
    parts = [rates(warm, 10, 1), rates(plain, 10, 1), rates(plain, 10, 2), rates(plain, 10, 4)]
    np.testing.assert_array_equal(values, np.concatenate(parts))


@given(st.integers(1, 30), st.integers(0, 40), st.floats(1.1, 10), st.floats(0, 20))
def test_cycles_of_any_length_cover_the_training(
    epochs: int, first: int, factor: float, warmup: float
) -> None:
    section = OptimizerSection(
        learning_rate=1.0,
        schedule="cosine",
        warmup_epochs=warmup,
        cycle_epochs=first,
        cycle_factor=factor,
    )
    values = rates(section, 3, epochs)
    assert values.shape == (3 * epochs,)
    assert (values > 0).all()


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_cycles_need_a_schedule_that_changes(schedule: str) -> None:
    with pytest.raises(RecipeError):
        Recipe().with_(optimizer__cycle_epochs=2, optimizer__schedule=schedule)


def history_of(durations: list[float]) -> tuple[Epoch, ...]:
    """Return a history with an epoch of each duration, in seconds."""
    return tuple(
        Epoch(number, 1.0, 0.5, 1.0, 0.5, 0.1, seconds, 100.0)
        for number, seconds in enumerate(durations, start=1)
    )


durations = st.lists(st.floats(0.1, 50), min_size=1, max_size=30)


@given(durations, st.floats(1, 500), st.integers(1, 50))
def test_training_with_a_time_limit_ends_within_half_an_epoch(
    epoch_seconds: list[float], limit: float, epochs: int
) -> None:
    section = FitSection(epochs=epochs, seconds=limit)
    before = 0.0
    for index in range(len(epoch_seconds)):
        history = history_of(epoch_seconds[:index])
        start, end = share_of_training(history, section)
        assert before <= start <= end <= 1
        before = start
        if should_stop(history, section):
            left = limit - sum(epoch_seconds[:index])
            longest = max(epoch_seconds[max(0, index - 3) : index])
            assert index >= epochs or left < longest / 2
            return


def test_schedule_of_a_slower_machine_reaches_its_end() -> None:
    section = FitSection(epochs=100, seconds=60.0)
    done: list[float] = []
    while not should_stop(history_of(done), section):
        done.append(2.0 if sum(done) < 20 else 4.0)  # it becomes slower
    assert sum(done) == pytest.approx(60, abs=2)
    assert share_of_training(history_of(done[:-1]), section)[1] == 1.0


def test_fit_with_a_time_limit_follows_the_clock(tmp_path: Path) -> None:
    recipe = Recipe().with_(
        {
            "fit.seconds": 0.05,
            "fit.epochs": 50,
            "fit.batch_size": 16,
            "optimizer.schedule": "cosine",
            "optimizer.learning_rate": 0.01,
        }
    )
    history = fit_recipe(recipe, tiny_dataset(), tmp_path / "run").history
    assert should_stop(history, recipe.fit)
    assert len(history) < 50
    learning_rates = [epoch.learning_rate for epoch in history]
    assert learning_rates == sorted(learning_rates, reverse=True)


@pytest.mark.parametrize("edits", [{"optimizer.cycle_epochs": 1}, {"fit.fine_tune_epochs": 2}])
def test_time_limit_excludes_other_plans(edits: dict[str, Any]) -> None:
    start = Recipe().with_({"fit.seconds": 5, "optimizer.schedule": "cosine"})
    with pytest.raises(RecipeError):
        start.with_(edits)


def test_restarts_repeat_the_schedule_after_its_end() -> None:
    values = {"learning_rate": 1.0, "schedule": "cosine", "warmup_epochs": 0.5, "cycle_epochs": 1}
    section = OptimizerSection(**values, cycle_factor=2, restarts=(4, 7))
    plain = OptimizerSection(learning_rate=1.0, schedule="cosine")
    parts = [
        rates(OptimizerSection(**values, cycle_factor=2), 10, 4),
        rates(plain, 10, 3),
        rates(plain, 10, 2),
    ]
    np.testing.assert_array_equal(rates(section, 10, 9), np.concatenate(parts))
