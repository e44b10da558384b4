"""What the lab tries: names, values, and what is refused before any training."""

from __future__ import annotations

import pytest

from eyetune.errors import RecipeError, UsageError
from eyetune.recipe import Recipe
from eyetune.techniques import techniques
from eyetune.techniques.lab.plan import QUICK, choose


def test_by_default_every_value_of_every_technique_that_needs_nothing_is_tried() -> None:
    chosen = choose()
    expected = {(one.name, value) for one in techniques() if not one.needs for value in one.values}
    assert {(choice.technique.name, choice.value) for choice in chosen} == expected
    assert len(chosen) > 70


def test_names_and_values_are_read_as_on_the_command_line() -> None:
    labels = [
        choice.label for choice in choose(["shift", "flip=true", "learning-rate=0.003", "flip"])
    ]
    assert labels == ["shift=2", "shift=4", "flip=true", "learning-rate=0.003"]


def test_the_quick_ones_go_with_the_labs_recipe() -> None:
    assert [choice.label for choice in choose(QUICK)] == list(QUICK)
    for choice in choose(QUICK):
        assert choice.apply(Recipe()) != Recipe()


@pytest.mark.parametrize(
    ("word", "error", "words"),
    [
        ("flipp", UsageError, "Did you mean flip"),
        ("=3", UsageError, "no technique"),
        ("shift=many", RecipeError, "cannot use this value"),
        ("flip=perhaps", RecipeError, "neither true nor false"),
    ],
)
def test_bad_words_are_refused(word: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        choose([word])
