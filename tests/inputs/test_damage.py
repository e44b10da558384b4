"""Damaged files and records: whatever reading one raises becomes one error of eyetune."""

from __future__ import annotations

import pytest

from eyetune.errors import DataError, WorkspaceError
from eyetune.inputs.damage import explaining_damage
from eyetune.inputs.limits import WEIGHTS_BYTES, LimitExceededError


def damaged(reason: str) -> WorkspaceError:
    return WorkspaceError("The file is damaged.", received=reason, fix="Make it again.")


def test_explaining_damage_turns_any_error_into_one() -> None:
    with pytest.raises(WorkspaceError) as caught, explaining_damage(damaged):
        raise RecursionError("deep")
    assert caught.value.fix == "Make it again."


def test_explaining_damage_passes_errors_of_eyetune_on() -> None:
    with pytest.raises(DataError), explaining_damage(damaged):
        raise DataError("There are no images.")


def test_explaining_damage_says_how_to_raise_a_limit() -> None:
    error = LimitExceededError(WEIGHTS_BYTES, 2 * WEIGHTS_BYTES.value, "an archive")
    with pytest.raises(WorkspaceError) as caught, explaining_damage(damaged):
        raise error
    assert caught.value.fix == error.fix
