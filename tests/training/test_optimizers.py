"""Every optimizer of a recipe becomes Keras's own, with the recipe's values."""

from __future__ import annotations

from typing import get_args

import keras
import pytest

from eyetune.recipe import LossSection, OptimizerName, Recipe
from eyetune.training.optimizers import build_loss, build_optimizer


@pytest.mark.parametrize("name", get_args(OptimizerName))
def test_every_optimizer_builds_with_its_rate(name: str) -> None:
    optimizer = build_optimizer(Recipe.make({"optimizer": {"name": name, "learning_rate": 0.25}}))
    assert type(optimizer).__name__.lower() == name
    assert float(optimizer.learning_rate) == 0.25


def test_values_reach_the_optimizer() -> None:
    section = {
        "name": "sgd",
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 0.01,
        "clip_norm": 1.5,
    }
    optimizer = build_optimizer(Recipe.make({"optimizer": section}))
    assert (optimizer.momentum, optimizer.nesterov, optimizer.weight_decay, optimizer.clipnorm) == (
        0.9,
        True,
        0.01,
        1.5,
    )


def test_unset_values_keep_the_defaults_of_keras() -> None:
    assert (
        build_optimizer(Recipe().with_(optimizer__name="adamw")).weight_decay
        == keras.optimizers.AdamW().weight_decay
    )


def test_label_smoothing_reaches_the_loss() -> None:
    sharp, smooth = build_loss(LossSection()), build_loss(LossSection(label_smoothing=0.1))
    right = [[1.0, 0.0]], [[0.999, 0.001]]
    assert float(smooth(*right)) > float(sharp(*right))
