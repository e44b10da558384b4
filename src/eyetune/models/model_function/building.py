"""Build a network with a model function and given hyperparameters, and check it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from eyetune.errors import FunctionError
from eyetune.models.model_function.checking import Fit, ImageInputs, Inputs, check
from eyetune.models.model_function.discovery import space_of
from eyetune.models.model_function.loading import Loaded, load
from eyetune.models.model_function.tracebacks import failed
from eyetune.recipe import ModelSection
from eyetune.space.hyperparameters import Value, Values
from eyetune.space.space import Space

if TYPE_CHECKING:
    import keras


MIXED_POLICY = "mixed_bfloat16"


@dataclass(frozen=True)
class Built:
    """A network that a model function built, ready to be trained.

    Attributes:
        model: The function's network, built and compiled.
        hyperparameters: The `keras_tuner.HyperParameters` that it was built with. Training may add
            more.
        fit: The form of its inputs, targets and metrics.
        inputs: What it is trained on.
        loaded: The function.
    """

    model: keras.Model
    hyperparameters: Any
    fit: Fit
    inputs: Inputs
    loaded: Loaded

    @property
    def values(self) -> dict[str, Value]:
        """Values of the active hyperparameters that the function used so far."""
        names = [
            hyperparameter.name
            for hyperparameter in self.hyperparameters.space
            if self.hyperparameters.is_active(hyperparameter)
        ]
        return {name: self.hyperparameters.values[name] for name in dict.fromkeys(names)}

    @property
    def space(self) -> Space:
        """Ranges of the hyperparameters that the function used so far."""
        return space_of(self.hyperparameters)

    @property
    def has_own_training(self) -> bool:
        """Whether the user's code trains in its own way, and may measure other metrics."""
        return self.loaded.has_own_fit or self.fit.has_own_step

    @property
    def precision(self) -> Literal["float32", "bfloat16"]:
        """Precision of its arithmetic, which the dtype policy determines."""
        if any(layer.compute_dtype == "bfloat16" for layer in self.model.layers):
            return "bfloat16"
        return "float32"

    @property
    def classifier(self) -> keras.Model:
        """The network in float32: from images to probabilities if it is trained on images."""
        network = _in_float32(self.model)
        if not isinstance(self.inputs, ImageInputs):
            return network
        return _from_images(network, self.inputs.image_shape, self.fit)


def build_with(
    function: str,
    values: Values,
    inputs: Inputs,
    *,
    seed: int | None = None,
    policy: str = "",
) -> Built:
    """Build a network with a model function, and check that it can be trained on its inputs.

    The function gets a `keras_tuner.HyperParameters`. Hyperparameters without a given value have
    their defaults; those in an inactive conditional scope are None.

    With a given dtype policy, the outputs are float32 all the same: probabilities of 8 bits would
    make the loss and its gradient of a confident network 0.

    Args:
        function: `model.function` of a recipe.
        values: Values of hyperparameters, by name.
        inputs: What it is trained on.
        seed: Random seed of the initial weights (None: the global generators are used as they are).
        policy: Keras dtype policy while the function builds, for example "mixed_bfloat16". Default:
            the policy that the user's file sets, or Keras's current one.

    Raises:
        FunctionError: The function cannot be loaded, raised an exception, or returned a network
            that cannot be trained. Or it chooses its own dtype policy although one is given.

    Source: https://keras.io/keras_tuner/api/hyperparameters/,
        https://keras.io/api/mixed_precision/policy/
    """
    import keras
    import keras_tuner

    loaded = load(function)
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.values = dict(values)
    keras.utils.clear_session(free_memory=False)  # restarts the numbers in the names of layers
    if seed is not None:
        keras.utils.set_random_seed(seed)
    with _policy(policy or loaded.policy):
        try:
            loaded.hypermodel.declare_hyperparameters(hyperparameters)
            model = loaded.hypermodel.build(hyperparameters)
        except Exception as error:
            raise failed(
                f"The model function raised an exception{_with_values(values)}.", error
            ) from None
        if policy == MIXED_POLICY:
            _make_outputs_float32(model)
        fit = check(model, inputs)
    built = Built(model, hyperparameters, fit, inputs, loaded)
    if policy:
        _check_policy(built, policy)
    return built


def build(
    section: ModelSection, image_shape: tuple[int, int, int], num_classes: int
) -> keras.Model:
    """Build the network of a recipe's model function, from images to probabilities."""
    inputs = ImageInputs(image_shape, num_classes)
    return build_with(section.function, section.hyperparameters, inputs).classifier


def _with_values(values: Mapping[str, Value]) -> str:
    listed = ", ".join(f"{name}={value}" for name, value in values.items())
    return f" with {listed}" if listed else ""


@contextmanager
def _policy(name: str) -> Iterator[None]:
    """Set the dtype policy of the user's file, and restore the current one afterwards."""
    import keras

    before = keras.config.dtype_policy()
    if name:
        keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _make_outputs_float32(model: Any) -> None:
    """Let the last layer compute in float32. Its weights are float32 in any case.

    Which layer of a user's own class is the last one is unknown.
    """
    import keras

    layer = model
    while isinstance(layer, keras.Sequential) or hasattr(layer, "inputs"):
        if not layer.layers:
            return
        layer = layer.layers[-1]
    if isinstance(layer, keras.layers.Layer) and not isinstance(layer, keras.Model):
        layer.dtype_policy = "float32"


def _check_policy(built: Built, policy: str) -> None:
    """Check that a network has the arithmetic of the dtype policy that was set for it."""
    if (built.precision == "bfloat16") != (policy == MIXED_POLICY):
        raise FunctionError(
            "The model function chooses its own dtype policy, so fit.precision has no effect.",
            expected=f"layers that follow Keras's dtype policy, {policy}",
            received=f"layers that compute in {built.precision}",
            fix="Leave fit.precision out, or remove the dtype policy from the model function.",
        )
    if built.fit.output_dtype == "bfloat16" and not built.fit.gives_logits:
        raise FunctionError(
            "The probabilities of the model function's network would be bfloat16 numbers, which "
            "are too coarse for a loss.",
            expected="float32 outputs",
            received=built.fit.output_dtype,
            fix=(
                "Give the layer that computes them a type: Dense(..., activation='softmax', "
                "dtype='float32'). Or leave fit.precision out."
            ),
        )


def _from_images(network: keras.Model, image_shape: tuple[int, int, int], fit: Fit) -> keras.Model:
    """Return a network as a model from images to probabilities: itself, if it is one."""
    import keras

    if fit.has_channels and not fit.gives_logits and hasattr(network, "inputs"):
        return network
    images = keras.Input(image_shape)
    outputs = network(images if fit.has_channels else keras.layers.Reshape(image_shape[:2])(images))
    if fit.gives_logits:
        outputs = keras.layers.Softmax(dtype="float32")(outputs)
    return keras.Model(images, outputs, name=network.name)


def _in_float32(model: keras.Model) -> keras.Model:
    """Return a mixed-precision network with float32 arithmetic, for evaluation and for boards."""
    import keras

    is_float32 = all(layer.compute_dtype == "float32" for layer in model.layers)
    if is_float32 or not hasattr(model, "inputs"):
        return model

    def clone_in_float32(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=clone_in_float32, recursive=True)
    copy.set_weights(model.get_weights())
    return copy
