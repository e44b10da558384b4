"""Threads of a process, and its messages."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from eyetune.errors import UsageError
from eyetune.training import backend


def test_threads_cannot_change_once_tensorflow_runs() -> None:
    backend.start_keras()
    with pytest.raises(UsageError) as caught:
        backend.start_keras(threads=7)
    assert "7" in str(caught.value.expected)


def test_threads_must_not_be_negative() -> None:
    with pytest.raises(UsageError) as caught:
        backend.start_keras(threads=-1)
    assert caught.value.received == "-1"


@pytest.mark.slow
def test_start_keras_silences_tensorflow() -> None:
    program = (
        "import eyetune as et; from eyetune.testing.datasets import tiny_dataset; "
        "recipe = et.Recipe().with_(model__blocks=[4], fit__epochs=1, augment__flip=True); "
        "[et.train(recipe, tiny_dataset(), progress=False, plots=False) for _ in range(3)]"
    )
    environment = {
        name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout + done.stderr == ""
    loud = {**environment, "TF_CPP_MIN_LOG_LEVEL": "0"}
    start = [sys.executable, "-c", "import eyetune as et; et.start_keras()"]
    assert (
        "oneDNN"
        in subprocess.run(start, env=loud, capture_output=True, text=True, check=True).stderr
    )
