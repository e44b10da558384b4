"""The proof: it holds for a sound network, and fails for each thing that can be wrong."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from eyetune.device.export.interpreters import Arena, has_micro
from eyetune.device.export.quantize import quantize
from eyetune.device.export.verify import Verification, verify
from eyetune.models.build import build
from eyetune.recipe import Recipe

NUMBERS = np.random.default_rng(1)
IMAGES = NUMBERS.integers(0, 256, (60, 32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def content() -> bytes:
    keras.utils.set_random_seed(0)
    return quantize(build(Recipe().model, (32, 32, 3), 10), IMAGES)


SOUND = Verification(
    split="test",
    num_images=100,
    float_accuracy=0.80,
    int8_accuracy=0.795,
    agreement=1.0,
    arena=Arena(36_000, 3_696),
    arena_limit_bytes=40_960,
    interpreter="tflite-micro 1",
    reference="LiteRT 1",
    versions={},
)


def test_a_network_is_proven_on_its_images(content: bytes) -> None:
    seen: list[int] = []
    labels = np.zeros(len(IMAGES), np.int64)
    found = verify(
        content, IMAGES, labels, split="test", arena_limit_bytes=40_960, on_image=seen.append
    )
    assert found.passed
    assert found.num_images == 60
    assert seen == list(range(1, 60 * (2 if has_micro() else 1) + 1))
    if has_micro():
        assert found.interpreter.startswith("tflite-micro ")
        assert found.agreement is not None
        assert found.agreement >= 0.995
        assert found.arena is not None
        assert 36_000 < found.arena.bytes <= 40_960
    assert found.versions["eyetune"]


def test_accuracy_is_that_of_the_interpreter_that_decides(content: bytes) -> None:
    first = verify(
        content, IMAGES, np.zeros(60, np.int64), split="test", arena_limit_bytes=10**6
    ).int8_accuracy
    shares = [
        verify(
            content, IMAGES, np.full(60, label), split="test", arena_limit_bytes=10**6
        ).int8_accuracy
        for label in range(1, 10)
    ]
    assert first + sum(shares) == pytest.approx(1.0)


@pytest.mark.skipif(not has_micro(), reason="tflite-micro has no wheel for this machine")
def test_without_its_wheel_the_reference_kernels_verify_and_the_report_says_so(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyetune.device.export.verify.has_micro", lambda: False)
    found = verify(content, IMAGES[:5], np.zeros(5, np.int64), split="test", arena_limit_bytes=1)
    assert found.passed
    assert (found.agreement, found.arena) == (None, None)
    assert "reference kernels" in found.interpreter
    assert found.warnings == (found.left_out,)
    assert "no wheel" in found.left_out


def test_each_thing_that_is_wrong_is_said() -> None:
    assert SOUND.passed
    assert not SOUND.warnings
    apart = replace(SOUND, agreement=0.97)
    assert "agree on 97.00%" in apart.failures[0]
    large = replace(SOUND, arena=Arena(40_000, 4_000))
    assert "44,000 bytes" in large.failures[0]
    changed = replace(SOUND, changed_files=("model.tflite",))
    assert changed.failures == ("model.tflite is not as it was exported.",)
    worse = replace(SOUND, int8_accuracy=0.70)
    assert worse.passed
    assert worse.warnings == ("int8 costs 10.0 points of accuracy.",)
    unknown = replace(SOUND, float_accuracy=None)
    assert unknown.lost is None
    assert unknown.to_json()["lost"] is None
