"""How a training shows itself in a notebook: one output that is rewritten, and nothing on standard
error.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import IPython.display
import pytest

from eyetune.report.progress import notebook
from eyetune.report.progress.training_progress import (
    TrainingDisplay,
    WorkersDisplay,
    slow_step,
    step_bar,
)
from eyetune.values.history import Epoch, Progress

POSITION = Progress(1, 2, 160, 800, 2.1, 0.2, 3000.0)
EPOCH = Epoch(1, 1.5, 0.45, 1.3, 0.53, 0.001, 9.9, 4321.0)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Pretend to run in a notebook, and return what each output has shown, in order."""
    outputs: list[list[str]] = []

    def display(content: Any, **_: Any) -> Any:
        texts = [content["text/plain"]]
        outputs.append(texts)
        return SimpleNamespace(update=lambda content, **_: texts.append(content["text/plain"]))

    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(notebook, "SECONDS_BETWEEN_UPDATES", -1)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    return outputs


def test_cell_ends_with_the_last_epoch(
    shown: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    with TrainingDisplay(2) as display:
        display.note("Run a")
        display.on_progress(POSITION)
        display.on_epoch(EPOCH)
        display.note("Evaluating ...")
    display.note("Drawing ...")
    (output,) = shown
    assert output[0] == "Run a"
    assert output[1].startswith("Run a\nepoch 1/2  160 of 800 images")
    assert output[3] == "Run a\nEvaluating ..."
    assert output[-1].startswith(
        "Run a\nepoch 1/2  loss 1.500  accuracy 45.0%  validation loss 1.300"
    )
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_cell_removes_a_heading_without_a_line(shown: list[list[str]]) -> None:
    with TrainingDisplay(0) as display:
        display.note("Loading Keras ...")
    assert shown == [["Loading Keras ...", ""]]


def test_notebook_without_progress_stays_empty(shown: list[list[str]]) -> None:
    with TrainingDisplay(2, enabled=False) as display:
        display.note("Run a")
        display.on_epoch(EPOCH)
    assert shown == []


def test_cell_skips_quick_updates_but_no_epoch(
    shown: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook, "SECONDS_BETWEEN_UPDATES", 3600)
    with TrainingDisplay(2) as display:
        display.note("Run a")
        for _ in range(5):
            display.on_progress(POSITION)
        display.on_epoch(EPOCH)
    assert [text.count("\n") for text in shown[0]] == [0, 1, 1]


def test_standard_error_gets_a_line_per_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingDisplay(2) as display:
        display.on_epoch(EPOCH)
    assert capsys.readouterr().err.startswith("epoch 1/2  loss 1.500")


def test_workers_display_prints_lines_in_a_notebook(
    shown: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    with WorkersDisplay() as display:
        display.expect(2)
        display.begin("a", "flip", 2)
        display.on_progress_log("a", EPOCH)
        display.end("a", "flip: 53.0%")
    captured = capsys.readouterr()
    assert captured.out == "[1/2] flip: 53.0%\n"
    assert captured.err == ""


def test_range_test_steps_are_one_line_in_a_cell(
    shown: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    with step_bar(50, "Range test") as on_step:
        on_step(7, 1e-5, 2.3)
    assert shown == [["Range test", "Range test\nstep  7/50  rate 1.0e-05  loss 2.300", ""]]
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_slow_step_prints_what_takes_long(capsys: pytest.CaptureFixture[str]) -> None:
    with slow_step("Reading ...", after_seconds=0.0):
        while not capsys.readouterr().err:
            time.sleep(0.01)


def test_slow_step_is_silent_where_nothing_takes_long(capsys: pytest.CaptureFixture[str]) -> None:
    with slow_step("Reading ...", after_seconds=60.0):
        pass
    with slow_step("Reading ...", after_seconds=0.2) as cancel:
        cancel()
        time.sleep(0.3)
    assert capsys.readouterr().err == ""


def test_lines_show_epochs_that_report_no_loss(shown: list[list[str]]) -> None:
    with TrainingDisplay(2) as display:
        display.on_progress(replace(POSITION, loss=None))
        display.on_epoch(replace(EPOCH, loss=None))
    for text in shown[0]:
        assert "accuracy" in text
        assert not {"None", "nan"} & set(text.split())
