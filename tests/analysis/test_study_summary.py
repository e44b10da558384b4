from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.analysis.ranking import rank_trials
from eyetune.analysis.study_summary import (
    best_so_far,
    count_state_names,
    num_trials,
    state_text,
    summary_sentences,
    warnings,
)
from eyetune.analysis.trial_results import metric_text
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, Workspace
from eyetune.records.study import Objective, StudyState
from eyetune.records.trial import Rung, TrialRecord, TrialState
from eyetune.space.hyperparameters import Condition
from eyetune.space.space import Space
from eyetune.testing.studies import ACCURACY, PARAMETERS, FabricatedStudy, fabricated_study

LOSS = Objective(name="val_loss", direction="min")
LAB = fabricated_study(22, failing=0)
# of trials that had not ended when their study did
CUT_OFF_STATES = (TrialState.RUNNING, TrialState.WAITING)


def trial(
    number: int, *values: float, state: TrialState = TrialState.COMPLETE, epochs: int = 10
) -> TrialRecord:
    rungs = (Rung(epochs=epochs, values=values),) if values else ()
    return TrialRecord(
        number=number,
        state=state,
        values={},
        rungs=rungs,
        epochs=epochs if values else 0,
        seconds=2.0,
    )


def final(number: int, value: float) -> TrialRecord:
    return trial(number, value, epochs=100).with_(final_seconds=60.0)


def with_trials(*trials: TrialRecord, study: FabricatedStudy = LAB) -> FabricatedStudy:
    return FabricatedStudy(study.record, trials, {})


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12), st.sampled_from([ACCURACY, LOSS])
)
def test_best_so_far_is_the_best_of_all_before(
    values: list[float | None], objective: Objective
) -> None:
    trials = [
        trial(number, *([] if value is None else [value])) for number, value in enumerate(values)
    ]
    settings = LAB.record.settings.model_copy(update={"objectives": (objective,)})
    steps = best_so_far(LAB.record.model_copy(update={"settings": settings}), trials[::-1])
    known = [value for value in values if value is not None]
    pick = max if objective.direction == "max" else min
    assert [step.value for step in steps] == known
    assert [step.best for step in steps] == [
        pick(known[: place + 1]) for place in range(len(known))
    ]
    assert [step.epochs for step in steps] == [10 * (place + 1) for place in range(len(known))]


def test_best_so_far_passes_over_results_that_diverged() -> None:
    trials = [trial(0, math.nan), trial(1, 0.4), trial(2), trial(3, 0.6), trial(4, math.inf)]
    steps = best_so_far(LAB.record, trials)
    assert math.isnan(steps[0].best)
    assert [step.best for step in steps[1:]] == [0.4, 0.6, 0.6]


def test_num_trials_counts_as_keras_tuner_does() -> None:
    assert num_trials(LAB.trials) == 30
    assert sum(one.epochs for one in LAB.trials) == 120
    infeasible = trial(22, state=TrialState.INFEASIBLE)
    failed = trial(23, state=TrialState.FAILED)
    assert num_trials([*LAB.trials, infeasible, failed]) == 31


def test_summary_says_best_cost_and_ending() -> None:
    first, second = summary_sentences(LAB.record, LAB.trials)
    best = max(LAB.trials, key=lambda one: one.objectives or ())
    assert best.objectives is not None
    assert first.startswith(
        f"The best of 22 trials is trial {best.number}: val_accuracy {best.objectives[0]:.2%}"
    )
    for name in best.values:
        assert f"{name}=" in first
    assert "8 were trained to the end and 14 stopped early" in second
    assert "120 epochs were trained of 220" in second
    assert second.endswith("it ended because all trials are done.")


@pytest.mark.parametrize(
    ("trials", "state", "words"),
    [
        ((), StudyState.RUNNING, "No trial has begun yet; it is running."),
        ((trial(0, state=TrialState.FAILED),), StudyState.PAUSED, "It failed"),
        ((trial(0, 0.5),), StudyState.PAUSED, "it was interrupted and can be resumed."),
        ((trial(0, 0.5, epochs=1),), StudyState.COMPLETE, "1 epoch was trained of 10"),
    ],
)
def test_summary_of_studies_that_hardly_began(
    trials: tuple[TrialRecord, ...], state: StudyState, words: str
) -> None:
    record = LAB.record.model_copy(update={"state": state})
    assert words in " ".join(summary_sentences(record, trials))


def test_summary_names_each_objective() -> None:
    study = fabricated_study(20, objectives=(ACCURACY, PARAMETERS), failing=0)
    first = summary_sentences(study.record, study.trials)[0]
    best = max(study.trials, key=lambda one: one.objectives or ())
    assert best.objectives is not None
    assert (
        f"val_accuracy {best.objectives[0]:.2%} and parameters {best.objectives[1]:,.0f}" in first
    )


def best_with(**values: object) -> FabricatedStudy:
    """Return a study whose best trial, one of the middle, has some values."""
    order = rank_trials((ACCURACY,), LAB.trials)
    best = order[0]
    changed = best.with_(values={**best.values, **values})
    rest = [one for one in LAB.trials if one.number != best.number]
    moved = (
        changed.with_(number=0),
        *(one.with_(number=1 + place) for place, one in enumerate(rest)),
    )
    return with_trials(*moved)


def edge_warnings(*trials: TrialRecord) -> list[str]:
    shown = warnings(LAB.record, trials)
    return [sentence for sentence in shown if sentence.startswith("The best units")]


@pytest.mark.parametrize(
    ("units", "edge"), [(128, ""), (32, "lowest"), (512, "highest")], ids=["inside", "low", "high"]
)
def test_warnings_name_a_best_value_at_an_end(units: int, edge: str) -> None:
    study = best_with(conv_layers=2, units=units)
    sentences = warnings(study.record, study.trials)
    assert len(sentences) == (1 if edge else 0)
    assert all("units" in sentence and edge in sentence for sentence in sentences)


def test_no_warning_where_no_other_value_was_tried() -> None:
    same = [
        one.with_(values={**one.values, "conv_layers": 1})
        for one in best_with(conv_layers=1).trials
    ]
    assert not [words for words in warnings(LAB.record, same) if "conv_layers" in words]


def test_no_warning_about_an_end_after_two_trials() -> None:
    trials = best_with(conv_layers=2, units=32).trials
    assert edge_warnings(*trials)
    assert not edge_warnings(*trials[:2])


def test_no_warning_about_unused_values() -> None:
    best, *others = best_with(conv_layers=2, units=32).trials
    assert not edge_warnings(best.with_(unused=("units",)), *others)
    unused = [other.with_(unused=("units",)) for other in others]
    assert not edge_warnings(best, *unused)


def test_no_warning_about_inactive_values() -> None:
    best, *others = best_with(conv_layers=2, units=32).trials
    distributions = [
        one.model_copy(
            update={"conditions": (Condition(parent="conv_layers", values=(3,)),)}
            if one.name == "units"
            else {}
        )
        for one in sorted(LAB.record.space.distributions, key=lambda one: one.name == "units")
    ]
    record = LAB.record.model_copy(update={"space": Space.make(distributions)})
    assert not [text for text in warnings(record, (best, *others)) if "The best units" in text]


def test_warnings_say_why_trials_failed() -> None:
    study = fabricated_study(9, infeasible=1)
    (words,) = warnings(study.record, study.trials)
    assert "No trial was feasible" in words
    assert "in 9 of 9: parameters < 400000" in words
    one, other = "ValueError: a\nTraceback ...", "MemoryError: b"
    failed = [
        trial(n, state=TrialState.FAILED).with_(error=one if n < 3 else other) for n in range(4)
    ]
    (words,) = warnings(LAB.record, failed)
    assert words == "4 of 4 trials failed, 3 of them with: ValueError: a"
    few = [*(trial(n, 0.5) for n in range(40)), *failed]
    assert warnings(LAB.record, few) == []


def test_warnings_suggest_a_larger_budget() -> None:
    rising = [trial(n, 0.5 + n / 100) for n in range(20)]
    (words,) = warnings(LAB.record, rising)
    assert words.startswith(
        "The best was found by the last 2 trials (val_accuracy 67.00% before, 69.00% now)"
    )
    assert "larger budget" in words
    assert warnings(LAB.record, [trial(n, 0.5 - n / 100) for n in range(20)]) == []
    assert warnings(LAB.record, rising[:9]) == []


def test_warnings_name_a_best_trial_cut_short() -> None:
    cut = [trial(0, 0.9, state=TrialState.PAUSED, epochs=4), trial(1, 0.5)]
    (words,) = warnings(LAB.record, cut)
    assert "only 4 of 10 epochs" in words
    running = LAB.record.model_copy(update={"state": StudyState.RUNNING})
    assert warnings(running, cut) == []


def test_value_text_of_unusual_values() -> None:
    assert metric_text("val_accuracy", math.nan) == "NaN"
    assert metric_text("val_loss", math.inf) == "inf"
    assert metric_text("val_accuracy", 71.0) == "71"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, FabricatedStudy]:
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    return workspace, fabricated_study(8, failing=0, workspace=workspace)


def lagging_warnings(
    recorded: tuple[Workspace, FabricatedStudy],
    accuracy: float,
    val_accuracy: float,
    *,
    kind: str = "BatchNormalization",
    num_classes: int = 10,
    num_lagging: int = 8,
    has_function: bool = True,
) -> list[str]:
    """Return the warnings that a study has only because of some first results.

    Args:
        recorded: A study in a workspace.
        accuracy: Accuracy on training images when a trial was first compared with others.
        val_accuracy: Accuracy on validation images at the same time.
        kind: A layer of all networks.
        num_classes: Number of classes.
        num_lagging: Number of trials with this result, of 8; the results of the others are good.
        has_function: Whether a user's function builds the networks.
    """
    workspace, study = recorded
    record = study.record
    if has_function:
        recipe = Recipe().with_({"model": {"function": "model.py:build_model"}})
        settings = record.settings.model_copy(update={"recipe": recipe})
        record = record.model_copy(update={"settings": settings})
    histories = {}
    for trial in study.trials:
        assert trial.run is not None
        is_good = trial.number >= num_lagging
        first = trial.rungs[0].epochs
        histories[trial.run] = tuple(
            replace(epoch, accuracy=0.99, val_accuracy=0.98)
            if is_good or epoch.epoch > first
            else replace(epoch, accuracy=accuracy, val_accuracy=val_accuracy)
            for epoch in study.histories[trial.run]
        )

    def find_run(run_id: str) -> RunRecord:
        run = workspace.runs.get(run_id)
        layer = replace(run.network.layers[0], kind=kind)
        names = tuple(map(str, range(num_classes)))
        return replace(
            run,
            network=replace(run.network, layers=(layer,)),
            data=replace(run.data, class_names=names),
        )

    without = warnings(record, study.trials)
    found = warnings(record, study.trials, histories, find_run)
    assert warnings(record, study.trials, histories) == without  # the runs were deleted
    return [text for text in found if text not in without]


def test_lagging_averages_of_batch_normalization_are_a_warning(
    recorded: tuple[Workspace, FabricatedStudy],
) -> None:
    (text,) = lagging_warnings(recorded, 0.4, 0.1)
    assert "8 of 8" in text
    (text,) = lagging_warnings(recorded, 0.8, 0.5, num_classes=2)
    (text,) = lagging_warnings(recorded, 0.4, 0.1, num_lagging=5)
    assert "5 of 8" in text


def test_other_causes_of_low_accuracy_are_no_warning(
    recorded: tuple[Workspace, FabricatedStudy],
) -> None:
    assert lagging_warnings(recorded, 0.4, 0.2) == []
    assert lagging_warnings(recorded, 0.15, 0.1) == []
    assert lagging_warnings(recorded, 0.7, 0.5, num_classes=2) == []
    assert lagging_warnings(recorded, 0.4, 0.1, num_lagging=4) == []
    assert lagging_warnings(recorded, 0.4, 0.1, kind="LayerNormalization") == []
    assert lagging_warnings(recorded, 0.4, 0.1, has_function=False) == []


def test_final_training_is_no_sign_that_the_search_improves() -> None:
    trials = [trial(number, 0.5) for number in range(20)]
    late = with_trials(*trials, trial(20, 0.9))
    ended = with_trials(*trials, final(20, 0.9))
    assert len(warnings(late.record, late.trials)) == 1
    assert not warnings(ended.record, ended.trials)


def test_final_training_is_named_by_its_state() -> None:
    trials = (trial(0, 0.5), final(0, 0.5), final(0, 0.5).with_(state=TrialState.FAILED))
    assert len({state_text(LAB.record, shown) for shown in trials}) == 3


def test_trial_of_an_ended_study_is_not_running() -> None:
    cut = trial(0, 0.5, state=TrialState.RUNNING)
    going = LAB.record.model_copy(update={"state": StudyState.RUNNING})
    assert state_text(LAB.record, cut) != state_text(going, cut)
    assert summary_sentences(LAB.record, [cut]) != summary_sentences(going, [cut])


def test_trials_that_were_cut_off_are_counted_together() -> None:
    cut = [trial(number, 0.5, state=state) for number, state in enumerate(CUT_OFF_STATES)]
    assert list(count_state_names(LAB.record, cut).values()) == [len(cut)]
    going = LAB.record.model_copy(update={"state": StudyState.RUNNING})
    assert len(count_state_names(going, cut)) == len(cut)


@pytest.mark.parametrize(
    ("best", "second", "is_chance"),
    [
        ((0.70, 0.74), (0.69, 0.73), True),
        ((0.70, 0.72), (0.60, 0.62), False),
        ((0.70, 0.70), (0.69, 0.69), False),
    ],
)
def test_lead_within_the_error_of_executions_is_called_chance(
    best: tuple[float, float], second: tuple[float, float], is_chance: bool
) -> None:
    trials = []
    for number, values in enumerate((second, best)):
        by_execution = tuple((value,) for value in values)
        rung = Rung(epochs=10, values=(sum(values) / 2,), by_execution=by_execution)
        trials.append(trial(number, 0.5).with_(rungs=(rung,)))
    study = with_trials(*trials, final(2, 0.9))  # a single training says nothing about chance
    shown = [text for text in warnings(study.record, study.trials) if "may be chance" in text]
    assert bool(shown) == is_chance
    if is_chance:
        assert "trial, 1, is ahead of trial 0 by 1.00 points of val_accuracy" in shown[0]
