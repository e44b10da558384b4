"""The memory planner and the tensor arena."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.device.estimate.arena import (
    ALIGNMENT,
    Buffer,
    aligned,
    alive_bytes,
    buffers_of,
    head_bytes,
    plan_memory,
    planned,
)
from eyetune.device.estimate.graph import Graph, Operator, Tensor

STEPS = 12


@st.composite
def needs(draw: st.DrawFn) -> Buffer:
    first = draw(st.integers(0, STEPS - 1))
    return Buffer(draw(st.integers(1, 5000)), first, draw(st.integers(first, STEPS - 1)))


LISTS = st.lists(needs(), max_size=20)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Return a graph in which each operator reads one or two of the last tensors before it."""
    sizes = draw(st.lists(st.sampled_from((16, 100, 160, 640, 4096)), min_size=2, max_size=14))
    operators = []
    for output in range(1, len(sizes)):
        inputs = draw(st.sets(st.integers(max(0, output - 4), output - 1), min_size=1, max_size=2))
        operators.append(Operator("ADD", (f"layer {output}",), tuple(sorted(inputs)), output))
    tensors = tuple(Tensor((size,)) for size in sizes)
    return Graph(tensors, tuple(operators), (0,), (len(sizes) - 1,))


def is_alive(buffer: Buffer, step: int) -> bool:
    return buffer.first <= step <= buffer.last


@given(LISTS)
def test_plan_memory_separates_buffers_alive_together(buffers: list[Buffer]) -> None:
    offsets = plan_memory(buffers).offsets
    for step in range(STEPS):
        spans = sorted(
            (offset, offset + buffer.bytes)
            for buffer, offset in zip(buffers, offsets, strict=True)
            if is_alive(buffer, step)
        )
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


@given(LISTS)
def test_plan_memory_size_is_between_peak_and_sum(buffers: list[Buffer]) -> None:
    fullest = max(
        sum(aligned(buffer.bytes) for buffer in buffers if is_alive(buffer, step))
        for step in range(STEPS)
    )
    assert fullest <= plan_memory(buffers).bytes <= sum(aligned(buffer.bytes) for buffer in buffers)


@given(LISTS)
def test_plan_memory_aligns_every_buffer(buffers: list[Buffer]) -> None:
    planned = plan_memory(buffers)
    assert planned.bytes % ALIGNMENT == 0
    for buffer, offset in zip(buffers, planned.offsets, strict=True):
        assert offset % ALIGNMENT == 0
        assert 0 <= offset <= planned.bytes - buffer.bytes


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=12))
def test_plan_memory_of_a_chain_holds_its_largest_pair(sizes: list[int]) -> None:
    chain = [Buffer(size, step, step + 1) for step, size in enumerate(sizes)]
    neighbors = zip(sizes, [*sizes[1:], 0], strict=True)
    pairs = [aligned(first) + aligned(second) for first, second in neighbors]
    assert plan_memory(chain).bytes >= max(pairs)
    if len(set(sizes)) == 1:
        assert plan_memory(chain).bytes == max(pairs)


def test_plan_memory_takes_the_first_gap() -> None:
    # The largest is at 0, and the last one takes its memory after it is no longer needed.
    assert plan_memory([Buffer(320, 0, 1), Buffer(160, 0, 3), Buffer(160, 2, 3)]).offsets == (
        0,
        320,
        0,
    )
    # Only 160 bytes between 0 and 320 are free while the last one is alive, so it goes above.
    assert plan_memory(
        [Buffer(320, 0, 1), Buffer(176, 0, 2), Buffer(160, 2, 3), Buffer(96, 1, 2)]
    ).offsets == (0, 320, 0, 496)


def test_plan_memory_places_the_later_of_equals_first() -> None:
    assert plan_memory([Buffer(16, 0, 0), Buffer(16, 0, 0)]).offsets == (16, 0)


def test_plan_memory_leaves_given_offsets() -> None:
    planned = plan_memory([Buffer(320, 0, 1), Buffer(160, 0, 1, offset=160), Buffer(160, 1, 1)])
    assert planned.offsets == (320, 160, 0)


@given(graphs())
def test_planned_offsets_keep_tensors_apart_and_save_memory(graph: Graph) -> None:
    better = planned(graph)
    if not better.offsets:
        assert better == graph
        return
    assert head_bytes(better) < head_bytes(graph)
    assert head_bytes(better) >= max(alive_bytes(graph))
    buffers = buffers_of(better)
    for step in range(len(graph.operators)):
        spans = sorted(
            (buffer.offset or 0, (buffer.offset or 0) + buffer.bytes)
            for buffer in buffers
            if is_alive(buffer, step)
        )
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_planned_offsets_of_residual_blocks_need_no_gaps() -> None:
    # Each block has two layers, and its input is added to its output.
    steps, last = [], 0
    for _ in range(3):
        steps += [
            Operator("CONV_2D", ("a",), (last,), last + 1),
            Operator("CONV_2D", ("b",), (last + 1,), last + 2),
            Operator("ADD", ("c",), (last, last + 2), last + 3),
        ]
        last += 3
    graph = Graph((Tensor((1600,)),) * (last + 1), tuple(steps), (0,), (last,))
    assert head_bytes(graph) == 4 * 1600
    assert head_bytes(planned(graph)) == max(alive_bytes(graph)) == 3 * 1600


def test_planned_leaves_scratch_memory_to_the_interpreter() -> None:
    step = Operator("CONV_2D", ("a",), (0,), 1, scratch_bytes=48)
    graph = Graph((Tensor((160,)), Tensor((160,))), (step,), (0,), (1,), offsets=(0, 160))
    assert [buffer.offset for buffer in buffers_of(graph)] == [0, 160, None]
    assert head_bytes(graph) == 160 + 160 + 48


def diamond() -> Graph:
    """Return a graph in which tensor 0 leads to 1 and 2, which are added to 3."""
    steps = [
        Operator("RELU", ("a",), (0,), 1),
        Operator("TANH", ("b",), (0,), 2),
        Operator("ADD", ("c",), (1, 2), 3),
    ]
    return Graph(
        (Tensor((100,)), Tensor((200,)), Tensor((300,)), Tensor((50,))), tuple(steps), (0,), (3,)
    )


def test_buffers_last_until_their_last_reader() -> None:
    assert buffers_of(diamond()) == (
        Buffer(100, 0, 1),
        Buffer(200, 0, 2),
        Buffer(300, 1, 2),
        Buffer(50, 2, 2),
    )


def test_head_bytes_of_a_diamond() -> None:
    assert head_bytes(diamond()) == aligned(100) + aligned(200) + aligned(300)


def test_scratch_memory_is_alive_with_its_operator_only() -> None:
    steps = (
        Operator("TRANSPOSE_CONV", ("a",), (0,), 1, scratch_bytes=640),
        Operator("TANH", ("b",), (1,), 2),
    )
    graph = Graph((Tensor((16,)), Tensor((160,)), Tensor((160,))), steps, (0,), (2,))
    assert head_bytes(graph) == 16 + 160 + 640


def test_buffers_of_an_operator_with_several_outputs() -> None:
    split = Operator("SPLIT", ("a",), (0,), 1, more_outputs=(2,))
    join = Operator("ADD", ("b",), (1, 2), 3)
    graph = Graph(
        (Tensor((64,)), Tensor((32,)), Tensor((32,)), Tensor((32,))), (split, join), (0,), (3,)
    )
    assert buffers_of(graph) == (
        Buffer(64, 0, 0),
        Buffer(32, 0, 1),
        Buffer(32, 0, 1),
        Buffer(32, 1, 1),
    )
    assert head_bytes(graph) == 128


def test_alive_bytes_of_each_step() -> None:
    assert alive_bytes(diamond()) == (
        aligned(100) + aligned(200),
        aligned(100) + aligned(200) + aligned(300),
        aligned(200) + aligned(300) + aligned(50),
    )
    assert alive_bytes(Graph((Tensor((4,)),), (), (0,), (0,))) == ()


def test_float_tensors_take_four_bytes_per_element() -> None:
    assert Tensor((2, 3), 4).bytes == 24


@pytest.mark.parametrize(("size", "expected"), [(0, 0), (1, 16), (16, 16), (17, 32)])
def test_aligned_rounds_up(size: int, expected: int) -> None:
    assert aligned(size) == expected
