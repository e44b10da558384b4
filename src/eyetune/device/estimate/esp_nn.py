"""The scratch memory of ESP-NN's kernels on the ESP32-S3, by the library's own formulas.

ESP-NN (https://github.com/espressif/esp-nn) replaces TensorFlow Lite Micro's kernels on Espressif's
chips. On the ESP32-S3 its kernels copy weights and inputs into scratch memory, which they request
from the tensor arena. The formulas are those of `esp_nn_get_conv_scratch_size_esp32s3`,
`esp_nn_get_depthwise_conv_scratch_size_esp32s3`, `esp_nn_get_softmax_scratch_size_esp32s3` and
`esp_nn_get_hard_swish_scratch_size_esp32s3`. esp-tflite-micro calls them without the dilation, so
dilated layers request scratch memory, too, although reference kernels compute them.

The formulas change from version to version. Two sets are known here:

    1.2.3   the version in Arduino's core 3.3.11
    1.4     the version that the ESP-IDF project of an export asks for. Between 1.3.2 and 1.5.0 the
            library changed two of its rules; where they differ, the larger size counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from eyetune.device.boards.profiles import EspNnVersion
from eyetune.device.estimate.arena import head_bytes
from eyetune.device.estimate.graph import Graph, Operator

_KIBIBYTE = 1024
_GROUP = 16  # bytes that a vector instruction processes
_FEW_POSITIONS = 8  # fewer outputs of a 1x1 convolution are computed without transposing
_PANEL_WEIGHTS = 24 * _KIBIBYTE  # more weights than this are processed in panels
_PANEL_BYTES = 16 * _KIBIBYTE + 64
_STAGED_POSITIONS = 16  # outputs of a 3x3 convolution for which windows are staged at once
_MAX_DEPTHWISE_INPUT = 40 * _KIBIBYTE  # a larger padded input is processed in strips
_MAX_DEPTHWISE_WIDE = 48 * _KIBIBYTE  # larger inputs and weights of 16 bits, too


@dataclass(frozen=True)
class _Convolution:
    """Sizes of a convolution: of its input, output and weights."""

    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    out_channels: int
    window_height: int
    window_width: int
    stride_y: int
    stride_x: int
    dilation_y: int
    dilation_x: int

    @property
    def top(self) -> int:
        """Pixels of padding above the input, as TensorFlow Lite Micro computes them."""
        return _leading(
            self.height, self.out_height, self.window_height, self.stride_y, self.dilation_y
        )

    @property
    def left(self) -> int:
        """Pixels of padding to the left of the input."""
        return _leading(
            self.width, self.out_width, self.window_width, self.stride_x, self.dilation_x
        )

    @property
    def bottom(self) -> int:
        """Pixels of padding below the input, without regard to the dilation."""
        end = (self.out_height - 1) * self.stride_y + self.window_height
        return max(0, end - self.top - self.height)

    @property
    def right(self) -> int:
        """Pixels of padding to the right of the input, without regard to the dilation."""
        end = (self.out_width - 1) * self.stride_x + self.window_width
        return max(0, end - self.left - self.width)

    @property
    def overhang(self) -> tuple[int, int]:
        """Rows and columns beyond the input that kernels may read, as ESP-NN bounds them."""
        rows = self.out_height * self.stride_y + self.window_height - 1 - self.height
        columns = self.out_width * self.stride_x + self.window_width - 1 - self.width
        return rows, columns

    @property
    def window(self) -> int:
        """Number of weights of one output channel and one input channel."""
        return self.window_height * self.window_width

    @property
    def is_pointwise(self) -> bool:
        """Whether it is a 1x1 convolution with stride 1 and without padding."""
        is_single = self.window == 1 and (self.stride_y, self.stride_x) == (1, 1)
        return is_single and not self.top and not self.left

    @property
    def is_3x3(self) -> bool:
        """Whether its window has 3x3 pixels."""
        return (self.window_height, self.window_width) == (3, 3)

    def padded_input(self, rows: int, columns: int) -> int:
        """Return the bytes of the input with more rows and columns, or fewer."""
        return max(0, self.height + rows) * max(0, self.width + columns) * self.channels


def _leading(size: int, out_size: int, window: int, stride: int, dilation: int) -> int:
    extent = (window - 1) * dilation + 1
    return max(0, (out_size - 1) * stride + extent - size) // 2


@lru_cache(maxsize=16)  # the arena, the advice and the bottleneck of a network ask for the same
def with_scratch(graph: Graph, versions: tuple[EspNnVersion, ...]) -> Graph:
    """Return a graph whose operators have the scratch memory that ESP-NN requests for them.

    Args:
        graph: The int8 model.
        versions: Versions of ESP-NN; the one with the largest arena counts. Without any, the graph
            is returned unchanged.

    Example:
        >>> from eyetune.device.estimate.graph import Constant, Tensor, Window
        >>> step = Operator(
        ...     "CONV_2D", ("a",), (0,), 1, (Constant(4096),), window=Window((1, 1))
        ... )
        >>> graph = Graph((Tensor((8, 8, 64)), Tensor((8, 8, 64))), (step,), (0,), (1,))
        >>> with_scratch(graph, ("1.2.3",)).operators[0].scratch_bytes
        5152
        >>> with_scratch(graph, ("1.4",)).operators[0].scratch_bytes
        2112
    """
    graphs = [_with_scratch_of(graph, version) for version in versions]
    return max(graphs, key=head_bytes, default=graph)


def _with_scratch_of(graph: Graph, version: EspNnVersion) -> Graph:
    operators = []
    for operator in graph.operators:
        scratch_bytes = operator.scratch_bytes + _scratch_bytes(graph, operator, version)
        operators.append(replace(operator, scratch_bytes=scratch_bytes))
    return replace(graph, operators=tuple(operators))


def _scratch_bytes(graph: Graph, operator: Operator, version: EspNnVersion) -> int:
    """Return the bytes that an operator requests; 0 if ESP-NN has no kernel for it."""
    if not operator.inputs or graph.tensors[operator.inputs[0]].element_bytes != 1:
        return 0
    shape = graph.tensors[operator.inputs[0]].shape
    if operator.kind == "SOFTMAX":
        return _softmax_bytes(shape, version)
    if operator.kind == "HARD_SWISH":
        return 0 if version == "1.2.3" else 512
    formulas = _FORMULAS.get(operator.kind)
    sizes = _sizes(graph, operator)
    return formulas[version](sizes) if formulas and sizes else 0


def _sizes(graph: Graph, operator: Operator) -> _Convolution | None:
    window = operator.window
    in_shape = graph.tensors[operator.inputs[0]].shape
    out_shape = graph.tensors[operator.output].shape
    if window is None or len(in_shape) != 3 or len(out_shape) != 3 or not math.prod(in_shape):
        return None
    return _Convolution(*in_shape, *out_shape, *window.size, *window.strides, *window.dilation)


def _softmax_bytes(shape: tuple[int, ...], version: EspNnVersion) -> int:
    if version == "1.2.3":
        return 4 * (shape[0] if shape else 1)
    return 2 * 256 * 4 + 16  # two tables of exponentials


# Convolutions


def _convolution_1_2_3(sizes: _Convolution) -> int:
    margin = 32
    weights = sizes.window * sizes.channels * sizes.out_channels
    if sizes.is_pointwise:
        channels = _rounded(sizes.channels, 8)
        is_padded = channels != sizes.channels
        copied_input = sizes.height * sizes.width * channels if is_padded else 0
        copied_weights = channels * sizes.out_channels
        return copied_input + copied_weights + _transposed(sizes) + margin
    if _is_flattened(sizes):
        return _flattened(sizes) + margin
    padded_input = 0
    if sizes.top or sizes.left:
        padded_input = sizes.padded_input(2 * sizes.top, 2 * sizes.left)
    rows, columns = sizes.overhang
    extended_input = 0
    if rows > 0 or columns > 0:
        extended_input = sizes.padded_input(max(0, rows), max(0, columns))
    wide_weights = weights // sizes.channels * _rounded(sizes.channels)
    copies = padded_input + extended_input + wide_weights + _padded_rows(sizes)
    return copies + margin + 4 * sizes.out_channels


def _convolution_1_4(sizes: _Convolution) -> int:
    if sizes.is_3x3 and sizes.channels % _GROUP == 0 and sizes.out_channels >= _GROUP:
        return _convolution_3x3(sizes) + _dilated(sizes)
    margin = 64
    weights = sizes.window * sizes.channels * sizes.out_channels
    if sizes.is_pointwise:
        batched = 24 * sizes.channels + 8 * sizes.out_channels + margin
        in_panels = 24 * sizes.channels + _PANEL_BYTES if weights > _PANEL_WEIGHTS else 0
        return max(_transposed(sizes) + margin, batched, in_panels)
    if _is_flattened(sizes):
        return _flattened(sizes) + margin + _dilated(sizes)
    padded_input = 0
    if sizes.top or sizes.left or sizes.bottom or sizes.right:
        padded_input = sizes.padded_input(sizes.top + sizes.bottom, sizes.left + sizes.right)
    copied_weights = max(_padded_rows(sizes), weights)
    copies = padded_input + copied_weights + margin + 4 * sizes.out_channels
    return copies + _dilated(sizes)


def _convolution_3x3(sizes: _Convolution) -> int:
    """Return the scratch memory of the kernel for 3x3 windows and groups of channels."""
    window = 9 * sizes.channels
    margin = 32
    weights = window * sizes.out_channels
    one_by_one = window + weights + 4 * sizes.out_channels + margin
    staged = _STAGED_POSITIONS * window + 24 * window + _PANEL_BYTES + margin
    # The two rules of versions 1.3.2 to 1.5.0 for what is staged.
    by_weights = staged if weights > _PANEL_WEIGHTS else one_by_one
    is_large = sizes.out_height * sizes.out_width >= _STAGED_POSITIONS
    by_positions = staged if is_large else one_by_one
    return max(by_weights, by_positions)


def _dilated(sizes: _Convolution) -> int:
    """Return the memory in which esp-tflite-micro splits a dilated 3x3 convolution into others."""
    dilation = sizes.dilation_y
    is_plain = dilation == sizes.dilation_x == 1
    is_even = dilation == sizes.dilation_x and (sizes.stride_y, sizes.stride_x) == (1, 1)
    if is_plain or not is_even or not sizes.is_3x3:
        return 0
    if sizes.height % dilation or sizes.width % dilation:
        return 0
    positions = sizes.height // dilation * (sizes.width // dilation)
    return positions * (sizes.channels + sizes.out_channels)


def _transposed(sizes: _Convolution) -> int:
    """Return the bytes in which a 1x1 convolution transposes eight positions."""
    if sizes.height * sizes.width < _FEW_POSITIONS:
        return 0
    return 2 * 8 * _rounded(sizes.channels, 8)


def _is_flattened(sizes: _Convolution) -> bool:
    """Return whether whole windows are vectors, since their rows are shorter than one."""
    row = sizes.window_width * sizes.channels
    return row < _GROUP <= sizes.window * sizes.channels


def _flattened(sizes: _Convolution) -> int:
    window = _rounded(sizes.window * sizes.channels)
    return 4 * sizes.out_channels + 16 + sizes.out_channels * window + 16 + window


def _padded_rows(sizes: _Convolution) -> int:
    """Return the bytes of the weights with each row padded to whole vectors."""
    row = _rounded(sizes.window_width * sizes.channels)
    return row * sizes.window_height * sizes.out_channels


# Depthwise convolutions


def _depthwise_1_2_3(sizes: _Convolution) -> int:
    if not _is_grouped_3x3(sizes):
        return _other_depthwise(sizes, rescaling_bytes=0)
    rows, columns = _even_padding(sizes)
    weights = 9 * sizes.channels
    if not rows and not columns:
        return weights + 16
    whole = sizes.padded_input(rows, columns)
    strip = (sizes.width + columns) * 3 * sizes.channels
    return weights + (whole if whole <= _MAX_DEPTHWISE_INPUT else strip) + 16


def _depthwise_1_4(sizes: _Convolution) -> int:
    is_column = sizes.width == sizes.window_width == sizes.out_width == sizes.stride_x == 1
    is_single = sizes.channels == sizes.out_channels
    if is_single and is_column and not sizes.left and sizes.channels % _GROUP == 0:
        return 4 * sizes.channels + 2 * sizes.window_height * sizes.channels + 64
    rescaling_bytes = 12 * _rounded(sizes.channels)
    if not _is_grouped_3x3(sizes):
        return _other_depthwise(sizes, rescaling_bytes)
    # Between 1.3.2 and 1.5.0 the rule for padding changed; the larger of both sizes counts.
    by_sides = _depthwise_strips(sizes, sizes.top + sizes.bottom, sizes.left + sizes.right)
    if (sizes.top, sizes.left) in ((0, 0), (1, 1)):
        return max(by_sides, _depthwise_strips(sizes, *_even_padding(sizes)))
    return max(by_sides, _copied_depthwise(sizes) + rescaling_bytes)


def _even_padding(sizes: _Convolution) -> tuple[int, int]:
    """Return the rows and columns of padding if the input has as many on opposite sides."""
    if sizes.top or sizes.left:
        return 2 * sizes.top, 2 * sizes.left
    return sizes.overhang


def _depthwise_strips(sizes: _Convolution, rows: int, columns: int) -> int:
    """Return the scratch memory for 3x3 windows: the weights and the padded input, or strips of it.

    Args:
        sizes: Sizes of the convolution.
        rows: Number of rows of padding.
        columns: Number of columns of padding.
    """
    weights = 9 * sizes.channels
    if not rows and not columns:
        return weights + 16
    if sizes.padded_input(rows, columns) <= _MAX_DEPTHWISE_INPUT:
        return weights + sizes.padded_input(rows, columns) + 16
    row_bytes = (sizes.width + columns) * sizes.channels
    num_rows = max((_MAX_DEPTHWISE_INPUT - weights - 32) // row_bytes, 3)
    return weights + min(num_rows, sizes.height + rows) * row_bytes + 32


def _other_depthwise(sizes: _Convolution, rescaling_bytes: int) -> int:
    """Return the scratch memory of kernels for other windows or numbers of channels.

    Args:
        sizes: Sizes of the convolution.
        rescaling_bytes: Bytes of the padded multipliers, shifts and biases.
    """
    multiplier = sizes.out_channels // sizes.channels
    input_bytes = sizes.height * sizes.width * sizes.channels
    weights = sizes.window * sizes.out_channels
    if multiplier == 1 and sizes.channels % 8 == 0:
        if sizes.is_3x3 and sizes.channels > 8:
            return _copied_depthwise(sizes) + rescaling_bytes
        wide = 2 * (weights + input_bytes)
        if sizes.is_3x3 or wide <= _MAX_DEPTHWISE_WIDE:
            return wide + 32
        rows = 2 * sizes.width * sizes.window_height * sizes.channels
        return 2 * weights + rows + 32
    if multiplier == 1 and sizes.channels > 3:
        return _padded_depthwise(sizes)
    if multiplier % 4 == 0:
        return 2 * (weights + input_bytes) + 32
    return 32


def _is_grouped_3x3(sizes: _Convolution) -> bool:
    is_single = sizes.channels == sizes.out_channels
    return is_single and sizes.is_3x3 and sizes.channels % _GROUP == 0


def _copied_depthwise(sizes: _Convolution) -> int:
    """Return the bytes of weights, padded input and output with whole groups of channels."""
    channels = _rounded(sizes.channels)
    rows, columns = sizes.overhang
    height = sizes.height + 2 * sizes.top + max(0, rows)
    width = sizes.width + 2 * sizes.left + max(0, columns)
    outputs = sizes.out_height * sizes.out_width * channels
    return 9 * channels + height * width * channels + outputs + 64


def _padded_depthwise(sizes: _Convolution) -> int:
    """Return the bytes of weights, input, output and rescaling with channels in eights."""
    channels = _rounded(sizes.channels, 8)
    weights = 2 * sizes.window * channels
    inputs = 2 * sizes.height * sizes.width * channels
    outputs = sizes.out_height * sizes.out_width * channels
    copies = _rounded(_rounded(_rounded(weights) + inputs) + outputs)
    return copies + 3 * 4 * channels + 16


def _rounded(number: int, multiple: int = _GROUP) -> int:
    return -(-number // multiple) * multiple


_Formula = Callable[[_Convolution], int]
_FORMULAS: dict[str, dict[EspNnVersion, _Formula]] = {
    "CONV_2D": {"1.2.3": _convolution_1_2_3, "1.4": _convolution_1_4},
    "DEPTHWISE_CONV_2D": {"1.2.3": _depthwise_1_2_3, "1.4": _depthwise_1_4},
}
