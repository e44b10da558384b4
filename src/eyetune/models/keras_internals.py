"""The private parts of Keras that eyetune uses, all in one place.

Keras offers no public way to these. A test names the versions of Keras with which this module was
checked: check it again before you add one.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

CHECKED_KERAS_VERSIONS = ("3.15",)


def functional_model(model: Any) -> Any:
    """Return the functional model behind a sequential one, or the model itself if it is functional.

    None for a model whose layers cannot be traced, such as a subclass or one that is not built.
    """
    functional = getattr(model, "_functional", model)
    return functional if hasattr(functional, "_nodes_by_depth") else None


def nodes_in_order(functional: Any) -> Iterator[Any]:
    """Yield the calls of the layers of a functional model, in the order in which Keras runs them.

    Each has `operation`, the layer, with `input_tensors` and `outputs`.

    Args:
        functional: From `functional_model`.
    """
    for depth in sorted(functional._nodes_by_depth, reverse=True):
        for node in functional._nodes_by_depth[depth]:
            if not node.is_input:
                yield node


def output_of_first_call(layer: Any) -> Any:
    """Return what a layer returned when it was first called on symbolic tensors; None if never.

    Unlike `layer.output`, this works for a layer that was called several times.
    """
    nodes = getattr(layer, "_inbound_nodes", [])
    return nodes[0].output_tensors if nodes else None


def learning_rate_of(optimizer: Any) -> Any:
    """Return the learning rate of an optimizer as it was given: a schedule, or a variable."""
    return getattr(optimizer, "_learning_rate", None)


def all_layers(model: keras.Model) -> list[Any]:
    """Return the layers of a model and of the models inside it."""
    return list(model._flatten_layers(include_self=False))


def build_loss_and_metrics(model: keras.Model, batch: Any) -> None:
    """Create the variables of a compiled model's loss and metrics.

    Args:
        model: A built and compiled model.
        batch: What it is trained on, as `keras.KerasTensor` with the shapes and types of a batch:
            inputs, targets and weights, as far as there are any.
    """
    model._symbolic_build(data_batch=batch)


def adam_moments(optimizer: Any, variable: Any) -> tuple[Any, Any]:
    """Return the variables in which Adam keeps the first and second moments of a gradient.

    Args:
        optimizer: A built `keras.optimizers.Adam` or `AdamW`.
        variable: One of the variables that it updates.
    """
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index], optimizer._velocities[index]


def compile_arguments(model: keras.Model) -> dict[str, Any]:
    """Return the arguments with which a model was compiled; none if it was not.

    The public `get_compile_config` returns them serialized, which loses a user's own functions.
    """
    if not model.compiled:
        return {}
    return dict(model._compile_config.config)


def function_arguments(value: Any) -> dict[str, Any]:
    """Return the arguments of the function behind a loss or a metric; none if there is no such.

    The configurations of some classes do not contain them.
    """
    return dict(getattr(value, "_fn_kwargs", {}))


def running_fit(model: keras.Model) -> dict[str, Any]:
    """Return the local variables of the `fit` of a model that is running in this thread.

    A callback gets neither the data nor the other callbacks from Keras. They are here by the names
    of the arguments: x, y, batch_size, validation_data, class_weight. `callbacks` is the
    `CallbackList`. Empty if no such `fit` is running.
    """
    frame = next(_frames_of_fit(inspect.currentframe(), model), None)
    return {} if frame is None else dict(frame.f_locals)


def count_running_fits(model: keras.Model) -> int:
    """Return how many calls of the `fit` of a model are running, in all threads."""
    stacks = sys._current_frames().values()
    return sum(1 for stack in stacks for _ in _frames_of_fit(stack, model))


def _frames_of_fit(frame: FrameType | None, model: keras.Model) -> Iterator[FrameType]:
    """Yield the frames of Keras's own `fit` of a model, from a frame outwards."""
    while frame is not None:
        is_of_keras = str(frame.f_globals.get("__name__")).startswith("keras.")
        if is_of_keras and frame.f_code.co_name == "fit" and frame.f_locals.get("self") is model:
            yield frame
        frame = frame.f_back


def watch_epochs(
    fit: Mapping[str, Any], on_error: Callable[[BaseException], None]
) -> Callable[[], None]:
    """Call a function with whatever ends the training part of an epoch early, Ctrl-C included.

    Args:
        fit: Local variables of a running `fit`, from `running_fit`.
        on_error: Called with the exception, which is raised further.

    Returns:
        A function that ends the watching.
    """
    batches = fit.get("epoch_iterator")
    if batches is None:
        return lambda: None
    original = batches.catch_stop_iteration  # the context of all steps of an epoch

    @contextmanager
    def watched() -> Iterator[None]:
        try:
            with original():
                yield
        except BaseException as error:
            on_error(error)
            raise

    batches.catch_stop_iteration = watched
    return lambda: delattr(batches, "catch_stop_iteration")
