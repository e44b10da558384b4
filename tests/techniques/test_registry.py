"""Techniques: each one changes the recipe as it says, builds, and can be added by a user."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any, get_args

import pytest

from eyetune.errors import RecipeError, UsageError
from eyetune.models.cnn import build
from eyetune.recipe import AugmentSection, OptimizerName, Recipe
from eyetune.techniques import Technique, find, load_file, registry, technique, techniques

EVERY = [(one, value) for one in techniques() for value in one.values]


@pytest.mark.parametrize(("one", "value"), EVERY, ids=lambda part: getattr(part, "name", str(part)))
def test_every_value_changes_the_lab_recipe_into_one_that_builds(
    one: Technique, value: Any
) -> None:
    edited = one.apply(Recipe(), value)
    assert Recipe().difference(edited) or (one.name, value) == (
        "learning-rate",
        0.001,
    )  # the lab's own rate
    assert Recipe.from_toml(edited.to_toml()) == edited
    assert one.apply(Recipe(), str(value).lower()) == edited  # as a word from the command line
    if one.group == "network":
        assert build(edited.model, (32, 32, 3), 10).count_params() > 0


def test_every_technique_explains_itself() -> None:
    for one in techniques():
        assert len(one.why) > 60, one.name
        assert len(one.hurts) > 25, one.name
        assert one.link.startswith("https://"), one.name
        assert one.why.endswith("."), one.name


def test_the_ladder_covers_every_optimizer_and_every_variation_of_images() -> None:
    assert set(find("optimizer").values) | {"adam"} == set(get_args(OptimizerName))
    named = {one.name for one in techniques()}
    assert set(AugmentSection.model_fields) - {"copies"} <= named


def test_values_beyond_the_listed_ones_can_be_tried() -> None:
    assert find("learning-rate").apply(Recipe(), "3e-4").optimizer.learning_rate == 3e-4
    assert find("batch-and-epochs").apply(Recipe(), "48x7").fit.epochs == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning-rate", "fast"), ("learning-rate", -1.0), ("epochs", "1.5"), ("flip", "maybe"),
        ("batch-and-epochs", "32"), ("optimizer", "adamm"), ("activation", "rlu"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_refused(name: str, value: Any) -> None:
    with pytest.raises(RecipeError):
        find(name).apply(Recipe(), value)


def test_an_unknown_technique_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean label-smoothing"):
        find("label-smoothin")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(registry, "_known", dict(registry._known))
    path = tmp_path / "mine.py"
    path.write_text(
        "from eyetune.techniques import technique\n"
        "@technique('wide-start', values=(64, 128), why='More detail.', hurts='Time.')\n"
        "def wide_start(recipe, value):\n"
        "    return recipe.with_({'model.blocks.0.filters': value})\n"
    )
    return path


def test_a_technique_of_ones_own_is_added_from_a_file(own: Path) -> None:
    load_file(own)
    load_file(own)  # twice is no harm
    assert techniques()[-1].name == "wide-start"
    assert find("wide-start").apply(Recipe(), "128").model.blocks[0].filters == 128


def test_a_file_that_takes_a_known_name_or_fails_is_refused(own: Path) -> None:
    own.write_text(own.read_text().replace("wide-start", "dropout"))
    with pytest.raises(UsageError, match="technique dropout already"):
        load_file(own)
    own.write_text("1 / 0")
    with pytest.raises(UsageError, match="cannot be loaded"):
        load_file(own)
    with pytest.raises(UsageError, match="cannot be loaded"):
        load_file(own.parent / "missing.py")


def test_a_notebook_shows_why_a_technique_helps_and_when_it_hurts() -> None:
    one = find("learning-rate")
    shown = one._repr_html_()
    assert html.escape(one.why) in shown
    assert html.escape(one.hurts) in shown
    assert f"href='{one.link}'" in shown
    own = Technique("own", "your own", (1,), "a < b", "never", "", lambda recipe, _: recipe)
    assert "a &lt; b" in own._repr_html_()
    assert "href" not in own._repr_html_()


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("has spaces", (1,), "cannot be named"),
        ("a=b", (1,), "cannot be named"),
        ("", (1,), "cannot be named"),
        ("fine", (), "no values"),
        ("fine", ([1, 2],), "value that cannot be one"),
        ("fine", (None,), "value that cannot be one"),
    ],
)
def test_what_cannot_be_a_technique_is_refused(name: str, values: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        technique(name, values=values, why="It may.", hurts="It may.")


def test_values_may_come_as_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_known", dict(registry._known))
    technique("listed", values=[1, 2], why="It may.", hurts="It may.")(lambda recipe, _: recipe)
    assert find("listed").values == (1, 2)
    assert hash(find("listed"))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda recipe, _: recipe.model.blocks[99], "IndexError"),
        (lambda _recipe, _: None, "returned no recipe"),
        (lambda recipe, _: recipe.with_(fit__epoch=3), "no fit.epoch"),
    ],
)
def test_what_somebodys_technique_does_wrong_is_said(edit: Any, words: str) -> None:
    one = Technique("own", "your own", (1,), "why", "hurts", "", edit)
    with pytest.raises(RecipeError, match=words):
        one.apply(Recipe(), 1)
