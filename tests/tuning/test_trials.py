from __future__ import annotations

from eyetune.records.trial import TrialRecord, TrialState
from eyetune.space.hyperparameters import Choice, Condition
from eyetune.space.space import Space
from eyetune.tuning.trials import with_hyperparameters, with_unsearched

TRIAL = TrialRecord(
    number=0, state=TrialState.WAITING, values={"layers": 1, "units_0": 32, "units_1": 64}
)


def test_with_hyperparameters_notes_unused_and_new_names() -> None:
    trial = with_hyperparameters(TRIAL, {"layers": 1, "units_0": 32, "rate": 0.01})
    assert trial.unused == ("units_1",)
    assert trial.more_values == {"rate": 0.01}
    assert trial.used_values == {"layers": 1, "units_0": 32, "rate": 0.01}


def test_with_hyperparameters_corrects_itself_after_training() -> None:
    built = with_hyperparameters(TRIAL, {"layers": 1, "units_0": 32})
    trained = with_hyperparameters(built, {"layers": 1, "units_0": 32, "units_1": 64})
    assert trained.unused == ()


def test_a_recipe_uses_all_its_values() -> None:
    assert with_hyperparameters(TRIAL, {}).used_values == TRIAL.values


def test_with_unsearched_keeps_what_the_study_does_not_search() -> None:
    kind = Choice(name="kind", values=("a", "b"))
    rate = Choice(name="rate", values=(1, 2), conditions=(Condition(parent="kind", values=("a",)),))
    used = Space.make([kind, rate])
    trial = with_unsearched(TRIAL, used, searched=Space.make([kind]))
    assert trial.more_hyperparameters == (rate,)
    recorded = trial.model_dump(mode="json", exclude_defaults=True)
    assert TrialRecord.model_validate({**recorded, "state": trial.state}) == trial
    assert with_unsearched(TRIAL, used, searched=used) == TRIAL
