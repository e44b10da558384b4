"""The division of a study's time between more trials and a longer training."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.recipe import Recipe
from eyetune.records.study import Budget, Objective, SchedulerSettings, StudySettings
from eyetune.records.trial import Rung, TrialRecord, TrialState
from eyetune.space.presets import recipe_space
from eyetune.testing.datasets import tiny_dataset
from eyetune.tuning.exploration import (
    Outlook,
    ShortTraining,
    first_outlook,
    look_ahead,
    outlook,
    predict_accuracy,
)

MAX_EPOCHS = 400


def curve(epochs: float) -> float:
    """Return a plausible accuracy: the error falls by a power law."""
    return 1 - min(0.9, 0.5 * float(max(epochs, 0.1) ** -0.4))


trainings = st.lists(
    st.tuples(st.integers(1, 20), st.floats(0.1, 0.99), st.floats(0.01, 100)),
    min_size=1,
    max_size=12,
).map(lambda parts: [ShortTraining(number, *part) for number, part in enumerate(parts)])


def look(
    shorts: list[ShortTraining], *, seconds: float = 3600.0, next_seconds: float = 60.0
) -> Outlook:
    return outlook(
        shorts,
        curve,
        seconds_left=seconds,
        next_seconds=next_seconds,
        max_epochs=MAX_EPOCHS,
        num_validation=1000,
    )


@given(trainings, st.floats(0, 1e5), st.floats(0, 1e4))
def test_outlook_names_a_trial_and_expects_no_negative_change(
    shorts: list[ShortTraining], seconds: float, next_seconds: float
) -> None:
    view = look(shorts, seconds=seconds, next_seconds=next_seconds)
    assert view.trial in {training.trial for training in shorts}
    assert view.gain >= 0
    assert view.loss >= -1e-12
    assert 0 <= view.epochs <= MAX_EPOCHS


@given(st.integers(1, 50), st.floats(0.1, 0.99), st.floats(1, 400), st.floats(1, 400))
def test_prediction_does_not_fall_with_more_epochs(
    epochs: int, accuracy: float, one: float, other: float
) -> None:
    training = ShortTraining(0, epochs, accuracy, 1.0)
    shorter, longer = sorted((one, other))
    assert predict_accuracy(curve, training, shorter) <= (
        predict_accuracy(curve, training, longer) + 1e-12
    )
    assert predict_accuracy(curve, training, epochs) == pytest.approx(accuracy)


def test_slow_network_loses_where_time_is_short() -> None:
    fast, slow = ShortTraining(0, 3, 0.60, 10.0), ShortTraining(1, 3, 0.66, 60.0)
    assert look([fast, slow], seconds=120.0).trial == 0
    assert look([fast, slow], seconds=1e5).trial == 1


@given(st.floats(1.0, 300.0))
def test_dear_trial_is_worth_less_than_a_cheap_one(seconds: float) -> None:
    shorts = [ShortTraining(number, 3, 0.6 + number / 100, 5.0) for number in range(3)]
    cheap, dear = look(shorts, next_seconds=seconds), look(shorts, next_seconds=2 * seconds)
    assert cheap.gain == dear.gain
    assert cheap.loss <= dear.loss


def test_lead_over_all_others_ends_the_exploration() -> None:
    level = [ShortTraining(number, 3, 0.70 + number % 2 / 50, 5.0) for number in range(8)]
    leading = [*level, ShortTraining(8, 3, 0.85, 5.0)]
    assert look(leading).gain < look(level).gain


def test_first_outlook_trains_at_once_where_time_is_short() -> None:
    def first(seconds: float) -> Outlook:
        return first_outlook(
            curve, epoch_seconds=10.0, seconds_left=seconds, next_seconds=30.0, max_epochs=400
        )

    assert not first(200.0).explores
    assert first(1e6).explores
    assert first(200.0).trial is None


accuracy = Objective(name="val_accuracy", direction="max")


def study_settings(seconds: float) -> StudySettings:
    start = recipe_space("portfolio", Recipe(), num_images=40_000, image_shape=(32, 32, 3))
    return StudySettings(
        recipe=start.recipe,
        space=start.space,
        objectives=(accuracy,),
        budget=Budget(seconds=seconds),
        schedule=SchedulerSettings(name="halving", max_epochs=9, min_epochs=1),
        starts=start.starts,
        portfolio=start.portfolio,
        final_training=True,
    )


def trial(number: int, value: float) -> TrialRecord:
    settings = study_settings(60.0)
    return TrialRecord(
        number=number,
        state=TrialState.PAUSED,
        values=settings.starts[0],
        rungs=(Rung(epochs=1, values=(value,)),),
        epochs=1,
        seconds=0.5,
    )


def test_look_ahead_keeps_time_for_the_final_training() -> None:
    trials = [trial(number, 0.5 + number / 100) for number in range(3)]
    settings = study_settings(200.0)
    late = look_ahead(settings, trials, tiny_dataset(), num_workers=1, seconds=150.0)
    assert late is not None
    assert late.gain == 0.0
    assert not late.explores


def test_look_ahead_knows_nothing_without_results_or_portfolio() -> None:
    settings = study_settings(60.0).model_copy(update={"starts": (), "portfolio": ""})
    assert look_ahead(settings, [], tiny_dataset(), num_workers=1, seconds=1.0) is None
