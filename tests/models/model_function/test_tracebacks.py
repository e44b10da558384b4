"""What becomes of exceptions in a user's own code."""

from __future__ import annotations

import pickle

import pytest
from keras_tuner import errors as keras_tuner_errors

from eyetune.errors import AbandonedTrialError, EyetuneError, FatalTrialError, FunctionError
from eyetune.models.model_function.tracebacks import failed


class OwnError(keras_tuner_errors.FatalValueError):  # type: ignore[misc]
    """A user's own kind of a fatal error."""


def after(error: Exception) -> EyetuneError:
    """Return what an exception of the user becomes, as the coordinating process receives it."""
    try:
        raise error
    except Exception as raised:
        received = pickle.loads(pickle.dumps(failed("The model function failed.", raised)))
    assert isinstance(received, EyetuneError)
    return received


def test_exception_of_the_user_is_shown_with_its_traceback() -> None:
    received = after(ZeroDivisionError("no such number"))
    assert isinstance(received, FunctionError)
    assert received.message == "The model function failed."
    assert "ZeroDivisionError: no such number" in (received.received or "")


def test_failed_trial_error_abandons_the_trial() -> None:
    received = after(keras_tuner_errors.FailedTrialError("The network is too slow."))
    assert isinstance(received, AbandonedTrialError)
    assert received.message == "The network is too slow."


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (keras_tuner_errors.FatalError, "FatalError"),
        (keras_tuner_errors.FatalTypeError, "FatalTypeError"),
        (keras_tuner_errors.FatalRuntimeError, "FatalRuntimeError"),
        (OwnError, "FatalValueError"),
    ],
)
def test_fatal_errors_keep_their_message_and_kind(kind: type[Exception], name: str) -> None:
    received = after(kind("The labels are missing."))
    assert isinstance(received, FatalTrialError)
    assert (received.message, received.kind) == ("The labels are missing.", name)
