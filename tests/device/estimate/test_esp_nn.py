"""The scratch memory of ESP-NN, against what the library's own functions return."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.device.boards.profiles import ESP_NN_VERSIONS
from eyetune.device.estimate.arena import alive_bytes, head_bytes
from eyetune.device.estimate.esp_nn import with_scratch
from eyetune.device.estimate.graph import Constant, Graph, Operator, Tensor, Window

Shape = tuple[int, int, int]

# Input, output, window, stride; then what the functions of 1.2.3 and of 1.4 return. They were
# compiled and run on a computer; for 1.4 it is the larger result of the sources from 1.3.2 to 1.5.
CONVOLUTIONS: list[tuple[Shape, Shape, tuple[int, int], int, int, int]] = [
    ((32, 32, 3), (32, 32, 16), (3, 3), 1, 672, 704),
    ((32, 32, 16), (32, 32, 16), (3, 3), 1, 41_696, 22_240),
    ((32, 32, 16), (16, 16, 32), (3, 3), 2, 27_872, 22_240),
    ((16, 16, 32), (8, 8, 64), (1, 1), 2, 4384, 2368),
    ((8, 8, 64), (8, 8, 64), (3, 3), 1, 86_816, 39_520),
    ((16, 16, 1), (16, 16, 8), (1, 1), 1, 2272, 192),
    ((49, 10, 1), (25, 5, 64), (10, 4), 2, 3440, 3472),
    ((25, 5, 64), (25, 5, 64), (1, 1), 1, 5152, 2112),
    ((6, 6, 256), (6, 6, 256), (1, 1), 1, 69_664, 22_592),
    ((2, 2, 20), (2, 2, 10), (1, 1), 1, 368, 624),
    ((12, 12, 20), (8, 8, 24), (5, 5), 1, 32_768, 13_600),
]
DEPTHWISE: list[tuple[Shape, Shape, tuple[int, int], int, int, int]] = [
    ((25, 5, 64), (25, 5, 64), (3, 3), 1, 12_688, 12_688),
    ((48, 48, 8), (48, 48, 8), (3, 3), 1, 37_040, 37_040),
    ((48, 48, 16), (24, 24, 16), (3, 3), 2, 40_160, 40_160),
    ((96, 96, 16), (96, 96, 16), (3, 3), 1, 4864, 40_944),
    ((24, 24, 24), (24, 24, 24), (3, 3), 1, 43_872, 44_256),
    ((20, 20, 20), (20, 20, 20), (5, 5), 1, 30_304, 30_304),
    ((40, 40, 64), (40, 40, 64), (5, 5), 1, 28_832, 28_832),
    ((16, 16, 3), (16, 16, 12), (3, 3), 1, 1784, 1784),
    ((16, 16, 3), (16, 16, 3), (3, 3), 1, 32, 32),
    ((64, 1, 32), (64, 1, 32), (9, 1), 1, 4704, 768),
    ((49, 20, 32), (25, 10, 32), (3, 3), 2, 32_944, 46_752),
]


def convolution(
    kind: str, in_shape: Shape, out_shape: Shape, window: Window, element_bytes: int = 1
) -> Graph:
    """Return a graph of one convolution."""
    step = Operator(kind, ("conv",), (0,), 1, (Constant(1),), window=window)
    tensors = (Tensor(in_shape, element_bytes), Tensor(out_shape, element_bytes))
    return Graph(tensors, (step,), (0,), (1,))


def scratch(graph: Graph) -> tuple[int, ...]:
    """Return the scratch memory of the first operator, by version."""
    graphs = [with_scratch(graph, (version,)) for version in ESP_NN_VERSIONS]
    return tuple(graph.operators[0].scratch_bytes for graph in graphs)


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_with_scratch_of_convolutions_is_the_librarys(
    case: tuple[Shape, Shape, tuple[int, int], int, int, int],
) -> None:
    in_shape, out_shape, size, stride, *expected = case
    graph = convolution("CONV_2D", in_shape, out_shape, Window(size, (stride, stride)))
    assert scratch(graph) == tuple(expected)


@pytest.mark.parametrize("case", DEPTHWISE)
def test_with_scratch_of_depthwise_is_the_librarys(
    case: tuple[Shape, Shape, tuple[int, int], int, int, int],
) -> None:
    in_shape, out_shape, size, stride, *expected = case
    graph = convolution("DEPTHWISE_CONV_2D", in_shape, out_shape, Window(size, (stride, stride)))
    assert scratch(graph) == tuple(expected)


def test_with_scratch_counts_dilated_convolutions() -> None:
    plain = convolution("CONV_2D", (30, 30, 8), (30, 30, 12), Window((3, 3)))
    dilated = convolution("CONV_2D", (30, 30, 8), (30, 30, 12), Window((3, 3), dilation=(2, 2)))
    # 1.2.3 pads more; later, a quarter of input and output is copied in addition.
    assert scratch(dilated)[0] > scratch(plain)[0]
    assert scratch(dilated)[1] == scratch(plain)[1] + 15 * 15 * (8 + 12)
    valid = convolution("CONV_2D", (30, 30, 8), (26, 26, 12), Window((3, 3), dilation=(2, 2)))
    assert scratch(valid) == (2960, 1264 + 15 * 15 * (8 + 12))


def test_with_scratch_of_softmax_and_hard_swish() -> None:
    for kind, expected in (("SOFTMAX", (40, 2064)), ("HARD_SWISH", (0, 512)), ("RELU", (0, 0))):
        step = Operator(kind, ("a",), (0,), 1)
        graph = Graph((Tensor((10,)), Tensor((10,))), (step,), (0,), (1,))
        assert scratch(graph) == expected


def test_with_scratch_leaves_other_operators_alone() -> None:
    in_float = convolution("CONV_2D", (8, 8, 16), (8, 8, 16), Window((3, 3)), element_bytes=4)
    assert scratch(in_float) == (0, 0)
    transposed = Operator("TRANSPOSE_CONV", ("a",), (0,), 1, scratch_bytes=640)
    graph = Graph((Tensor((4, 4, 8)), Tensor((8, 8, 8))), (transposed,), (0,), (1,))
    assert scratch(graph) == (640, 640)
    assert with_scratch(graph, ()) == graph


def test_with_scratch_takes_the_version_with_most() -> None:
    graph = convolution("CONV_2D", (8, 8, 64), (8, 8, 64), Window((3, 3)))
    sizes = [head_bytes(with_scratch(graph, (version,))) for version in ESP_NN_VERSIONS]
    assert head_bytes(with_scratch(graph, ESP_NN_VERSIONS)) == max(sizes)
    assert min(sizes) < max(sizes)


def test_scratch_memory_is_alive_with_its_kernel_only() -> None:
    steps = (
        Operator("CONV_2D", ("a",), (0,), 1, (Constant(2304),), window=Window((3, 3))),
        Operator("RELU", ("b",), (1,), 2),
    )
    graph = Graph((Tensor((8, 8, 16)),) * 3, steps, (0,), (2,))
    before, after = alive_bytes(graph), alive_bytes(with_scratch(graph, ("1.4",)))
    assert after[0] - before[0] == 40 * 9 * 16 + 16 * 1024 + 64 + 32
    assert after[1] == before[1]


SIDES = st.integers(1, 40)


@given(
    st.sampled_from(["CONV_2D", "DEPTHWISE_CONV_2D"]),
    st.tuples(SIDES, SIDES, st.integers(1, 64)),
    st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(1, 64)),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_with_scratch_never_makes_an_arena_smaller(
    kind: str,
    in_shape: Shape,
    more: Shape,
    size: tuple[int, int],
    stride: int,
    dilation: int,
) -> None:
    """Whatever a file says about the sizes of a convolution."""
    out_shape = max(1, in_shape[0] + more[0]), max(1, in_shape[1] + more[1]), more[2]
    window = Window(size, (stride, stride), (dilation, dilation))
    graph = convolution(kind, in_shape, out_shape, window)
    assert min(scratch(graph)) > 0
    assert head_bytes(with_scratch(graph, ESP_NN_VERSIONS)) >= head_bytes(graph)
