"""The network of a recipe: checked and built once, then inspected, trained and saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from eyetune.data import AnyDataset, Dataset
from eyetune.device.boards.profiles import Board
from eyetune.errors import DataError, EyetuneError, RecipeError
from eyetune.models import build as networks
from eyetune.models import initial_weights
from eyetune.models import weights as pretrained
from eyetune.models.model_function import Built, build_with
from eyetune.models.structure import structure
from eyetune.models.weights import Weights
from eyetune.recipe import CIFAR10_WEIGHTS, Recipe
from eyetune.training import quantization
from eyetune.training.backend import preserve_random_state, set_seed
from eyetune.training.distillation import Teacher, open_teacher
from eyetune.training.image_checks import check_images
from eyetune.training.load_data import inputs_of
from eyetune.training.precision import Arithmetic
from eyetune.values.network import Network

if TYPE_CHECKING:
    import keras

    from eyetune.device.estimate.footprint import Footprint


@dataclass(frozen=True)
class NetworkCosts:
    """What a network is made of and what it costs, before any training.

    Attributes:
        network: Its layers.
        costs: Its costs by name: parameters, trainable_parameters, macs (also as multiply_adds);
            with the footprint also flash_bytes and arena_bytes; on a board with a cost model also
            latency_ms, latency_error_ms and fps.
        obstacles: Why the board cannot run it whatever its size, or why its footprint cannot be
            told, as sentences; empty if it can.
    """

    network: Network
    costs: Mapping[str, float]
    obstacles: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreparedNetwork:
    """The network of a recipe with its initial weights, from `prepare_network`.

    Attributes:
        recipe: What is trained and how.
        dataset: The data that it is for: images, or the arrays of a user with a model function.
        seed: Random seed of its initial weights, and of its training.
        arithmetic: Precision of its training.
        model: The network. It is not compiled, unless a model function compiled it.
        backbone_weights: Initial weights of its backbone; None if it has no backbone.
        initial_weights: Initial weights of its blocks; None if they are random.
        teacher: The trained network that it learns from; None if there is none.
        function: What a model function built; None if the recipe has no model function.
    """

    recipe: Recipe
    dataset: AnyDataset
    seed: int
    arithmetic: Arithmetic
    model: keras.Model
    backbone_weights: Weights | None = None
    initial_weights: Weights | None = None
    teacher: Teacher | None = None
    function: Built | None = None

    @property
    def precision(self) -> Literal["float32", "bfloat16"]:
        """Precision of the arithmetic."""
        return self.arithmetic.precision

    @property
    def images(self) -> Dataset:
        """The data, which consists of images unless a model function built the network."""
        assert isinstance(self.dataset, Dataset)
        return self.dataset

    def inspect(self, *, with_footprint: bool = False, board: Board | None = None) -> NetworkCosts:
        """Return the layers of the network and its costs.

        Args:
            with_footprint: Include flash and arena bytes, which takes longer.
            board: The board that the footprint is for; None for any.
        """
        obstacles: tuple[str, ...] = ()
        with preserve_random_state():
            classifier = self.function.classifier if self.function else self.model
            network = structure(classifier)
            costs: dict[str, float] = {
                "parameters": network.parameters,
                "trainable_parameters": network.trainable_parameters,
                "macs": network.macs,
                "multiply_adds": network.macs,  # the name before version 0.1
            }
            if with_footprint:
                from eyetune.device.estimate.footprint import footprint

                needed = _measured_if_unknown(classifier, footprint(classifier))
                costs["flash_bytes"] = needed.flash_bytes
                costs["arena_bytes"] = needed.arena_bytes
                obstacles = unknown_needs(needed)
                if board is not None:
                    costs |= costs_on(board, needed)
                    obstacles = obstacles_in(needed)
        return NetworkCosts(network, costs, obstacles)


def _measured_if_unknown(classifier: keras.Model, needed: Footprint) -> Footprint:
    """Return what a network needs: measured after its conversion if it has unknown layers."""
    if not needed.unknown:
        return needed
    from eyetune.device.export.measured_footprint import measured_apart

    try:
        return measured_apart(classifier)
    except EyetuneError:  # the obstacles say that it cannot be judged
        return needed


def costs_on(board: Board, needed: Footprint) -> dict[str, float]:
    """Return the costs of a network that depend on the board."""
    costs: dict[str, float] = {"arena_bytes": needed.arena_bytes_on(board)}
    time = needed.latency(board)
    if time is not None:
        costs["latency_ms"] = time.milliseconds
        costs["latency_error_ms"] = time.error_milliseconds
        costs["fps"] = time.fps
    return costs


def obstacles_in(needed: Footprint) -> tuple[str, ...]:
    """Return why no board can run a network, or why it cannot be judged."""
    return (*needed.operator_obstacles, *unknown_needs(needed))


def unknown_needs(needed: Footprint) -> tuple[str, ...]:
    """Return why the needs of a network cannot be told; nothing if they can."""
    return tuple(f"Memory and time of {name} are unknown." for name in needed.unknown)


def prepare_network(
    recipe: Recipe,
    dataset: AnyDataset,
    *,
    seed: int,
    arithmetic: Arithmetic,
    deterministic: bool = True,
    teacher: Path | None = None,
) -> PreparedNetwork:
    """Check a training, set the seeds and build the network with its initial weights.

    The weights of a backbone are downloaded here if necessary.

    Args:
        recipe: What is trained and how.
        dataset: The data that it is trained on.
        seed: Random seed, from 0 to `backend.MAX_SEED`.
        arithmetic: From `choose_arithmetic`. A model function keeps its own with the precision
            "auto".
        deterministic: Use only operations that give the same result every time.
        teacher: The teacher's file, if the recipe's teacher is a run.

    Raises:
        DataError: The batch is larger than the training data, or it is not images.
        RecipeError: An augmentation is too large for the images, the network shrinks them to
            nothing, its initial weights or its teacher cannot be used, or the recipe quantizes a
            layer whose int8 arithmetic is not known.
        FunctionError: The model function cannot be loaded, raised an exception, or returned a
            network that cannot be trained.
        TrainingError: Keras or TensorFlow cannot build the network.
    """
    opened_teacher = None
    if isinstance(dataset, Dataset):
        check_images(recipe, dataset)
        _check_validation_is_unseen(recipe, dataset)
        opened_teacher = open_teacher(recipe, dataset, teacher)
    elif not recipe.model.has_function:
        raise DataError(
            "A recipe is trained on images, and this data was given to a model function.",
            expected="a source of images",
            received=dataset.source,
        )
    weights = pretrained.load(recipe.model) if recipe.model.has_backbone else None
    set_seed(seed, deterministic=deterministic)
    if recipe.model.has_function:
        keeps_own = recipe.fit.precision == "auto"
        with networks.translate_build_errors():
            built = build_with(
                recipe.model.function,
                recipe.model.hyperparameters,
                inputs_of(dataset),
                seed=seed,
                policy="" if keeps_own else arithmetic.policy,
            )
        if keeps_own:
            arithmetic = Arithmetic(built.precision, "chosen by the model function")
        return PreparedNetwork(recipe, dataset, seed, arithmetic, built.model, function=built)
    assert isinstance(dataset, Dataset)
    model = networks.build(
        recipe.model, dataset.image_shape, dataset.num_classes, dtype=arithmetic.policy
    )
    if recipe.model.has_backbone:
        weights = weights or pretrained.current(model)  # random weights: those that it has
        pretrained.put(weights, model)
    if recipe.fit.quantize != "none":
        quantization.check(model)
    initial = None
    if recipe.model.initial_weights:
        initial = initial_weights.load(recipe.model.initial_weights, model)
        initial_weights.put(initial, model)
    return PreparedNetwork(
        recipe,
        dataset,
        seed,
        arithmetic,
        model,
        backbone_weights=weights,
        initial_weights=initial,
        teacher=opened_teacher,
    )


def _check_validation_is_unseen(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse weights that were trained on the validation images, which then say nothing."""
    is_seen = recipe.model.initial_weights == CIFAR10_WEIGHTS and dataset.name == "cifar10"
    if is_seen and not dataset.validation_is_seen:
        raise RecipeError(
            "The initial weights cifar10 were trained on the validation images of CIFAR-10.",
            expected="other images, of which the weights know none",
            received="data.source cifar10",
            fix="Use random weights (--set model.initial_weights=), or other images.",
        )
