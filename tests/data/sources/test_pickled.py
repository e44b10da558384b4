from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.data.sources.pickled import PickledArray, UnpicklingError, parse
from eyetune.inputs.limits import PICKLE_STEPS, LimitExceededError

DEEP = 200_000
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.binary()
KEYS = st.binary(max_size=5) | st.text(max_size=5) | st.integers()
VALUES = st.recursive(
    SCALARS | st.text(),
    lambda values: (
        st.lists(values, max_size=4)
        | st.tuples(values, values)
        | st.tuples(values, values, values, values)
        | st.dictionaries(KEYS, values, max_size=4)
    ),
    max_leaves=12,
)
NESTED = {
    "lists": b"]" * DEEP + b"a" * (DEEP - 1) + b".",
    "tuples": b")" + b"\x85" * DEEP + b".",
    "tuples of marks": b"(" * DEEP + b"t" * DEEP + b".",
    "dictionaries": b"}K\x00" * DEEP + b"}" + b"s" * DEEP + b".",
    "keys": b"}" + b")" + b"\x85" * DEEP + b"K\x00s.",
    "keys of keys": b"}" + b")\x85" * 2 + b"K\x00s" + b".",
    "a list in itself": b"]q\x00h\x00a.",
}


@given(VALUES, st.integers(0, 3))
def test_parse_returns_plain_values(value: Any, protocol: int) -> None:
    if protocol < 3:  # which have no bytes
        value = repr(value)
    assert parse(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
def test_parse_returns_arrays_as_bytes(protocol: int, order: Any) -> None:
    values = np.asarray(np.arange(6, dtype=np.uint8).reshape(2, 3), order=order)
    array = parse(pickle.dumps({b"data": values}, protocol))[b"data"]
    assert array == PickledArray((2, 3), "u1", order == "F", values.tobytes(order))


def test_parse_survives_values_inside_of_each_other() -> None:
    script = """
from eyetune.data.sources.pickled import UnpicklingError, parse
from tests.data.sources.test_pickled import NESTED
for kind, content in NESTED.items():
    print(kind, flush=True)
    try:
        parse(content)
    except UnpicklingError:
        pass
print("end")
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        timeout=120,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.splitlines() == [*NESTED, "end"], done.stderr


def test_parse_refuses_many_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    content = pickle.dumps(list(range(100)), 4)
    assert parse(content) == list(range(100))
    monkeypatch.setenv(PICKLE_STEPS.variable, "50")
    with pytest.raises(LimitExceededError):
        parse(content)


def test_parse_allocates_no_memo() -> None:
    assert parse(b"\x80\x03}r\xff\xff\xff\xff.") == {}


@pytest.mark.parametrize(
    "content",
    [
        b".",
        b"a.",
        b"(.",
        b"]]s.",
        b"}(K\x00u.",
        b"h\x00.",
        b"K\x00K\x01a.",
        b"cos\nsystem\n(S'true'\ntR.",
        b"\x8c\x02os\x8c\x06system\x93.",
        b"))\x93.",
        b"cnumpy\ndtype\n((l" + b"tR.",
        b"cnumpy\nndarray\n)R.",
        b"K\x00)b.",
        b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01)))C\x00tb.",
        b"(i__main__\nPerson\n.",
        b"Pid\n.",
        b"]2\x86.",
        b"\x95\x04\x00\x00\x00\x00\x00\x00\x00\x82\x01.",
    ],
)
def test_parse_refuses_what_batches_do_not_need(content: bytes) -> None:
    with pytest.raises(UnpicklingError):
        parse(content)
