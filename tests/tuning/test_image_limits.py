"""Values that cannot work with the images of a study are left out of its space."""

from __future__ import annotations

import pytest

from eyetune.errors import SpaceError
from eyetune.recipe import Recipe
from eyetune.space.hyperparameters import Choice, Condition, Range
from eyetune.space.presets import BUILT_IN, recipe_space
from eyetune.space.space import Space
from eyetune.testing.datasets import tiny_dataset
from eyetune.tuning.image_limits import limited_space, works

DATASET = tiny_dataset()
NUM_IMAGES = len(DATASET.train)
SIDE = DATASET.image_shape[0]
RECIPE = Recipe().with_({"fit.batch_size": 1, "model.padding": "same"})


def limited(*distributions: Choice | Range, recipe: Recipe = RECIPE) -> Space:
    return limited_space(recipe, Space.make(distributions), DATASET).space


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("fit.batch_size", NUM_IMAGES, NUM_IMAGES + 1),
        ("augment.shift", SIDE - 1, SIDE),
        ("augment.cutout", SIDE - 1, SIDE),
        ("model.blocks.*.pool_size", 1, 16),
    ],
)
def test_limited_space_leaves_out_what_is_too_large(name: str, good: int, bad: int) -> None:
    choice = Choice(name=name, values=(good, bad), ordered=True, default=bad)
    found = limited_space(RECIPE, Space.make([choice]), DATASET)
    assert found.space[name] == Choice(name=name, values=(good,), ordered=True, default=good)
    assert len(found.left_out) == 1
    assert name in found.left_out[0]


def test_limited_space_cuts_ranges() -> None:
    batches = Range(name="fit.batch_size", low=1, high=1000, whole=True, default=500)
    powers = Range(
        name="model.blocks.0.pool_size", low=1, high=16, whole=True, step=2, sampling="log"
    )
    space = limited(batches, powers)
    assert space["fit.batch_size"].default == NUM_IMAGES
    assert space["fit.batch_size"].grid() == tuple(range(1, NUM_IMAGES + 1))
    sizes = space["model.blocks.0.pool_size"].grid() or ()
    assert sizes == tuple(size for size in (1, 2, 4, 8, 16) if 2 * size <= SIDE)


def test_limited_space_leaves_out_networks_that_shrink_to_nothing() -> None:
    counts = Range(name="model.blocks.count", low=1, high=20, whole=True)
    last = Condition(parent="model.blocks.count", values=(20,))
    filters = Choice(name="model.blocks.19.filters", values=(8, 16), conditions=(last,))
    space = limited(counts, filters)
    num_blocks = SIDE.bit_length() - 1  # each halves the image size
    assert space["model.blocks.count"].grid() == tuple(range(1, num_blocks + 1))
    assert space.names == ("model.blocks.count",)  # the filters of block 19 can never be active


def test_limited_space_keeps_what_works_with_some_values() -> None:
    padding = Choice(name="model.padding", values=("valid", "same"))
    kernels = Choice(name="model.blocks.*.kernel_size", values=(3, 5, 31), ordered=True)
    space = Space.make([padding, kernels])
    found = limited_space(RECIPE, space, DATASET)
    assert found.space == space
    assert found.left_out == ()
    assert works(RECIPE, {"model.padding": "same", "model.blocks.*.kernel_size": 31}, DATASET)
    assert not works(RECIPE, {"model.padding": "valid", "model.blocks.*.kernel_size": 31}, DATASET)


def test_limited_space_refuses_a_study_without_networks() -> None:
    batches = Choice(name="fit.batch_size", values=(NUM_IMAGES + 1, NUM_IMAGES + 2))
    with pytest.raises(SpaceError):
        limited(batches)
    rates = Choice(name="optimizer.learning_rate", values=(1e-2, 1e-3))
    with pytest.raises(SpaceError):
        limited(rates, recipe=RECIPE.with_({"fit.batch_size": NUM_IMAGES + 1}))


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_spaces_stay_as_they_are_for_many_images(name: str) -> None:
    dataset = tiny_dataset(num_train=600, size=32)
    start = recipe_space(name, Recipe(), num_images=600, image_shape=dataset.image_shape)
    assert limited_space(start.recipe, start.space, dataset).space == start.space


def test_limited_space_leaves_out_networks_by_their_name() -> None:
    networks = Choice(name="model", values=("vgg", "resnet8"))
    pooling = Choice(name="model.blocks.0.pool_size", values=(1, 2), ordered=True)
    dataset = tiny_dataset(size=2)
    space = limited_space(RECIPE, Space.make([networks, pooling]), dataset).space
    assert space["model"].grid() == ("resnet8",)  # the blocks of VGG halve the image size
    assert space["model.blocks.0.pool_size"].grid() == (1, 2)
