"""Runs are filtered and sorted by their figures and recipe values."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyetune.errors import UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace, query
from tests.records.fabricate import add_complete_run, add_run


def test_choose_compares_figures_and_recipe_values(workspace: Path) -> None:
    records = Workspace(workspace)
    good = add_complete_run(records, 0.8, name="good")
    poor = add_complete_run(records, 0.4, recipe=Recipe().with_(optimizer__name="sgd"))
    unfinished = add_run(records, study_id="0123abcd")
    runs = records.runs.all()

    def ids(*conditions: str) -> list[str]:
        return [run.id for run in query.choose(runs, conditions)]

    assert ids("validation_accuracy>0.5") == [good.id]
    assert ids("validation_accuracy <= 0.5") == [poor.id]
    assert ids("optimizer.name=sgd") == [poor.id]
    assert ids("state=COMPLETE", "optimizer.name!=sgd") == [good.id]
    assert ids("name=good") == [good.id]
    assert ids("model.batch_norm=false", "epochs=0") == [unfinished.id]
    assert ids("data=tiny", "parameters=1930") == [good.id, poor.id, unfinished.id]
    assert ids("study=0123abcd") == [unfinished.id]
    assert ids("epochs>99") == []


@pytest.mark.parametrize("condition", ["validation_acuracy>0.5", "nonsense", "epochs>many", ">3"])
def test_choose_refuses_an_invalid_condition(workspace: Path, condition: str) -> None:
    records = Workspace(workspace)
    add_complete_run(records, 0.8)
    with pytest.raises(UsageError):
        query.choose(records.runs.all(), [condition])


def test_order_puts_runs_without_the_figure_last(workspace: Path) -> None:
    records = Workspace(workspace)
    middle = add_complete_run(records, 0.6)
    unfinished = add_run(records)
    best = add_complete_run(records, 0.8)
    ordered = query.order(records.runs.all(), "validation_accuracy", descending=True)
    assert [run.id for run in ordered] == [best.id, middle.id, unfinished.id]
    with pytest.raises(UsageError):
        query.order(records.runs.all(), "loss")


def test_order_of_numbers_and_texts(workspace: Path) -> None:
    records = Workspace(workspace)
    for momentum in ("auto", 0.9, 0.5):
        recipe = Recipe().with_({"model.batch_norm_momentum": momentum})
        add_complete_run(records, 0.6, recipe=recipe)
    field = "model.batch_norm_momentum"
    ordered = query.order(records.runs.all(), field)
    values = [run.own_recipe.values()[field] for run in ordered if run.own_recipe]
    assert values == [0.5, 0.9, "auto"]


def test_accuracy_on_trained_images_is_not_ranked(workspace: Path) -> None:
    records = Workspace(workspace)
    seen = Recipe().with_(data__train_on_validation=True)
    memorized = add_complete_run(records, 0.99, recipe=seen)
    honest = add_complete_run(records, 0.6)
    ordered = query.order(records.runs.all(), "validation_accuracy", descending=True)
    assert [run.id for run in ordered] == [honest.id, memorized.id]
    assert query.choose(records.runs.all(), ["validation_accuracy>0.9"]) == []
