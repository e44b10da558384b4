"""What is noticed when a user's function changes something outside of it; nothing is trained."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from eyetune.models.model_function.outside_state import changed_names, digests_of_hypermodel


class Log:
    """Collects entries, and may fail."""

    def __init__(self) -> None:
        self.entries: list[float] = []


class Odd:
    """An object that cannot be examined."""

    def __len__(self) -> int:
        raise RuntimeError("no length")


histories: list[dict[str, float]] = []
counts = {"builds": 0}
array = np.zeros(3)
log = Log()
odd = Odd()
total = 0


def note(value: float) -> None:
    histories.append({"loss": value})


def build_with_global(hp: Any) -> None:
    histories.append({})


def build_with_helper(hp: Any) -> None:
    note(float(hp))


def build_with_inner_function(hp: Any) -> Any:
    return [counts.update(builds=hp) for _ in range(2)]


def build_with_object(hp: Any) -> None:
    log.entries.append(hp)


def build_with_array(hp: Any) -> None:
    array[:] += hp


def build_with_number(hp: Any) -> None:
    global total  # noqa: PLW0603
    total += hp


class Model:
    """A hypermodel with attributes of its own."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.number = 0

    def build(self, hp: Any) -> None:
        self.losses.append(hp)
        self.number += 1


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (build_with_global, "build_with_global: histories"),
        (build_with_helper, "note: histories"),
        (build_with_inner_function, "build_with_inner_function: counts"),
        (build_with_object, "build_with_object: log"),
        (build_with_array, "build_with_array: array"),
        (build_with_number, "build_with_number: total"),
    ],
)
def test_changes_of_variables_are_noticed(build: Callable[[Any], Any], name: str) -> None:
    hypermodel = SimpleNamespace(build=build)
    before = digests_of_hypermodel(hypermodel)
    assert changed_names(before, digests_of_hypermodel(hypermodel)) == ()
    build(7)
    assert changed_names(before, digests_of_hypermodel(hypermodel)) == (name,)


def test_changes_of_attributes_are_noticed() -> None:
    model = Model()
    before = digests_of_hypermodel(model)
    model.build(0.5)
    assert changed_names(before, digests_of_hypermodel(model)) == ("Model.losses", "Model.number")


def test_variables_of_an_enclosing_function_are_noticed() -> None:
    seen: list[Any] = []

    def build(hp: Any) -> None:
        seen.append(hp)

    hypermodel = SimpleNamespace(build=build)
    before = digests_of_hypermodel(hypermodel)
    hypermodel.build(1)
    assert changed_names(before, digests_of_hypermodel(hypermodel)) == ("build: seen",)


def test_objects_that_cannot_be_examined_are_left_out() -> None:
    hypermodel = SimpleNamespace(build=lambda hp: (odd, histories, hp))
    assert [name.partition(": ")[2] for name in digests_of_hypermodel(hypermodel)] == ["histories"]
