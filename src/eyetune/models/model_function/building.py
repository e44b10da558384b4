"""Networks of a model function: built with given hyperparameters and checked before any training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from eyetune.models.model_function.checking import Fit, check
from eyetune.models.model_function.discovery import space_of
from eyetune.models.model_function.source import Loaded, load
from eyetune.models.model_function.tracebacks import failed
from eyetune.recipe import ModelSection
from eyetune.space.space import Space, Value, Values

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Built:
    """A network of a model function, ready for training.

    Attributes:
        model: As the function returned it, built and compiled.
        hyperparameters: The `keras_tuner.HyperParameters` that it was built with; training may add
            to them.
        fit: What it takes and measures.
        image_shape: Of the images that it is for: height and width in pixels, and channels.
        loaded: The function.
    """

    model: keras.Model
    hyperparameters: Any
    fit: Fit
    image_shape: tuple[int, int, int]
    loaded: Loaded

    @property
    def values(self) -> dict[str, Value]:
        """All hyperparameters that count, of those that the function used so far."""
        hyperparameters = self.hyperparameters
        used = dict.fromkeys(
            one.name for one in hyperparameters.space if hyperparameters.is_active(one)
        )
        return {name: hyperparameters.values[name] for name in used}

    @property
    def space(self) -> Space:
        """Those that the function used so far, with what they may be."""
        return space_of(self.hyperparameters)

    @property
    def precision(self) -> Literal["float32", "bfloat16"]:
        """The arithmetic that it is trained in, which the user's dtype policy decides."""
        return (
            "bfloat16"
            if any(layer.compute_dtype == "bfloat16" for layer in self.model.layers)
            else "float32"
        )

    @property
    def classifier(self) -> keras.Model:
        """The network from images to probabilities in float32: itself, where that is what it is
        already.
        """
        return _classifier(self.model, self.fit, self.image_shape)


def build_with(
    word: str,
    values: Values,
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    seed: int | None = None,
) -> Built:
    """Build a network of a model function, and check that it can be trained on such images.

    The function gets a real `keras_tuner.HyperParameters`: those that are not among the values have
    their defaults, those in a conditional scope that does not hold are None.

    Args:
        word: Of `model.function` in a recipe.
        values: Of hyperparameters, by name.
        image_shape: Height and width in pixels, and channels.
        num_classes: Number of outputs, at least 2.
        seed: Of its first weights (None: whatever they were to be).

    Raises:
        FunctionError: The function cannot be loaded or raised an exception, or returned what cannot
            be trained.

    Source: https://keras.io/keras_tuner/api/hyperparameters/
    """
    import keras
    import keras_tuner

    loaded = load(word)
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.values = dict(values)
    keras.utils.clear_session(free_memory=False)  # layers are named by how many there were before
    if seed is not None:
        keras.utils.set_random_seed(seed)
    with _policy(loaded.policy):
        try:
            loaded.hypermodel.declare_hyperparameters(hyperparameters)
            model = loaded.hypermodel.build(hyperparameters)
        except Exception as error:
            raise failed(f"The model function raised an exception{_with(values)}.", error) from None
        fit = check(model, image_shape, num_classes)
    return Built(model, hyperparameters, fit, image_shape, loaded)


def build(
    section: ModelSection, image_shape: tuple[int, int, int], num_classes: int
) -> keras.Model:
    """Build the network of a recipe's model function, as it is evaluated: from images to
    probabilities.
    """
    return build_with(
        section.function, section.hyperparameters, image_shape, num_classes
    ).classifier


def _with(values: Mapping[str, Value]) -> str:
    return (
        f" with {', '.join(f'{name}={value}' for name, value in values.items())}" if values else ""
    )


@contextmanager
def _policy(name: str) -> Iterator[None]:
    """Let the dtype policy that the user's file or function sets end with the function."""
    import keras

    before = keras.config.dtype_policy()
    if name:
        keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _classifier(model: keras.Model, fit: Fit, image_shape: tuple[int, int, int]) -> keras.Model:
    import keras

    network = _in_float32(model)
    is_plain = fit.has_channels and not fit.gives_logits and hasattr(network, "inputs")
    if is_plain:
        return network
    images = keras.Input(image_shape)
    outputs = network(images if fit.has_channels else keras.layers.Reshape(image_shape[:2])(images))
    if fit.gives_logits:
        outputs = keras.layers.Softmax(dtype="float32")(outputs)
    return keras.Model(images, outputs, name=network.name)


def _in_float32(model: keras.Model) -> keras.Model:
    """Return a network of mixed precision with float32 arithmetic, as it is evaluated and as a
    board gets it.
    """
    import keras

    if all(layer.compute_dtype == "float32" for layer in model.layers) or not hasattr(
        model, "inputs"
    ):
        return model

    def unmixed(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=unmixed)
    copy.set_weights(model.get_weights())
    return copy
