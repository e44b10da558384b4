"""Precision that suits the machine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from eyetune.errors import UsageError
from eyetune.training import backend


@pytest.mark.parametrize(
    ("flags", "precision", "words"),
    [
        ({"avx512f", "avx512_bf16", "amx_bf16"}, "bfloat16", "has matrix units"),
        ({"avx512f", "avx512_bf16"}, "float32", "has no matrix units"),
        (set(), "float32", "has no matrix units"),
    ],
)
def test_auto_is_bfloat16_only_with_native_support(
    monkeypatch: pytest.MonkeyPatch, flags: set[str], precision: str, words: str
) -> None:
    monkeypatch.setattr(backend, "_cpu_flags", lambda: frozenset(flags))
    monkeypatch.setattr(backend, "_gpu_capabilities", list)
    chosen = backend.choose_arithmetic("auto")
    assert chosen.precision == precision
    assert words in str(chosen)


@pytest.mark.parametrize(
    ("capability", "precision"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")]
)
def test_auto_depends_on_the_gpu_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], precision: str
) -> None:
    monkeypatch.setattr(backend, "_gpu_capabilities", lambda: [capability])
    assert backend.choose_arithmetic("auto").precision == precision


def test_threads_cannot_change_once_tensorflow_runs() -> None:
    backend.start_keras()
    with pytest.raises(UsageError) as caught:
        backend.start_keras(threads=7)
    assert "7" in str(caught.value.expected)


def test_threads_must_not_be_negative() -> None:
    with pytest.raises(UsageError) as caught:
        backend.start_keras(threads=-1)
    assert caught.value.received == "-1"


def test_named_precision_is_used() -> None:
    assert backend.choose_arithmetic("bfloat16").policy == "mixed_bfloat16"
    assert backend.choose_arithmetic("float32").policy == "float32"


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
