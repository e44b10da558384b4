"""What is written past Python is kept out or caught, and what comes after is not."""

from __future__ import annotations

import os

import pytest

from eyetune._stderr import caught, silenced


def test_what_is_caught_comes_back_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before ")
    with caught() as words:
        os.write(2, b"inside")
    os.write(2, b"after")
    assert words() == "inside"
    assert capfd.readouterr().err == "before after"


def test_standard_error_comes_back_after_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with silenced():
            os.write(2, b"noise")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fail()
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"


def test_who_asks_for_everything_gets_it(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with silenced():
        os.write(2, b"all")
    assert capfd.readouterr().err == "all"
