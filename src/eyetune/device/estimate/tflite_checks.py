"""Checks that a .tflite model is an int8 model for one image at a time, as a board needs."""

from __future__ import annotations

import math

from eyetune.device.estimate.arena import ALIGNMENT, aligned
from eyetune.device.estimate.graph import CONVOLUTIONS, WITH_WEIGHTS
from eyetune.device.estimate.tflite_parser import (
    DamagedFileError,
    StoredModel,
    StoredOperator,
    StoredTensor,
)
from eyetune.errors import UsageError

_FLOATS = frozenset({"FLOAT32", "FLOAT16", "BFLOAT16", "FLOAT64"})


def check(model: StoredModel, origin: str) -> None:
    """Refuse a model that a board cannot use.

    Args:
        model: The model.
        origin: The file in error messages.

    Raises:
        UsageError: Its shapes are not fixed to one image, or it does not compute in int8 or int16.
        DamagedFileError: Its tensors are not written before they are read, or have wrong shapes.
    """
    _check_shapes(model, origin)
    _check_order(model)
    _check_offsets(model)
    _check_convolutions(model)
    weighted = _weighted(model)
    _check_not_dynamic_range(weighted, origin)
    _check_not_float(model, weighted, origin)
    _check_integers(weighted, origin)


def weights_and_values(
    operator: StoredOperator, tensors: tuple[StoredTensor, ...]
) -> tuple[StoredTensor, StoredTensor] | None:
    """Return an operator's weights and the tensor that they apply to; None if it has neither.

    A transposed convolution reads the shape of its output first.
    """
    inputs = [tensors[index] for index in operator.present_inputs]
    if operator.kind not in WITH_WEIGHTS or len(inputs) < 2:
        return None
    if operator.kind == "TRANSPOSE_CONV" and len(inputs) > 2:
        return inputs[1], inputs[2]
    return inputs[1], inputs[0]


def _check_shapes(model: StoredModel, origin: str) -> None:
    written = [index for operator in model.operators for index in operator.outputs]
    indices = dict.fromkeys([*model.inputs, *model.outputs, *written])
    unknown = [model.tensors[index] for index in indices if model.tensors[index].has_unknown_size]
    batches = [model.tensors[index].shape[:1] for index in model.inputs]
    if not unknown and all(batch in ((1,), ()) for batch in batches):
        return
    tensor = unknown[0] if unknown else model.tensors[model.inputs[0]]
    raise UsageError(
        "The shapes in the .tflite model are not fixed to one image.",
        expected="a batch of 1 and known sizes, since a board's memory is planned in advance",
        received=f"{origin}: {tensor.name} has the shape {list(tensor.shape)}",
        fix="Convert the network with a batch of 1, as eyetune export does.",
    )


def _check_order(model: StoredModel) -> None:
    """Check that every tensor is written once, before it is read."""
    written = set(model.inputs)
    for operator in model.operators:
        for index in operator.present_inputs:
            tensor = model.tensors[index]
            if index not in written and not tensor.is_constant and not tensor.is_variable:
                raise DamagedFileError("a tensor is read before it is written")
        if written & set(operator.outputs):
            raise DamagedFileError("a tensor is written twice")
        written |= set(operator.outputs)
    if not set(model.outputs) <= written:
        raise DamagedFileError("an output of the model is never written")


def _check_offsets(model: StoredModel) -> None:
    """Check that the memory plan needs no more memory than all tensors do side by side.

    An interpreter trusts the plan, so it would write anywhere.
    """
    written = [index for operator in model.operators for index in operator.outputs]
    sizes = {
        index: aligned(math.prod(model.tensors[index].shape) * model.tensors[index].element_bytes)
        for index in (*model.inputs, *written)
    }
    total = sum(sizes.values())
    for index, offset in enumerate(model.offsets):
        if offset is not None and (
            index not in sizes or offset % ALIGNMENT or offset + sizes[index] > total
        ):
            raise DamagedFileError("the memory plan places a tensor where none can be")


def _check_convolutions(model: StoredModel) -> None:
    """Check that convolutions work on images, that is, on four dimensions."""
    for operator in model.operators:
        if operator.kind not in CONVOLUTIONS:
            continue
        pair = weights_and_values(operator, model.tensors)
        if pair is None:
            raise DamagedFileError("a convolution has no weights")
        for tensor in (*pair, model.tensors[operator.outputs[0]]):
            if len(tensor.shape) != 4 or min(tensor.shape) < 1:
                raise DamagedFileError("a convolution has a tensor that is not an image")


def _weighted(model: StoredModel) -> list[tuple[StoredTensor, StoredTensor]]:
    """Return the weights and the values of all operators with weights."""
    pairs = [weights_and_values(operator, model.tensors) for operator in model.operators]
    return [pair for pair in pairs if pair is not None]


def _check_not_dynamic_range(
    weighted: list[tuple[StoredTensor, StoredTensor]], origin: str
) -> None:
    for weights, values in weighted:
        if weights.kind == "INT8" and values.kind in _FLOATS:
            raise UsageError(
                "Only the weights of the .tflite model are int8, "
                "which TensorFlow Lite Micro cannot run.",
                expected="a full-integer model: weights and values between layers are int8",
                received=f"{origin}: {values.name} is {values.kind.lower()} "
                "(a dynamic-range model)",
                fix="Convert it with a representative dataset, as eyetune export does.",
            )


def _check_not_float(
    model: StoredModel, weighted: list[tuple[StoredTensor, StoredTensor]], origin: str
) -> None:
    written = [index for operator in model.operators for index in operator.outputs]
    tensors = [model.tensors[index] for index in (model.inputs[0], *written)]
    not_integer = _first_not_integer(weighted)
    has_float_weights = not_integer is not None and not_integer.kind in _FLOATS
    has_only_floats = all(tensor.kind in _FLOATS for tensor in tensors)
    if not has_float_weights and not has_only_floats:
        return
    tensor = not_integer or tensors[0]
    raise UsageError(
        "The .tflite model is a float model; a board needs int8.",
        expected="a full-integer int8 model",
        received=f"{origin}: {tensor.name} is {tensor.kind.lower()}",
        fix="Name the run or the .keras file that it comes from instead: eyetune converts it.",
    )


def _check_integers(weighted: list[tuple[StoredTensor, StoredTensor]], origin: str) -> None:
    tensor = _first_not_integer(weighted)
    if tensor is not None:
        raise UsageError(
            "The .tflite model computes in a type that TensorFlow Lite Micro does not support.",
            expected="int8, or int16 with weights in int8",
            received=f"{origin}: {tensor.name} is {tensor.kind.lower()}",
            fix="Convert the network again, as eyetune export does.",
        )


def _first_not_integer(weighted: list[tuple[StoredTensor, StoredTensor]]) -> StoredTensor | None:
    """Return the first tensor with weights applied to it that is neither int8 nor int16."""
    for _, values in weighted:
        if values.kind not in ("INT8", "INT16"):
            return values
    return None
