from __future__ import annotations

import inspect
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune import errors
from eyetune.errors import EyetuneError, nearest

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, EyetuneError)
]
USAGE = {"UsageError", "RecipeError", "SpaceError", "FunctionError", "SourceError"}
USAGE |= {"RunNotFoundError", "LabNotFoundError", "StudyNotFoundError", "StudyChangedError"}
parts = st.none() | st.text(min_size=1)


def drawn_tree() -> dict[str, str | None]:
    """Read the names and their parents off the drawing in the module's docstring."""
    parents: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for match in re.finditer(r"^( {4}[│├└─ ]*)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE):
        depth, name = len(match[1]), match[2]
        above = [(column, one) for column, one in above if column < depth]
        parents[name] = above[-1][1] if above else None
        above.append((depth, name))
    return parents


def test_the_drawn_tree_holds_exactly_the_classes_that_exist_under_their_parents():
    real = {
        kind.__name__: None if kind is EyetuneError else kind.__bases__[0].__name__
        for kind in KINDS
    }
    assert drawn_tree() == real


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_words_end_with_status_2_and_failed_work_with_1(kind: type[EyetuneError]):
    assert kind("x").exit_status == (2 if kind.__name__ in USAGE else 1)


@pytest.mark.parametrize("kind", KINDS)
@given(what=st.text(), expected=parts, received=parts, fix=parts)
def test_an_error_comes_out_of_a_pickle_whole(
    kind: type[EyetuneError], what: str, expected: str | None, received: str | None, fix: str | None
):
    error = kind(what, expected=expected, received=received, fix=fix)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.what, copy.expected, copy.received, copy.fix) == (what, expected, received, fix)
    assert str(copy) == str(error)


def test_the_text_lists_the_parts_below_each_other_in_one_column():
    error = EyetuneError("It broke.", fix="Mend it.", received=3, expected="a whole thing")
    assert str(error).splitlines() == [
        "It broke.",
        "  expected: a whole thing",
        "  received: 3",
        "  fix:      Mend it.",
    ]


def test_parts_that_were_not_given_are_not_shown():
    error = EyetuneError("It broke.", received=0)
    assert str(error) == "It broke.\n  received: 0"
    assert error.details() == {"received": "0"}
    assert str(EyetuneError("It broke.")) == "It broke."


@pytest.mark.parametrize(
    ("name", "known", "words"),
    [
        (
            "lerning_rate",
            ["momentum", "learning_rate"],
            "Did you mean learning_rate? Known: momentum, learning_rate.",
        ),
        ("ADAM", ["adam", "sgd"], "Did you mean adam? Known: adam, sgd."),
        ("cifar10", ["CIFAR10"], "Did you mean CIFAR10? Known: CIFAR10."),
        ("zzz", ["adam", "sgd"], "Known: adam, sgd."),
    ],
)
def test_the_nearest_known_name_is_offered_whatever_its_case(
    name: str, known: list[str], words: str
):
    assert nearest(name, known) == words
    assert nearest(name, iter(known)) == words


def test_a_notebook_shows_the_words_without_a_traceback():
    error = errors.SourceError("There is no such source.", received="x", fix="Name another.")
    assert "\n".join(error._render_traceback_()) == f"SourceError: {error}"
