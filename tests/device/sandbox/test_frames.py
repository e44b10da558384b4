"""Messages between processes: what is sent arrives, and nothing else is accepted."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eyetune.device.sandbox.frames import BrokenStreamError, Message, receive, send

ARRAYS: list[NDArray[Any]] = [
    np.arange(-3, 3, dtype=np.int8).reshape(2, 3),
    np.zeros((2, 0, 4), np.uint8),
    np.array([[0.5, np.inf]], np.float32),
    np.arange(8, dtype=np.uint8)[::2],
]


def sent(*messages: Message) -> bytes:
    stream = io.BytesIO()
    for message in messages:
        send(stream, message)
    return stream.getvalue()


def test_messages_arrive_as_they_were_sent() -> None:
    first = Message({"text": "ä", "numbers": [1, 2.5]}, b"content", ARRAYS)
    stream = io.BytesIO(sent(first, Message({})))
    arrived = receive(stream, 100)
    assert (arrived.values, arrived.content) == (first.values, first.content)
    for array, expected in zip(arrived.arrays, ARRAYS, strict=True):
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)
    assert receive(stream, 100).values == {}
    with pytest.raises(BrokenStreamError):
        receive(stream, 100)


def test_receive_refuses_more_than_its_limit() -> None:
    for message in (Message({}, bytes(101)), Message({}, b"", [np.zeros(101, np.int8)])):
        with pytest.raises(BrokenStreamError):
            receive(io.BytesIO(sent(message)), 100)


@pytest.mark.parametrize(
    "header",
    [
        [],
        {},
        {"values": [], "size": 0, "arrays": []},
        {"values": {}, "size": -1, "arrays": []},
        {"values": {}, "size": 0, "arrays": [{"dtype": "object", "shape": [1]}]},
        {"values": {}, "size": 0, "arrays": [{"dtype": "int8", "shape": [-1, -8]}]},
        {"values": {}, "size": 0, "arrays": [{"dtype": "int8", "shape": [10**9, 10**9]}]},
        {"values": {}, "size": 0, "arrays": 3},
    ],
)
def test_receive_refuses_other_headers(header: Any) -> None:
    line = json.dumps(header).encode()
    with pytest.raises(BrokenStreamError):
        receive(io.BytesIO(struct.pack("<Q", len(line)) + line + bytes(64)), 100)


@given(st.binary(max_size=200), st.integers(0, 60))
def test_receive_refuses_anything_else(content: bytes, position: int) -> None:
    whole = sent(Message({"result": {}}, b"", [ARRAYS[0]]))
    damaged = whole[:position] + content
    try:
        message = receive(io.BytesIO(damaged), 1000)
    except BrokenStreamError:
        return
    assert isinstance(message.values, dict)
