"""The tree of errors, their fields, and the names that they suggest."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eyetune
from eyetune import errors
from eyetune.errors import EyetuneError, NotFoundError, UsageError, nearest

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, EyetuneError)
]
PARTS = st.none() | st.text(min_size=1)


def documented_tree() -> dict[str, str | None]:
    """Return the parent of each class in the tree of the module's docstring."""
    parents: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for match in re.finditer(r"^( {4}[│├└─ ]*)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE):
        depth, name = len(match[1]), match[2]
        above = [(column, parent) for column, parent in above if column < depth]
        parents[name] = above[-1][1] if above else None
        above.append((depth, name))
    return parents


def test_the_documented_tree_matches_the_classes() -> None:
    parents = {}
    for kind in KINDS:
        parents[kind.__name__] = None if kind is EyetuneError else kind.__bases__[0].__name__
    assert documented_tree() == parents


@pytest.mark.parametrize("kind", KINDS)
def test_exit_status_is_2_for_usage_errors_only(kind: type[EyetuneError]) -> None:
    assert kind("x").exit_status == (2 if issubclass(kind, UsageError) else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_only_usage_errors_are_value_errors(kind: type[EyetuneError]) -> None:
    assert issubclass(kind, ValueError) == issubclass(kind, UsageError)


def test_argument_of_a_wrong_type_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        eyetune.train("digits")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [EyetuneError, UsageError, errors.StudyNotFoundError])
@settings(max_examples=25)
@given(message=st.text(), expected=PARTS, received=PARTS, fix=PARTS)
def test_pickle_keeps_every_part(
    kind: type[EyetuneError],
    message: str,
    expected: str | None,
    received: str | None,
    fix: str | None,
) -> None:
    error = kind(message, expected=expected, received=received, fix=fix)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert vars(copy) == vars(error)
    assert copy.args == error.args
    assert str(copy) == str(error)


def test_pickle_keeps_the_fields_of_a_subclass() -> None:
    error = errors.RunNotFoundError("Several runs match.", matches=("a", "b"), fix="Name one.")
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, NotFoundError)
    assert (copy.matches, copy.is_ambiguous, copy.fix) == (("a", "b"), True, "Name one.")


def test_not_found_error_without_matches_is_not_ambiguous() -> None:
    assert not errors.RunNotFoundError("No run matches.").is_ambiguous


def test_str_aligns_the_parts_in_one_column() -> None:
    error = EyetuneError("It broke.", fix="Repair it.", received=3, expected="a whole thing")
    assert str(error).splitlines() == [
        "It broke.",
        "  expected: a whole thing",
        "  received: 3",
        "  fix:      Repair it.",
    ]


def test_long_part_is_shortened() -> None:
    error = EyetuneError("It broke.", expected="short", received="x" * 100_000)
    assert str(error.received).startswith("xxx")
    assert len(str(error)) < 5000
    assert len(str(EyetuneError("x" * 100_000))) < 5000


def test_str_leaves_out_missing_parts() -> None:
    error = EyetuneError("It broke.", received=0)
    assert str(error) == "It broke.\n  received: 0"
    assert error.details() == {"received": "0"}
    assert str(EyetuneError("It broke.")) == "It broke."


@pytest.mark.parametrize(
    ("name", "valid", "meant"),
    [
        ("lerning_rate", ["momentum", "learning_rate"], "learning_rate"),
        ("ADAM", ["adam", "sgd"], "adam"),
        ("cifar10", ["CIFAR10"], "CIFAR10"),
    ],
)
def test_nearest_offers_a_name_whatever_its_case(name: str, valid: list[str], meant: str) -> None:
    assert f"Did you mean {meant}?" in nearest(name, valid)
    assert nearest(name, iter(valid)) == nearest(name, valid)


def test_nearest_offers_nothing_dissimilar() -> None:
    assert "Did you mean" not in nearest("zzz", ["adam", "sgd"])


def test_nearest_lists_few_names_in_their_order() -> None:
    assert "sgd, adam, lion" in nearest("adam", ["sgd", "adam", "lion"])


def test_nearest_lists_five_of_many_names() -> None:
    valid = [f"layer-{number}" for number in range(70)] + ["flip", "flop", "flap", "slip", "clip"]
    text = nearest("flipp", valid, listed_by="eyetune techniques")
    assert "flip, " in text
    assert "layer" not in text
    assert {name for name in valid if re.search(rf"\b{name}\b", text)} == set(valid[-5:])
    assert "75" in text
    assert "eyetune techniques" in text


def test_render_traceback_shows_only_the_text_in_a_notebook() -> None:
    error = errors.SourceError("There is no such source.", received="x", fix="Name another.")
    assert "\n".join(error._render_traceback_()) == f"SourceError: {error}"
