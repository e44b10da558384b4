"""A study warns once of what a user's code does in worker processes."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from eyetune.errors import EyetuneWarning
from eyetune.training.job import Outcome
from eyetune.tuning.user_code_warnings import UserCodeWarnings


def outcome(**named: Any) -> Outcome:
    return Outcome(history=(), kept_epoch=0, **named)


CHANGED = outcome(changed_copies=("fit: histories",))
UNTRAINED = outcome(is_trained=False)


@pytest.mark.parametrize("first", [CHANGED, UNTRAINED])
def test_warnings_come_once_in_a_study(first: Outcome) -> None:
    user_code = UserCodeWarnings()
    with pytest.warns(EyetuneWarning):
        user_code.add(first, is_in_process=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        user_code.add(first, is_in_process=False)
        user_code.add(outcome(), is_in_process=False)
    other = UNTRAINED if first is CHANGED else CHANGED
    with pytest.warns(EyetuneWarning):
        user_code.add(other, is_in_process=False)


def test_changes_of_the_users_own_objects_are_expected() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        UserCodeWarnings().add(CHANGED, is_in_process=True)


def test_warning_names_what_changed() -> None:
    with pytest.warns(EyetuneWarning, match="fit: histories"):
        UserCodeWarnings().add(CHANGED, is_in_process=False)
