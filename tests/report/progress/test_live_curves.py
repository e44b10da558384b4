"""Curves below a notebook's cell: only where they were asked for, one picture that is redrawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import IPython.display
import pytest

import eyetune
from eyetune.report.progress import live_curves as module
from eyetune.report.progress.live_curves import LiveCurves, live_curves
from eyetune.report.progress.study_progress import StudyDisplay
from eyetune.report.progress.training_progress import TrainingDisplay, WorkersDisplay
from eyetune.testing.labs import fabricated_history
from eyetune.testing.studies import fabricated_study

EPOCHS = fabricated_history(4, 0.8)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[bytes]]]:
    """Pretend to run in a notebook with the extension, and return the pictures of each output."""
    outputs: list[list[bytes]] = []

    def display(image: Any, **_: Any) -> Any:
        outputs.append([image.data])
        return SimpleNamespace(update=lambda image: outputs[-1].append(image.data))

    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(module, "in_notebook", lambda: True)
    monkeypatch.setattr(module, "SECONDS_BETWEEN_PICTURES", 0.0)
    eyetune.load_ipython_extension(None)
    yield outputs
    eyetune.unload_ipython_extension(None)


def test_training_redraws_one_picture(shown: list[list[bytes]]) -> None:
    with TrainingDisplay(4) as display:
        for epoch in EPOCHS:
            display.on_epoch(epoch)
    (pictures,) = shown
    assert len(pictures) == len(EPOCHS) + 1
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert len(set(pictures)) == len(EPOCHS)  # the last one is drawn again


def test_lab_and_study_draw_their_trainings(shown: list[list[bytes]]) -> None:
    study = fabricated_study(3)
    for display in (WorkersDisplay(), StudyDisplay(study.record, study.trials)):
        with display as running:
            for key in ("a", "b"):
                running.begin(key, f"trial {key}", 4)
                running.on_progress_log(key, EPOCHS[0])
            running.end("a", "trial a: 80%")
    assert [len(pictures) for pictures in shown] == [3, 3]


def test_nothing_is_drawn_without_the_extension(shown: list[list[bytes]]) -> None:
    eyetune.unload_ipython_extension(None)
    with TrainingDisplay(4) as display:
        display.on_epoch(EPOCHS[0])
    assert shown == []
    assert live_curves(enabled=True) is None


def test_best_curve_is_named_and_others_are_told_apart() -> None:
    curves = LiveCurves()
    for key, accuracy in (("poor", 0.4), ("good", 0.9), ("ended", 0.5)):
        curves.begin(key, f"trial <{key}>")
        for epoch in fabricated_history(3, accuracy)[:2]:
            curves._curves.setdefault(key, []).append((epoch.epoch, accuracy))
        curves._metric = "val_accuracy"
    curves.end("ended")
    (axes,) = curves.picture().axes
    assert labels_of(axes) == ["running", "best so far: trial <good>"]
    assert len({line.get_color() for line in axes.get_lines()}) == 3


def labels_of(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.mark.usefixtures("shown")
def test_loss_is_drawn_where_there_is_no_accuracy() -> None:
    curves = LiveCurves()
    for key, loss in (("a", 0.9), ("b", 0.2)):
        curves.on_epoch(key, replace(EPOCHS[0], accuracy=None, val_accuracy=None, val_loss=loss))
    (axes,) = curves.picture().axes
    assert axes.get_ylabel() == "validation loss"
    assert labels_of(axes)[-1] == "best so far: b"
