"""Verification: it passes for a sound network, and fails for everything that can be wrong."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from eyetune.device.export import tflm
from eyetune.device.export.quantize import quantize
from eyetune.device.export.tflm import Arena
from eyetune.device.export.verify import (
    Conclusion,
    Verification,
    num_classifications,
    verify,
)
from eyetune.models.build import build
from eyetune.recipe import Recipe

IMAGES = np.random.default_rng(1).integers(0, 256, (30, 32, 32, 3), np.uint8)
ON_BOARDS = ["relu", "relu6", "leaky_relu", "elu", "silu", "hard_silu", "tanh", "sigmoid"]
SOUND = Verification(
    split="test",
    num_images=1000,
    float_accuracy=0.80,
    confusion=((400, 100), (105, 395)),
    agreement=1.0,
    arena=Arena(36_000, 3_696),
    arena_limit_bytes=40_960,
    interpreter="tflite-micro 1",
    reference="LiteRT 1",
    versions={},
)


@pytest.fixture(scope="module")
def content() -> bytes:
    keras.utils.set_random_seed(0)
    return quantize(build(Recipe().model, (32, 32, 3), 10), IMAGES)


def test_verify_passes_for_a_converted_network(content: bytes) -> None:
    numbers: list[int] = []
    labels = np.zeros(len(IMAGES), np.int64)
    result = verify(
        content, IMAGES, labels, split="test", arena_limit_bytes=40_960, on_image=numbers.append
    )
    assert result.passed
    assert result.num_images == 30
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == num_classifications(30)
    assert result.versions["eyetune"]
    if tflm.is_available():
        assert result.interpreter == tflm.version()
        assert result.agreement is not None
        assert result.agreement >= 0.995
        assert result.arena is not None
        assert 36_000 < result.arena.bytes <= 40_960


@pytest.mark.parametrize("activation", ON_BOARDS)
def test_verify_knows_the_kernels_of_each_activation(activation: str) -> None:
    keras.utils.set_random_seed(0)
    model = Recipe().with_({"model.blocks": [4], "model.dense": [], "model.activation": activation})
    content = quantize(build(model.model, (32, 32, 3), 10), IMAGES)
    labels = np.zeros(len(IMAGES), np.int64)
    result = verify(content, IMAGES, labels, split="test", arena_limit_bytes=10**6)
    assert result.passed
    kernels = "fast kernels, because ELU has no reference kernel"
    assert (kernels in result.reference) == (activation == "elu")


def test_verify_in_processes_gives_the_same_result(content: bytes) -> None:
    images = np.random.default_rng(2).integers(0, 256, (150, 32, 32, 3), np.uint8)
    labels = np.arange(150) % 10
    numbers: list[int] = []
    alone = verify(content, images, labels, split="test", arena_limit_bytes=40_960)
    shared = verify(
        content,
        images,
        labels,
        split="test",
        arena_limit_bytes=40_960,
        num_processes=2,
        on_image=numbers.append,
    )
    assert shared == alone
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == num_classifications(150)


def test_verify_accuracy_counts_each_image_for_one_class(content: bytes) -> None:
    images = IMAGES[:10]
    accuracies = [
        verify(
            content, images, np.full(10, label), split="test", arena_limit_bytes=10**6
        ).int8_accuracy
        for label in range(10)
    ]
    assert sum(accuracies) == pytest.approx(1.0)


def test_verify_without_tflm_uses_the_reference_kernels(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tflm, "is_available", lambda: False)
    result = verify(content, IMAGES[:5], np.zeros(5, np.int64), split="test", arena_limit_bytes=1)
    assert result.passed
    assert (result.agreement, result.arena) == (None, None)
    assert result.interpreter == result.reference
    assert result.left_out
    assert result.warnings == (result.left_out,)
    assert "tensor arena" not in result.summary.rows
    assert num_classifications(5) == 5


def test_verification_passes_within_all_limits() -> None:
    assert SOUND.passed
    assert SOUND.conclusion is Conclusion.PASSED
    assert SOUND.int8_accuracy == 0.795
    assert f"{SOUND.conclusion} Accuracy in int8: 79.50% of {SOUND.num_images:,}" in repr(SOUND)
    assert SOUND.judgement.text in SOUND.summary.sentences
    assert not SOUND.warnings


def test_verification_says_when_it_is_guessing() -> None:
    guessing = replace(SOUND, num_images=29, confusion=((6, 6, 0), (5, 4, 0), (3, 3, 2)))
    assert guessing.passed
    assert guessing.conclusion is Conclusion.GUESSING
    values = guessing.to_json()
    assert values["is_better_than_guessing"] is False
    assert values["int8_accuracy"] == pytest.approx(12 / 29)
    assert "guessing" in values["text"]


def test_verification_says_when_images_are_few() -> None:
    few = replace(SOUND, num_images=100, confusion=((45, 5), (5, 45)))
    assert few.passed
    assert few.conclusion is Conclusion.FEW_IMAGES
    assert len(few.warnings) == 1
    enough = replace(few, num_images=800, confusion=((360, 40), (40, 360)), float_accuracy=0.9)
    assert enough.conclusion is Conclusion.PASSED


@pytest.mark.parametrize(
    "result",
    [
        replace(SOUND, agreement=0.97),
        replace(SOUND, arena=Arena(40_000, 4_000)),
        replace(SOUND, arena_scratch_bytes=20_000),
        replace(SOUND, changed_files=("model.tflite",)),
    ],
)
def test_verification_fails_beyond_a_limit(result: Verification) -> None:
    assert not result.passed
    assert len(result.failures) == 1
    assert not result.warnings


def test_verification_warns_of_classes_that_differ_in_number() -> None:
    uneven = replace(SOUND, confusion=((780, 20), (150, 50)), float_accuracy=0.83)
    assert uneven.passed
    (warning,) = uneven.warnings
    assert "4.0 times" in warning
    assert "61.3%" in warning


def test_verification_warns_of_a_loss_of_accuracy() -> None:
    worse = replace(SOUND, confusion=((350, 150), (150, 350)))
    assert worse.passed
    assert worse.accuracy_drop == pytest.approx(0.1)
    assert len(worse.warnings) == 1


def test_verification_without_float_accuracy_has_no_drop() -> None:
    values = replace(SOUND, float_accuracy=None).to_json()
    assert values["accuracy_drop"] is None
    assert values["lost"] is None
