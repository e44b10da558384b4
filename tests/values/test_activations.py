"""What is seen inside a network: what kernels react to, how they look as tiles, what activity
means.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.values.activations import KERNEL_KINDS, Filters, LayerActivity, kernel_kind

PLACE = np.array([[-1.0, 0.0, 1.0]] * 3, np.float32)
COLOR = np.array([1.0, -0.5, -0.5], np.float32)
PURE = {
    "brightness": np.ones((3, 3, 3), np.float32),
    "edge": PLACE[:, :, np.newaxis] * np.ones(3, np.float32),
    "colour": np.ones((3, 3, 1), np.float32) * COLOR,
    "coloured edge": PLACE[:, :, np.newaxis] * COLOR,
}


def filters(kernels: np.ndarray) -> Filters:
    return Filters("conv2d", np.arange(len(kernels)), kernels.astype(np.float32))


@given(st.sampled_from(KERNEL_KINDS), st.floats(0.01, 100), st.booleans(), st.integers(0, 3))
def test_kernel_kind_ignores_scale_sign_and_noise(
    kind: str, scale: float, negative: bool, seed: int
) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.02, (3, 3, 3))
    kernel = (PURE[kind] + noise) * (-scale if negative else scale)
    assert kernel_kind(kernel.astype(np.float32)) == kind


@pytest.mark.parametrize(
    ("shape", "kind"), [((1, 1, 1), "brightness"), ((1, 1, 4), "colour"), ((3, 3, 1), "edge")]
)
def test_kernel_kind_of_a_single_pixel_or_channel(shape: tuple[int, int, int], kind: str) -> None:
    kernel = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    kernel -= kernel.mean() if kernel.size > 1 else -1
    assert kernel_kind(kernel) == kind


def test_tiles_are_gray_without_weight() -> None:
    kernel = np.zeros((2, 3, 3, 3))
    kernel[0, 0, 0] = [4, -4, 2]
    tiles = filters(kernel).tiles
    assert tiles.shape == (2, 3, 3, 3)
    assert tiles[0, 0, 0].tolist() == [1.0, 0.0, 0.75]
    assert np.all(tiles[1] == 0.5)


@pytest.mark.parametrize(("channels", "tiles"), [(1, 2), (4, 8)])
def test_tiles_of_other_channels_are_gray(channels: int, tiles: int) -> None:
    kernels = np.random.default_rng(0).normal(size=(2, 5, 5, channels))
    drawn = filters(kernels).tiles
    assert drawn.shape == (tiles, 5, 5, 1)
    first = kernels[0, :, :, -1]
    assert np.allclose(drawn[channels - 1, ..., 0], 0.5 + 0.5 * first / np.abs(first).max())


def test_filters_text_counts_the_kinds() -> None:
    text = filters(np.stack([PURE["edge"], PURE["colour"], PURE["edge"]])).text
    assert text.startswith("3 learned kernels of 3x3 over 3 channels")
    assert "an edge or a line in 2, a color in 1." in text
    assert "brightness" not in text


@pytest.mark.parametrize(
    ("activation", "dead", "resting", "expected"),
    [
        ("relu", 0, 0.5, "all units active"),
        ("relu", 2, 0.5, "2 dead"),
        ("relu", 5, 0.9, "many units are dead"),
        ("tanh", 0, 0.7, "mostly saturated"),
        ("relu", 0, 0.7, "all units active"),
    ],
)
def test_activity_text(activation: str, dead: int, resting: float, expected: str) -> None:
    layer = LayerActivity("dense", activation, 10, dead, resting)
    assert expected in layer.text
    assert layer.words == layer.text  # the earlier name
    assert layer.dead_share == dead / 10
    assert ("saturated_share" if activation == "tanh" else "zero_share") in layer.to_json()
