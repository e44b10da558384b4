"""The memory planner: nothing overlaps, nothing is wasted where that can be told."""

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
    buffers,
    head_bytes,
    plan,
    with_copies,
)
from eyetune.device.estimate.graph import Constant, Graph, Operator, Tensor

STEPS = 12


@st.composite
def needs(draw: st.DrawFn) -> Buffer:
    first = draw(st.integers(0, STEPS - 1))
    return Buffer(draw(st.integers(1, 5000)), first, draw(st.integers(first, STEPS - 1)))


LISTS = st.lists(needs(), max_size=20)


def alive(one: Buffer, step: int) -> bool:
    return one.first <= step <= one.last


@given(LISTS)
def test_buffers_that_are_alive_together_do_not_overlap(wanted: list[Buffer]) -> None:
    offsets = plan(wanted).offsets
    for step in range(STEPS):
        spans = sorted(
            (offset, offset + one.bytes)
            for one, offset in zip(wanted, offsets, strict=True)
            if alive(one, step)
        )
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


@given(LISTS)
def test_the_whole_is_between_the_fullest_step_and_the_sum(wanted: list[Buffer]) -> None:
    fullest = max(
        sum(aligned(one.bytes) for one in wanted if alive(one, step)) for step in range(STEPS)
    )
    assert fullest <= plan(wanted).bytes <= sum(aligned(one.bytes) for one in wanted)


@given(LISTS)
def test_everything_is_aligned_and_within(wanted: list[Buffer]) -> None:
    planned = plan(wanted)
    assert planned.bytes % ALIGNMENT == 0
    for one, offset in zip(wanted, planned.offsets, strict=True):
        assert offset % ALIGNMENT == 0
        assert 0 <= offset <= planned.bytes - one.bytes


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=12))
def test_a_chain_takes_its_largest_neighbours(sizes: list[int]) -> None:
    chain = [Buffer(size, place, place + 1) for place, size in enumerate(sizes)]
    pairs = [
        aligned(one) + aligned(other) for one, other in zip(sizes, [*sizes[1:], 0], strict=True)
    ]
    assert plan(chain).bytes >= max(pairs)
    if len(set(sizes)) == 1:
        assert plan(chain).bytes == max(pairs)


def test_the_first_gap_is_taken() -> None:
    # The largest lies at 0 and ends before the last one comes, which so has its place.
    assert plan([Buffer(320, 0, 1), Buffer(160, 0, 3), Buffer(160, 2, 3)]).offsets == (0, 320, 0)
    # Of the gap between 0 and 320 only 160 bytes are free while the last one is alive: it goes
    # above.
    assert plan(
        [Buffer(320, 0, 1), Buffer(176, 0, 2), Buffer(160, 2, 3), Buffer(96, 1, 2)]
    ).offsets == (0, 320, 0, 496)


def test_of_equal_sizes_the_later_is_placed_first() -> None:
    assert plan([Buffer(16, 0, 0), Buffer(16, 0, 0)]).offsets == (16, 0)


def diamond() -> Graph:
    """0 goes to 1 and 2, which are added to 3."""
    steps = [
        Operator("RELU", ("a",), (0,), 1),
        Operator("TANH", ("b",), (0,), 2),
        Operator("ADD", ("c",), (1, 2), 3),
    ]
    return Graph(
        (Tensor((100,)), Tensor((200,)), Tensor((300,)), Tensor((50,))), tuple(steps), (0,), (3,)
    )


def test_tensors_live_from_where_they_are_written_to_their_last_reader() -> None:
    assert buffers(diamond()) == (
        Buffer(100, 0, 1),
        Buffer(200, 0, 2),
        Buffer(300, 1, 2),
        Buffer(50, 2, 2),
    )


def test_the_head_of_a_graph() -> None:
    assert head_bytes(diamond()) == aligned(100) + aligned(200) + aligned(300)


def test_scratch_memory_is_alive_with_its_operator_alone() -> None:
    steps = (
        Operator("TRANSPOSE_CONV", ("a",), (0,), 1, scratch_bytes=640),
        Operator("TANH", ("b",), (1,), 2),
    )
    graph = Graph((Tensor((16,)), Tensor((160,)), Tensor((160,))), steps, (0,), (2,))
    assert head_bytes(graph) == 16 + 160 + 640


def test_an_operator_with_several_outputs() -> None:
    split = Operator("SPLIT", ("a",), (0,), 1, more_outputs=(2,))
    join = Operator("ADD", ("b",), (1, 2), 3)
    graph = Graph(
        (Tensor((64,)), Tensor((32,)), Tensor((32,)), Tensor((32,))), (split, join), (0,), (3,)
    )
    assert buffers(graph) == (
        Buffer(64, 0, 0),
        Buffer(32, 0, 1),
        Buffer(32, 0, 1),
        Buffer(32, 1, 1),
    )
    assert head_bytes(graph) == 128


def test_what_is_alive_at_each_step() -> None:
    assert alive_bytes(diamond()) == (
        aligned(100) + aligned(200),
        aligned(100) + aligned(200) + aligned(300),
        aligned(200) + aligned(300) + aligned(50),
    )
    assert alive_bytes(Graph((Tensor((4,)),), (), (0,), (0,))) == ()


def test_copies_of_convolutions_are_alive_with_them_alone() -> None:
    steps = (
        Operator("CONV_2D", ("a",), (0,), 1, (Constant(9 * 16 * 16),)),
        Operator("RELU", ("b",), (1,), 2),
        Operator("FULLY_CONNECTED", ("c",), (2,), 3, (Constant(100_000),)),
    )
    tensors = (Tensor((8, 8, 16)), Tensor((8, 8, 16)), Tensor((8, 8, 16)), Tensor((10,)))
    graph = Graph(tensors, steps, (0,), (3,))
    copied = with_copies(graph)
    assert [operator.scratch_bytes > 0 for operator in copied.operators] == [True, False, False]
    before, after = alive_bytes(graph), alive_bytes(copied)
    # ESP-NN's own formula for 3x3, 16 channels, padding 1: padded input, two sets of weights, the
    # input's border, sums.
    asked = 10 * 10 * 16 + 2 * 9 * 16 * 16 + 10 * 10 * 16 + 32 + 4 * 16
    assert asked <= after[0] - before[0] <= 2 * asked
    assert after[1:] == before[1:]
    assert head_bytes(copied) >= head_bytes(graph) + asked - 64 * 16


def test_float_tensors_take_four_bytes() -> None:
    assert Tensor((2, 3), 4).bytes == 24


@pytest.mark.parametrize(("size", "expected"), [(0, 0), (1, 16), (16, 16), (17, 32)])
def test_alignment(size: int, expected: int) -> None:
    assert aligned(size) == expected
