"""Fixtures of all tests, those in docstrings included."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def trusted_functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the tests, and the processes that they start, out of the user's list."""
    path = tmp_path_factory.mktemp("trusted") / "functions.txt"
    os.environ["EYETUNE_TRUSTED_FUNCTIONS"] = str(path)
    return path
