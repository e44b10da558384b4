from __future__ import annotations

import os
from pathlib import Path

import pytest

from eyetune.errors import SpaceError
from eyetune.inputs.limits import TEXT_VALUES
from eyetune.recipe import Recipe
from eyetune.space import Space
from eyetune.space.presets import check_space, parent_values


@pytest.mark.timeout(20)
def test_load_refuses_a_named_pipe_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "space.toml")
    with pytest.raises(SpaceError) as caught:
        Space.load(tmp_path / "space.toml")
    assert "a named pipe" in (caught.value.received or "")


def test_load_names_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text("a.values = [" + "1," * 20_001 + "]")
    with pytest.raises(SpaceError) as caught:
        Space.load(path)
    assert TEXT_VALUES.variable in (caught.value.fix or "")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("values", ["[99999999999]", "['many']", "[true]"])
def test_check_space_refuses_impossible_numbers_of_layers(values: str) -> None:
    space = Space.from_toml(f'"model.blocks.count" = {{ values = {values} }}')
    with pytest.raises(SpaceError):
        check_space(Recipe(), space)


@pytest.mark.timeout(20)
def test_parent_values_of_many_conditions_are_found_at_once() -> None:
    tables = ['"p0" = { values = [0, 1] }']
    for number in range(1, 60):
        parents = {max(0, number - 1), max(0, number - 2)}
        when = ", ".join(f'"p{parent}" = [1]' for parent in parents)
        tables.append(f'"p{number}" = {{ values = [0, 1], when = {{ {when} }} }}')
    space = Space.from_toml("\n".join(tables))
    assert parent_values(space, space["p59"]) == {f"p{number}": 1 for number in range(59)}


@pytest.mark.parametrize("when", ["1", "[1]", "'x'", "{ a = [] }"])
def test_condition_that_is_no_table_is_refused(when: str) -> None:
    with pytest.raises(SpaceError) as caught:
        Space.from_toml(f"a.values = [1, 2]\nb = {{ values = [1], when = {when} }}")
    assert "b" in caught.value.message


def test_error_shows_a_part_of_a_long_value() -> None:
    with pytest.raises(SpaceError) as caught:
        Space.from_toml(f"a.{'b' * 100_000} = 1")
    assert len(str(caught.value)) < 2000
    with pytest.raises(SpaceError) as caught:
        Space.from_toml(f"a.values = '{'b' * 100_000}'")
    assert len(str(caught.value)) < 2000
