"""The plan of a lab: what names stand for, and what is refused before any training."""

from __future__ import annotations

import pytest

from eyetune.errors import RecipeError, UsageError
from eyetune.recipe import Recipe
from eyetune.techniques import techniques
from eyetune.techniques.lab.plan import QUICK, choose


def test_choose_takes_all_techniques_that_need_nothing() -> None:
    choices = {(choice.technique.name, choice.value) for choice in choose()}
    expected = {
        (technique.name, value)
        for technique in techniques()
        if not technique.needs
        for value in technique.values
    }
    assert choices == expected
    assert len(choices) > 70


def test_choose_reads_names_and_values() -> None:
    choices = choose(["shift", "flip=true", "learning-rate=0.003", "flip"])
    labels = [choice.label for choice in choices]
    assert labels == ["shift=2", "shift=4", "flip=true", "learning-rate=0.003"]


def test_quick_choices_change_the_default_recipe() -> None:
    choices = choose(QUICK)
    assert [choice.label for choice in choices] == list(QUICK)
    assert all(choice.apply(Recipe()) != Recipe() for choice in choices)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("flipp", UsageError),
        ("=3", UsageError),
        ("shift=many", RecipeError),
        ("flip=perhaps", RecipeError),
    ],
)
def test_choose_refuses_unknown_names_and_values(name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        choose([name])
