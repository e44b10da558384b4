"""The progress of a training, written by a worker and read by the coordinator."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from eyetune.training.progress_log import PROGRESS_FILE, ProgressLog, ProgressLogReader
from eyetune.values.history import Epoch, Progress


def epoch(number: int) -> Epoch:
    return Epoch(number, 1.0, 0.5, 1.1, 0.4, 0.001, 2.0, 100.0)


@given(st.lists(st.sampled_from(["epoch", "progress"]), max_size=12), st.data())
def test_progress_log_is_read_whole_in_order_and_once(
    kinds: list[str], data: st.DataObject
) -> None:
    """Whatever moment the reader looks at, even in the middle of a line."""
    told = [
        epoch(n) if kind == "epoch" else Progress(n, 9, 1, 2, 0.5, 0.5, 1.0)
        for n, kind in enumerate(kinds, 1)
    ]
    text = "".join(
        json.dumps({"epoch" if isinstance(one, Epoch) else "progress": asdict(one)}) + "\n"
        for one in told
    ).encode()
    with TemporaryDirectory() as name:
        folder = Path(name)
        reader, read, at = ProgressLogReader(folder), [], 0
        while at < len(text):
            step = data.draw(st.integers(1, len(text) - at))
            with (folder / PROGRESS_FILE).open("ab") as stream:
                stream.write(text[at : at + step])
            at += step
            read += list(reader.read())
        assert read == told
        assert list(reader.read()) == []


def test_progress_log_limits_progress_but_not_epochs() -> None:
    lines: list[str] = []
    progress_log = ProgressLog(lines.append)
    for images in range(50):
        progress_log.on_progress(Progress(1, 2, images, 50, 0.5, 0.5, 1.0))
    progress_log.on_epoch(epoch(1))
    progress_log.on_epoch(epoch(2))
    kinds = [next(iter(json.loads(line))) for line in lines]
    assert kinds.count("epoch") == 2
    assert 1 <= kinds.count("progress") <= 3


def test_progress_log_of_an_earlier_attempt_is_ignored(tmp_path: Path) -> None:
    (tmp_path / PROGRESS_FILE).write_text(json.dumps({"epoch": asdict(epoch(1))}) + "\n")
    assert list(ProgressLogReader(tmp_path).read()) == []
