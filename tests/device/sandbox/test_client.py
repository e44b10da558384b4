"""Models in processes of their own: the same results, and no harm by damaged ones."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from eyetune.api.fit_check import fit_check
from eyetune.device.export import tflm
from eyetune.device.export.litert import litert_scores
from eyetune.device.export.model_file import open_model_file
from eyetune.device.export.quantize import quantize
from eyetune.device.export.verify import verify
from eyetune.device.sandbox import client
from eyetune.errors import BoardError, EyetuneError
from eyetune.inputs.limits import MODEL_BYTES, MODEL_SECONDS
from tests.device.sandbox.mutants import mutants

IMAGES = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 1), np.uint8)
LABELS = np.arange(4) % 3
NUM_MUTANTS = 64
BOTH: list[client.Interpreter] = ["micro", "litert"] if tflm.is_available() else ["litert"]
ONE = BOTH[:1]  # the first one needs no TensorFlow, which takes seconds to load


@pytest.fixture(scope="module")
def content() -> bytes:
    keras.utils.set_random_seed(1)
    layers = [
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(3, activation="softmax"),
    ]
    return quantize(keras.Sequential([keras.Input((8, 8, 1)), *layers]), IMAGES)


def test_classify_equals_the_interpreters_in_this_process(content: bytes) -> None:
    numbers: list[int] = []
    result = client.classify(content, IMAGES, BOTH, on_image=numbers.append)
    np.testing.assert_array_equal(result.scores["litert"], litert_scores(content, IMAGES))
    assert numbers == sorted(numbers)
    assert numbers[-1] == len(BOTH) * len(IMAGES)
    if tflm.is_available():
        interpreter = tflm.MicroInterpreter(content)
        np.testing.assert_array_equal(result.scores["micro"], interpreter.scores(IMAGES))
        assert result.arena == interpreter.arena()


def test_damaged_models_end_in_a_value_or_an_error(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without processes of their own, one of them ends the test process."""
    monkeypatch.setenv(MODEL_SECONDS.variable, "5")
    path = tmp_path / "model.tflite"
    ends: Counter[str] = Counter()
    for mutant in mutants(content, NUM_MUTANTS, seed=3):
        path.write_bytes(mutant)
        for use in (
            lambda: verify(mutant, IMAGES, LABELS, split="test", arena_limit_bytes=None),  # noqa: B023
            lambda: open_model_file(path).probabilities(IMAGES),
            lambda: fit_check(path, progress=False),
        ):
            try:
                use()
                ends["value"] += 1
            except EyetuneError:
                ends["error"] += 1
    assert min(ends["value"], ends["error"]) > 0, ends
    # The next model is not affected.
    assert client.classify(content, IMAGES, BOTH).scores["litert"].shape == (4, 3)


HOSTILE = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
from eyetune.device.sandbox import server

def scores(request, on_image):
    if request.content == b"crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if request.content == b"hang":
        time.sleep(600)
    if request.content == b"memory":
        bytes(10**15)
    if request.content == b"foreign":
        raise KeyError("foreign")
    return server._result(request.arrays[0].reshape(4, -1).view("int8"), head_bytes=os.getppid(),
                          tail_bytes=1)

server._ACTIONS["scores"] = scores
server.main()
"""


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let an interpreter do what hostile models could make it do."""
    command = (sys.executable, "-c", HOSTILE, *client._COMMAND[-1:])
    monkeypatch.setattr(client, "_COMMAND", command)
    monkeypatch.setattr(client, "_idle", [])
    yield
    for server in client._idle:
        server.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, a server ends after a model")
def test_hostile_model_ends_its_own_process_only(
    hostile: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def server_of(content: bytes) -> int:
        arena = client.classify(content, IMAGES, ["micro"]).arena
        assert arena is not None
        return arena.head_bytes

    server = server_of(b"harmless")
    for content, detail in ((b"crash", "SIGSEGV"), (b"memory", ""), (b"foreign", "KeyError")):
        with pytest.raises(BoardError) as caught:
            server_of(content)
        assert detail in str(caught.value.received)
    assert server_of(b"harmless") == server
    monkeypatch.setenv(MODEL_SECONDS.variable, "1")
    with pytest.raises(BoardError):
        server_of(b"hang")
    assert server_of(b"harmless") != server


def test_model_beyond_its_memory_is_an_error(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        context.setenv(MODEL_BYTES.variable, "1")
        with pytest.raises(BoardError):
            client.classify(content, IMAGES, ONE)
    assert client.classify(content, IMAGES, ONE).scores


def test_images_of_another_shape_are_an_error(content: bytes) -> None:
    with pytest.raises(BoardError):
        client.classify(content, IMAGES[:, :4], ONE)


def test_interpreters_import_nothing_from_the_current_folder(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "struct", "numpy", "psutil", "select"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    monkeypatch.setattr(client, "_idle", [])
    monkeypatch.chdir(tmp_path)
    assert client.classify(content, IMAGES, ONE).scores
