"""Checkpoints are read back as written; whatever else a file holds is one kind of error."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from eyetune.errors import CheckpointError
from eyetune.training import checkpoint
from eyetune.values.history import Epoch

HISTORY = (Epoch(1, 1.0, 0.5, 1.1, 0.5, 0.001, 2.0, 500.0, {"top_k": 0.1}),)
STATE = {
    "starts": [0],
    "ended": False,
    "callbacks": [{"kind": "Mine", "values": {"best": np.ones(2)}, "functions": {}}],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a checkpoint of a network of two variables."""
    variables = [np.ones((2, 3), np.float32), np.zeros(3, np.float32)]
    optimizer = SimpleNamespace(variables=[np.array(7, np.int64)])
    model: Any = SimpleNamespace(variables=variables, optimizer=optimizer)
    target = tmp_path / "checkpoint.npz"
    checkpoint.save(target, model, HISTORY, {"seed": 1}, state=STATE, with_frozen=True)
    return target


def rewrite(path: Path, **changes: Any) -> None:
    """Replace arrays of a checkpoint; None removes one."""
    with np.load(path) as stored:
        arrays = {**stored, **changes}
    np.savez(path, **{name: values for name, values in arrays.items() if values is not None})


def about(path: Path) -> dict[str, Any]:
    with np.load(path) as stored:
        return dict(json.loads(str(stored["about"])))


def test_checkpoint_is_read_back_as_written(path: Path) -> None:
    stored = checkpoint.load(path)
    assert stored.history == HISTORY
    assert stored.identity == {"seed": 1}
    assert [values.shape for values in stored.model] == [(2, 3), (3,)]
    assert stored.state["callbacks"][0]["values"]["best"].tolist() == [1, 1]


def test_bytes_that_changed_are_a_checkpoint_error(path: Path) -> None:
    content = path.read_bytes()
    step = max(1, len(content) // 150)
    for position in range(0, len(content), step):
        changed = bytearray(content)
        changed[position] ^= 0xFF
        path.write_bytes(changed)
        try:
            stored = checkpoint.load(path)
        except CheckpointError:
            continue
        assert len(stored.history) == 1  # the byte had no meaning, such as a date in the archive
    for length in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            checkpoint.load(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("history", None), ("history", [{"epoch": "x"}]), ("history", [7]), ("identity", 7),
        ("state", {"array": 99}), ("state", [1]), ("state", {"values": {"starts": "x"}}),
        ("state", {"values": {"callbacks": [{"values": {"kind": "Mine"}}]}}), ("format", 2),
        ("history", [{"epoch": 10**400}]),
    ],
)  # fmt: skip
def test_values_of_other_types_are_a_checkpoint_error(path: Path, name: str, value: object) -> None:
    rewrite(path, about=np.array(json.dumps({**about(path), name: value})))
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path)
    assert str(path) in caught.value.message


def test_other_arrays_are_a_checkpoint_error(path: Path) -> None:
    for changes in (
        {"about": None},
        {"about": np.array("[")},
        {"about": np.zeros(3)},
        {"model/0": None},
    ):
        content = path.read_bytes()
        rewrite(path, **changes)
        with pytest.raises(CheckpointError):
            checkpoint.load(path)
        path.write_bytes(content)
