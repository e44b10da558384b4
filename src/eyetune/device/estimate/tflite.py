"""A .tflite file as a graph: what a converted model needs of a board, from its file alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from eyetune.device.estimate.footprint import Footprint, footprint_of_graph
from eyetune.device.estimate.graph import (
    CONVOLUTIONS,
    WITH_WEIGHTS,
    Constant,
    Graph,
    Operator,
    Tensor,
    Window,
)
from eyetune.device.estimate.tflite_checks import check, weights_and_values
from eyetune.device.estimate.tflite_parser import (
    DAMAGE_ERRORS,
    DamagedFileError,
    StoredModel,
    StoredOperator,
    StoredTensor,
    parse,
)
from eyetune.device.estimate.tflite_schema import IDENTIFIER
from eyetune.errors import UsageError
from eyetune.inputs.regular_file import open_file

# The converter gives values that are all 0 the range from -1e-6 to 1e-6, in 255 steps.
_ZERO_SCALE = 1e-8
MAX_FILE_BYTES = 1 << 30  # boards have at most some 10 million bytes of flash


@dataclass(frozen=True)
class Port:
    """The input or output of a model: number = (value - zero_point) * scale.

    Attributes:
        shape: Its shape without the batch.
        dtype: The type of its values, for example "int8".
        scale: The number that one step of a value stands for; 0 if it is not quantized.
        zero_point: The value that stands for 0.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True)
class TfliteModel:
    """The model in a .tflite file.

    Attributes:
        size_bytes: Size of the file in bytes.
        graph: Its operators and tensors.
        operators: Names of its operators in the schema, each once, in the order of first use.
        input: Its input.
        output: Its output.
        parameters: Number of its weights.
        has_zero_sum: Whether the sum of two tensors was 0 for all images of the conversion, for
            which TensorFlow Lite Micro ends the program.
    """

    size_bytes: int
    graph: Graph
    operators: tuple[str, ...]
    input: Port
    output: Port
    parameters: int
    has_zero_sum: bool = False

    @property
    def macs(self) -> int:
        """Multiply-accumulates (MACs) for one image."""
        return self.graph.macs


def read(source: Path | bytes) -> TfliteModel:
    """Read a .tflite file of an int8 model.

    Args:
        source: The path of the file, or its content.

    Raises:
        UsageError: The file is missing, not a .tflite file, damaged, or a model that a board
            cannot use: float, dynamic-range, without fixed shapes, with several subgraphs or with
            custom operators.

    Example:
        >>> read(b"something else")
        Traceback (most recent call last):
        ...
        eyetune.errors.UsageError: This is not a .tflite file.
          expected: a TensorFlow Lite model, with TFL3 at bytes 4 to 7
          received: 14 bytes without it
          fix:      Make one with eyetune export.
    """
    if isinstance(source, bytes):
        content, origin = source, f"{len(source):,} bytes"
    else:
        content, origin = _content(Path(source)), str(source)
    if content[4:8] != IDENTIFIER:
        raise UsageError(
            "This is not a .tflite file.",
            expected="a TensorFlow Lite model, with TFL3 at bytes 4 to 7",
            received=f"{origin} without it" if content else f"{origin}: an empty file",
            fix="Make one with eyetune export.",
        )
    try:
        stored = parse(content, origin)
        check(stored, origin)
        return _model(stored, len(content))
    except UsageError:  # a ValueError, like many signs of damage
        raise
    except DAMAGE_ERRORS as error:
        is_explained = isinstance(error, DamagedFileError)
        reason = str(error) if is_explained else f"{type(error).__name__} while reading it"
        raise UsageError(
            "The .tflite file is damaged.",
            expected="a complete TensorFlow Lite model",
            received=f"{origin}: {reason}",
            fix="Copy or convert it again.",
        ) from None


def footprint_of(model: TfliteModel) -> Footprint:
    """Return what a model needs of a board; the size of its file is exact, its arena is planned."""
    needs = footprint_of_graph(model.graph, model.size_bytes, model.parameters)
    return replace(needs, file_is_exact=True)


def _content(path: Path) -> bytes:
    try:
        with open_file(path.expanduser()) as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # a path with a NUL character is a ValueError
        raise UsageError(
            "Cannot read the .tflite file.",
            received=f"{path}: {getattr(error, 'strerror', None) or error}",
            fix="Name an existing file that you may read.",
        ) from None
    if len(content) > MAX_FILE_BYTES:
        raise UsageError(
            "The .tflite file is too large.",
            expected=f"at most {MAX_FILE_BYTES:,} bytes; boards have some million bytes of flash",
            received=path,
            fix="Convert a smaller network.",
        )
    return content


def _model(stored: StoredModel, size_bytes: int) -> TfliteModel:
    """Return the model that a file contains."""
    tensors = stored.tensors
    names = _layer_names(stored)
    operators = [
        _operator(operator, tensors, name)
        for operator, name in zip(stored.operators, names, strict=True)
    ]
    graph = Graph(
        tensors=tuple(
            Tensor(_without_batch(tensor.shape), tensor.element_bytes) for tensor in tensors
        ),
        operators=tuple(operators),
        inputs=stored.inputs,
        outputs=stored.outputs,
        offsets=stored.offsets,
    )
    return TfliteModel(
        size_bytes=size_bytes,
        graph=graph,
        operators=tuple(dict.fromkeys(operator.kind for operator in stored.operators)),
        input=_port(tensors[stored.inputs[0]]),
        output=_port(tensors[stored.outputs[0]]),
        parameters=_num_parameters(stored),
        has_zero_sum=any(
            operator.kind == "ADD" and 0 < tensors[operator.outputs[0]].scale < _ZERO_SCALE
            for operator in stored.operators
        ),
    )


def _num_parameters(stored: StoredModel) -> int:
    """Return the number of weights and biases; those that are used several times count once.

    Other constants, such as shapes, are not quantized, and nor are the biases of a compact file.
    """
    indices: dict[int, None] = {}
    for operator in stored.operators:
        for position, index in enumerate(operator.present_inputs):
            tensor = stored.tensors[index]
            # The first input of an operator with weights is its values, or the shape of its output.
            is_weight = operator.kind in WITH_WEIGHTS and position > 0
            if tensor.is_constant and (tensor.num_scales or is_weight):
                indices[index] = None
    return sum(math.prod(stored.tensors[index].shape) for index in indices)


def _operator(stored: StoredOperator, tensors: tuple[StoredTensor, ...], layer: str) -> Operator:
    constants = []
    inputs = []
    for index in stored.present_inputs:
        tensor = tensors[index]
        if tensor.constant_bytes is None:
            inputs.append(index)
        else:
            constants.append(Constant(tensor.constant_bytes, tensor.num_scales))
    output = tensors[stored.outputs[0]]
    is_transposed = stored.kind == "TRANSPOSE_CONV"
    return Operator(
        kind=stored.kind,
        layers=(layer,),
        inputs=tuple(inputs),
        output=stored.outputs[0],
        constants=tuple(constants),
        channels=_num_channels(stored, tensors),
        macs=_macs(stored, tensors, inputs),
        scratch_bytes=4 * math.prod(output.shape) if is_transposed else 0,  # it adds up in int32
        more_outputs=stored.outputs[1:],
        window=_window(stored, tensors),
    )


def _window(stored: StoredOperator, tensors: tuple[StoredTensor, ...]) -> Window | None:
    pair = weights_and_values(stored, tensors)
    if pair is None or stored.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return None
    _, height, width, _ = pair[0].shape
    return Window((height, width), stored.strides, stored.dilation)


def _num_channels(stored: StoredOperator, tensors: tuple[StoredTensor, ...]) -> int:
    """Return the number of separately quantized output channels.

    A dense layer has them only if it has a scale for each output.
    """
    pair = weights_and_values(stored, tensors)
    output = tensors[stored.outputs[0]]
    if pair is None or not output.shape:
        return 0
    weights, _ = pair
    if stored.kind in CONVOLUTIONS or weights.num_scales > 1:
        return output.shape[-1]
    return 0


def _macs(stored: StoredOperator, tensors: tuple[StoredTensor, ...], inputs: list[int]) -> int:
    """Return the multiply-accumulates: each weight is used once at each position of the output."""
    if stored.kind == "BATCH_MATMUL":
        # Both operands may be computed, as in attention: each output is a sum along a row of the
        # first one, or along a column if that is transposed.
        output, first = (tensors[index].shape for index in (stored.outputs[0], stored.inputs[0]))
        inner = first[-1] if first[-2:-1] == output[-2:-1] else first[-2]
        return math.prod(output) * inner
    pair = weights_and_values(stored, tensors)
    if pair is None or not inputs:
        return 0
    weights, _ = pair
    # A transposed convolution uses its weights at each position of its input.
    positions = inputs[0] if stored.kind == "TRANSPOSE_CONV" else stored.outputs[0]
    return math.prod(tensors[positions].shape[:-1]) * math.prod(weights.shape)


def _port(tensor: StoredTensor) -> Port:
    shape = _without_batch(tensor.shape)
    return Port(shape, tensor.kind.lower(), tensor.scale, tensor.zero_point)


def _without_batch(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if shape[:1] == (1,) else shape


def _layer_names(stored: StoredModel) -> list[str]:
    """Return the layer of each operator, from the name of its output.

    The converter's names are model/layer/operation;... A prefix that all names share is left out.
    An operator whose output has no such name, as in a compact file, is called by its kind and
    position.
    """
    names = [stored.tensors[operator.outputs[0]].name for operator in stored.operators]
    paths = [name.split(";", maxsplit=1)[0].split("/")[:-1] for name in names]
    parents = [path[:-1] for path in paths if path]
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*parents, strict=False))
    num_shared = len(tuple(shared))
    layers = []
    for position, (operator, path) in enumerate(zip(stored.operators, paths, strict=True)):
        own_path = "/".join(path[num_shared:])
        layers.append(own_path or f"{operator.kind.lower()}_{position}")
    return layers
