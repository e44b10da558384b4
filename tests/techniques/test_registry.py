"""The registry of techniques: how a user adds one, and how one is found and shown."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pytest

from eyetune.errors import RecipeError, UsageError
from eyetune.recipe import Recipe
from eyetune.techniques import Technique, find, load_file, registry, technique, techniques
from eyetune.techniques.registry import Edit


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test register techniques that the next test does not see."""
    techniques()  # the catalog is registered before
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))


@pytest.fixture
def technique_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(
        "from eyetune.techniques import technique\n"
        "@technique('wide-start', values=(64, 128), why='More detail.', hurts='Time.')\n"
        "def wide_start(recipe, value):\n"
        "    return recipe.with_({'model.blocks.0.filters': value})\n"
    )
    return path


def test_find_suggests_the_nearest_name() -> None:
    with pytest.raises(UsageError) as caught:
        find("label-smoothin")
    assert "label-smoothing" in str(caught.value.fix)


def test_load_file_registers_the_techniques_of_a_file(technique_file: Path) -> None:
    assert load_file(technique_file) == ("wide-start",)
    assert load_file(technique_file) == ("wide-start",)  # loading it again is harmless
    assert techniques()[-1].name == "wide-start"
    assert find("wide-start").file == str(technique_file)
    assert find("wide-start").apply(Recipe(), "128").model.blocks[0].filters == 128


def test_load_file_refuses_the_name_of_another_technique(technique_file: Path) -> None:
    technique_file.write_text(technique_file.read_text().replace("wide-start", "dropout"))
    with pytest.raises(UsageError):
        load_file(technique_file)
    assert find("dropout").file == ""


@pytest.mark.parametrize("source", ["1 / 0", None])
def test_load_file_refuses_a_file_that_fails(tmp_path: Path, source: str | None) -> None:
    path = tmp_path / "mine.py"
    if source is not None:
        path.write_text(source)
    with pytest.raises(UsageError):
        load_file(path)


def test_technique_shows_itself_in_a_notebook() -> None:
    learning_rate = find("learning-rate")
    shown = learning_rate._repr_html_()
    assert html.escape(learning_rate.why) in shown
    assert html.escape(learning_rate.hurts) in shown
    assert f"href='{learning_rate.link}'" in shown
    own = Technique("own", "your own", (1,), "a < b", "never", "", lambda recipe, _: recipe)
    assert "a &lt; b" in own._repr_html_()
    assert "href" not in own._repr_html_()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("has spaces", (1,)),
        ("a=b", (1,)),
        ("", (1,)),
        ("fine", ()),
        ("fine", ([1],)),
        ("fine", (None,)),
    ],
)
def test_decorator_refuses_bad_names_and_values(name: str, values: Any) -> None:
    with pytest.raises(UsageError):
        technique(name, values=values, why="It may.", hurts="It may.")


def test_decorator_accepts_a_list_of_values() -> None:
    technique("listed", values=[1, 2], why="It may.", hurts="It may.")(lambda recipe, _: recipe)
    assert find("listed").values == (1, 2)
    assert hash(find("listed"))


@pytest.mark.parametrize(
    "edit",
    [
        lambda recipe, _: recipe.model.blocks[99],
        lambda _recipe, _: None,
        lambda recipe, _: recipe.with_(fit__epoch=3),
    ],
    ids=["raises", "returns no recipe", "unknown path"],
)
def test_apply_reports_mistakes_of_a_user_technique(edit: Edit) -> None:
    own = Technique("own", "your own", (1,), "why", "hurts", "", edit)
    with pytest.raises(RecipeError):
        own.apply(Recipe(), 1)
