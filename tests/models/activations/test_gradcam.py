"""Grad-CAM lights up what speaks for a class, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eyetune.models.activations import trace
from eyetune.models.activations.gradcam import attention_step, heatmaps
from eyetune.models.activations.trace import Step


def red_or_blue(ending: str = "softmax") -> Any:
    """A network whose first filter sees red, whose second sees blue, and whose classes are those
    two.
    """
    import keras
    from keras import layers

    sees = layers.Conv2D(2, 1, activation="relu", use_bias=False)
    answers = layers.Dense(2, activation=None if ending == "layer" else ending, use_bias=False)
    after = [layers.Softmax()] if ending == "layer" else []
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), sees, layers.GlobalAveragePooling2D(), answers, *after]
    )
    sees.set_weights([np.array([[[[1, 0], [0, 0], [0, 1]]]], np.float32)])
    answers.set_weights([np.eye(2, dtype=np.float32)])
    return model


def left_red_right_blue(count: int = 1) -> Any:
    image = np.zeros((count, 8, 8, 3), np.float32)
    image[:, :, :4, 0] = 1
    image[:, :, 4:, 2] = 1
    return image


@pytest.mark.parametrize("ending", ["softmax", "layer", "linear", "sigmoid"])
def test_heatmaps_show_the_half_of_each_class(ending: str) -> None:
    found = heatmaps(red_or_blue(ending), left_red_right_blue(2), np.array([0, 1]))
    assert found is not None
    assert found.layer == "conv2d"
    assert np.allclose(found.maps[0, :, :4], 1)
    assert np.allclose(found.maps[0, :, 4:], 0)
    assert np.allclose(found.maps[1], 1 - found.maps[0])


def test_heatmap_equals_the_class_activation_map() -> None:
    """Grad-CAM generalises CAM (Zhou et al., 2016), which weighs by the dense layer: Selvaraju et
    al., section 3.1.
    """
    model, generator = red_or_blue(), np.random.default_rng(0)
    kernel, weights = generator.normal(size=(1, 1, 3, 2)), generator.normal(size=(2, 2))
    model.layers[0].set_weights([kernel])
    model.layers[2].set_weights([weights])
    images = generator.random((5, 8, 8, 3), np.float32)
    classes = np.array([0, 1, 0, 1, 1])
    maps = np.maximum(images @ kernel[0, 0], 0)
    expected = np.maximum(np.einsum("nhwk,kn->nhw", maps, weights[:, classes]), 0)
    expected /= np.maximum(expected.max(axis=(1, 2), keepdims=True), 1e-12)
    found = heatmaps(model, images, classes)
    assert found is not None
    assert np.allclose(found.maps, expected, atol=1e-4)


def test_heatmaps_explain_confident_answers_too() -> None:
    model = red_or_blue()
    model.layers[2].set_weights([np.diag([5000.0, 1.0])])
    image = left_red_right_blue()
    assert np.asarray(model(image))[0, 0] == 1  # behind the softmax there is no gradient left
    found = heatmaps(model, image, np.array([0]))
    assert found is not None
    assert np.allclose(found.maps[0, :, :4], 1)


def test_heatmaps_hide_what_speaks_against_a_class() -> None:
    model = red_or_blue()
    model.layers[2].set_weights([-np.eye(2, dtype=np.float32)])
    found = heatmaps(model, left_red_right_blue(), np.array([0]))
    assert found is not None
    assert not found.maps.any()


def test_images_do_not_disturb_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = red_or_blue(), np.random.default_rng(0).random((7, 8, 8, 3), np.float32)
    classes = np.arange(7) % 2
    together = heatmaps(model, images, classes)
    monkeypatch.setattr(trace, "MAX_BATCH", 1)
    alone = heatmaps(model, images, classes)
    assert together is not None
    assert alone is not None
    assert np.allclose(together.maps, alone.maps, atol=1e-6)
    none = heatmaps(model, images[:0], classes[:0])
    assert none is not None
    assert none.maps.shape == (0, 8, 8)


def test_attention_step_includes_what_follows_the_convolution() -> None:
    before = [
        ("Conv2D", (8, 8, 4)),
        ("MaxPooling2D", (4, 4, 4)),
        ("Conv2D", (4, 4, 8)),
        ("Add", (4, 4, 8)),
    ]
    after = [
        ("Activation", (4, 4, 8)),
        ("MaxPooling2D", (2, 2, 8)),
        ("Flatten", (32,)),
        ("Dense", (2,)),
    ]
    kinds = before + after
    steps = tuple(
        Step(place, f"{place}", kind, "", "", shape) for place, (kind, shape) in enumerate(kinds)
    )
    chosen = attention_step(steps)
    assert chosen is not None
    assert chosen.kind == "Activation"
    point = Step(
        8, "8", "Conv2D", "", "", (1, 1, 8)
    )  # a convolution of one place says nothing of where
    assert attention_step((*steps, point)) == chosen
    assert attention_step(steps[-2:]) is None
    assert attention_step((point,)) is None
