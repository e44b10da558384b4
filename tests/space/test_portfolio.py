"""Portfolios: their files, the accuracy to expect of their recipes, and the choice by images."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.device.boards.profiles import load_board
from eyetune.device.estimate.footprint import footprint
from eyetune.errors import RecipeError, SpaceError
from eyetune.models import cnn
from eyetune.recipe import Recipe
from eyetune.space.portfolio import (
    Entry,
    Portfolio,
    choose,
    load_portfolio,
    portfolio_recipe,
    portfolio_recipes,
    portfolios,
)
from eyetune.space.presets import apply, check_space

COLOR = (32, 32, 3)
ENTRIES = [
    pytest.param(portfolio, entry, id=f"{portfolio.name}-{entry.name}")
    for portfolio in portfolios()
    for entry in portfolio.entries
]


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    epochs = draw(st.sets(st.integers(1, 1000), min_size=1, max_size=4))
    accuracies = draw(st.lists(st.floats(0.01, 0.999), min_size=len(epochs), max_size=len(epochs)))
    return (
        load_portfolio("images")
        .entries[0]
        .model_copy(update={"accuracy": dict(zip(sorted(epochs), sorted(accuracies), strict=True))})
    )


@given(entries(), st.lists(st.floats(0, 1e6), min_size=2, max_size=6))
def test_expected_accuracy_rises_from_0_to_at_most_1(entry: Entry, epochs: list[float]) -> None:
    accuracies = [entry.accuracy_after(number) for number in sorted(epochs)]
    assert all(0 <= accuracy <= 1 for accuracy in accuracies)
    assert all(after >= before - 1e-12 for before, after in pairwise(accuracies))
    assert all(entry.slope_at(number) >= 0 for number in epochs)


@given(entries())
def test_expected_accuracy_is_that_of_measurements(entry: Entry) -> None:
    for epochs, accuracy in entry.accuracy.items():
        assert entry.accuracy_after(epochs) == pytest.approx(accuracy)
    assert entry.accuracy_after(0) == 0


@given(entries())
def test_expected_accuracy_levels_off(entry: Entry) -> None:
    last = max(entry.accuracy)
    gains = [entry.slope_at(last * 2**doubling) for doubling in range(4)]
    assert all(after <= before + 1e-12 for before, after in pairwise(gains))


@pytest.mark.parametrize("accuracy", [{3: 0.8, 10: 0.7}, {10: 0.8, 3: 0.9}, {3: 1.0}, {0: 0.5}])
def test_entry_refuses_impossible_measurements(accuracy: dict[int, float]) -> None:
    values = load_portfolio("images").entries[0].model_dump() | {"accuracy": accuracy}
    with pytest.raises(ValueError):  # noqa: PT011 (pydantic's error is a ValueError)
        Entry.model_validate(values)


def test_portfolio_refuses_values_outside_its_space() -> None:
    portfolio = load_portfolio("images")
    values = portfolio.entries[0].values
    for other in ({**values, "model": "vgg"}, {**values, "model.dropout": 0.5}, {}):
        entry = portfolio.entries[0].model_copy(update={"values": other})
        with pytest.raises(ValueError):  # noqa: PT011
            Portfolio.model_validate({**dict(portfolio), "entries": (entry,)})


def test_frontier_is_trained_by_name_only() -> None:
    assert not load_portfolio("frontier").applies(40_000, (32, 32, 3))
    assert portfolio_recipe("small-98k").fit.epochs == 160


@pytest.mark.parametrize("portfolio", portfolios(), ids=lambda portfolio: portfolio.name)
def test_space_of_portfolio_suits_its_recipe(portfolio: Portfolio) -> None:
    check_space(portfolio.starting_recipe(Recipe()), portfolio.space)


@pytest.mark.parametrize(("portfolio", "entry"), ENTRIES)
def test_recorded_costs_are_those_of_the_network(portfolio: Portfolio, entry: Entry) -> None:
    recipe = apply(portfolio.starting_recipe(Recipe()), entry.values)
    costs = footprint(cnn.build(recipe.model, COLOR, 10))
    assert entry.parameters == costs.parameters
    assert entry.macs == costs.macs
    assert entry.flash_bytes == costs.flash_bytes
    assert entry.arena_bytes == costs.arena_bytes


@pytest.mark.parametrize(("portfolio", "entry"), ENTRIES)
def test_entry_fits_the_default_board(portfolio: Portfolio, entry: Entry) -> None:
    board = load_board("esp-eye")
    assert entry.flash_bytes <= board.max_model_bytes
    assert entry.arena_bytes <= board.max_arena_bytes


def test_images_are_matched_by_number_and_channels() -> None:
    assert choose(40_000, COLOR).name == "images"
    assert choose(5_000, COLOR).name == "few-images"
    assert choose(5_001, COLOR).name == "images"
    assert choose(400, (28, 28, 1)).name == "images"
    assert choose(400, COLOR, pretrained=False).name == "images"
    with pytest.raises(SpaceError):
        choose(0, COLOR)


@pytest.mark.parametrize("num_images", [3, 40, 400, 40_000])
@pytest.mark.parametrize("image_shape", [(8, 8, 1), (32, 32, 3), (96, 96, 3), (512, 512, 3)])
def test_chosen_values_suit_the_images(num_images: int, image_shape: tuple[int, int, int]) -> None:
    portfolio = choose(num_images, image_shape)
    recipe = portfolio.starting_recipe(Recipe())
    check_space(recipe, portfolio.space)
    for entry in portfolio.entries:
        assert portfolio.space.contains(entry.values)
        entry_recipe = apply(recipe, entry.values)
        cnn.check_sizes(entry_recipe.model, image_shape)
        assert entry_recipe.fit.batch_size <= num_images
        assert entry_recipe.augment.shift < image_shape[0] / 4
        assert entry_recipe.augment.flip == (image_shape[2] == 3)


def test_starting_recipe_keeps_choices_of_the_user() -> None:
    portfolio = load_portfolio("images")
    edits = {
        "data.source": "signs",
        "augment.flip": False,
        "augment.noise": 0.1,
        "fit.epochs": 2,
        "fit.early_stopping": 3,
    }
    recipe = portfolio.starting_recipe(Recipe().with_(edits))
    assert (recipe.data.source, recipe.fit.epochs, recipe.fit.early_stopping) == ("signs", 2, 3)
    assert (recipe.augment.flip, recipe.augment.noise, recipe.augment.shift) == (False, 0.1, 4)
    assert recipe.optimizer.name == "sgd"
    assert recipe.optimizer.warmup_epochs == 0.5
    assert recipe.model == Recipe().with_(model="resnet8").model


def two_entries() -> tuple[Portfolio, Entry, Entry]:
    """Return a portfolio of a small network and one that is slower and better in the end."""
    portfolio = load_portfolio("images")
    entry = portfolio.entries[0]
    small = entry.model_copy(
        update={"name": "small", "accuracy": {3: 0.72, 10: 0.82, 30: 0.87}, "epoch_seconds": 10.0}
    )
    large = entry.model_copy(
        update={
            "name": "large",
            "accuracy": {10: 0.86},
            "epoch_seconds": 20.0,
            "values": {**entry.values, "model": "resnet20"},
        }
    )
    return portfolio.model_copy(update={"entries": (small, large)}), small, large


def test_order_of_entries_depends_on_the_time() -> None:
    portfolio, small, large = two_entries()

    def first(seconds: float, num_images: int = 40_000, speed: float = 1.0) -> Entry:
        return portfolio.ordered(num_images, COLOR, seconds, speed)[0]

    assert first(60) == small
    assert first(3_600) == large
    assert first(600, num_images=400_000) == small  # an epoch takes as long as ten of 40,000 images
    assert first(3_600, speed=1 / 60) == small
    assert portfolio.ordered_after(10) == (large, small)
    starts = portfolio.starts(40_000, COLOR, 3_600)
    assert starts == (large.values, small.values)


def test_entries_without_a_whole_epoch_come_last() -> None:
    portfolio, small, large = two_entries()
    slow = large.model_copy(update={"epoch_seconds": 60.0, "accuracy": {1: 0.99}})
    portfolio = portfolio.model_copy(update={"entries": (slow, small)})
    assert portfolio.ordered(40_000, COLOR, 59) == (small, slow)
    assert portfolio.ordered(40_000, COLOR, 61) == (slow, small)


def test_unknown_portfolio_is_refused() -> None:
    with pytest.raises(SpaceError):
        load_portfolio("image")


def test_each_recipe_has_a_name_of_its_own() -> None:
    assert len(portfolio_recipes()) == len(ENTRIES)


@pytest.mark.parametrize("name", portfolio_recipes())
def test_recipe_by_name_is_the_one_that_was_measured_longest(name: str) -> None:
    portfolio, entry = portfolio_recipes()[name]
    recipe = portfolio_recipe(name)
    assert recipe.fit.epochs == max(entry.accuracy)
    trained = portfolio.starting_recipe(Recipe()).with_(entry.values)
    assert recipe == trained.with_({"fit.epochs": recipe.fit.epochs})


def test_unknown_recipe_names_a_similar_one() -> None:
    with pytest.raises(RecipeError, match="resnet14"):
        portfolio_recipe("resnet15")
