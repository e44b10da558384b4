"""Metrics of trials are read back as written, and a damaged file is an error that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyetune.errors import WorkspaceError
from eyetune.records.trial_metrics import METRICS_FILE, read_trial_metrics, write_trial_metrics


def test_metrics_are_read_back_as_written(tmp_path: Path) -> None:
    assert read_trial_metrics(tmp_path) == {}
    metrics = {0: [(1, {"val_loss": 0.5}), (2, {"val_loss": 0.25})], 7: []}
    write_trial_metrics(tmp_path, metrics)
    assert read_trial_metrics(tmp_path) == metrics


DAMAGED = (
    b"", b"{", b"[]", b"\xff", b'{"a": []}', b'{"0": [[1]]}', b'{"0": [[1, {"a": "b"}]]}',
)  # fmt: skip


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_metrics_are_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / METRICS_FILE).write_bytes(content)
    with pytest.raises(WorkspaceError) as caught:
        read_trial_metrics(tmp_path)
    assert METRICS_FILE in caught.value.message
