"""The confusions of a run, whose cells open their pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
from nicegui import events, ui

from eyetune.analysis.metrics import Evaluation
from eyetune.api.run import Run
from eyetune.dashboard import charts
from eyetune.dashboard.layout import Heading, Text, chart, described, folded, plain_table
from eyetune.dashboard.pictures import pixels_url
from eyetune.errors import EyetuneError
from eyetune.records.predictions import require_predictions
from eyetune.values.display import one_line
from eyetune.values.numbers import count_text

MAX_PICTURES = 24  # of a cell of the confusion matrix
PICTURE_PIXELS = 96


class Confusions:
    """The confusion matrix; a click on a cell shows its pictures.

    Args:
        opened: A run with predictions.
        evaluation: How it classifies the images of its shown split.
    """

    def __init__(self, opened: Run, evaluation: Evaluation) -> None:
        self._run = opened
        self._names = opened.record.data.class_names
        Heading(f"Confusion matrix ({opened.shown_split} {opened.record.data.noun}s)")
        size = f"{min(40, max(20, 2.2 * len(self._names) + 8)):.0f}rem"
        matrix = chart(
            charts.confusion(evaluation.confusion, self._names),
            "confusion matrix: the counts are in the table below",
            height=size,
        ).style("max-width: 48rem")
        matrix.on_point_click(self._show)
        with ui.row().classes("items-center gap-2"):
            options = dict(enumerate(map(one_line, self._names)))
            self._true = ui.select(options, label="true class", value=0).classes("w-48")
            self._predicted = ui.select(options, label="predicted", value=0).classes("w-48")
            ui.button("Show the pictures", on_click=self._show_chosen)
        folded("Counts", lambda: _counts(evaluation, self._names))
        self._pictures = ui.column().classes("w-full").props('aria-live="polite"')

    async def _show(self, event: events.EChartPointClickEventArguments) -> None:
        cell: Any = event.data
        column, row, _ = cell["value"]
        self._true.set_value(int(row))
        self._predicted.set_value(int(column))
        await self._show_cell(int(row), int(column))

    async def _show_chosen(self) -> None:
        await self._show_cell(int(self._true.value), int(self._predicted.value))

    async def _show_cell(self, true: int, predicted: int) -> None:
        """Show the pictures of a class that were classified as another one, or rightly."""
        self._pictures.clear()
        with self._pictures:
            ui.spinner()
        try:
            found = await asyncio.to_thread(_pictures, self._run, true, predicted)
        except EyetuneError as error:
            found = None
            message = error.message
        self._pictures.clear()
        with self._pictures:
            if found is None:
                Text(f"The pictures cannot be shown: {message}")
                return
            count, pictures = found
            images = count_text(count, self._run.record.data.noun)
            title = f"{images} of class {self._names[true]}, classified as {self._names[predicted]}"
            shown = f", the {len(pictures)} most confident" if len(pictures) < count else ""
            Heading(title + shown, 3)
            with ui.row().classes("gap-2"):
                for number, share, source in pictures:
                    with ui.element("figure").classes("q-ma-none"):
                        label = f"picture {number}, {share:.0%} {self._names[predicted]}"
                        image = ui.image(source).style(f"width: {PICTURE_PIXELS}px")
                        described(image.props("no-spinner no-transition"), label, "alt")
                        Text(f"{number}: {share:.0%}", "figcaption").classes("text-caption")


def _counts(evaluation: Evaluation, class_names: Sequence[str]) -> None:
    """Show the confusion matrix as a table."""
    names = [one_line(name) for name in class_names]
    rows = [
        [name, *(f"{count:,}" for count in counts)]
        for name, counts in zip(names, evaluation.confusion.tolist(), strict=True)
    ]
    plain_table(["true class", *names], rows, label="images by true and predicted class")


def _pictures(opened: Run, true: int, predicted: int) -> tuple[int, list[tuple[int, float, str]]]:
    """Return how many pictures a cell of the confusion matrix has, and the most confident ones.

    Each is its number in the split, the probability of the predicted class, and a data URL.
    """
    split = opened.shown_split
    probabilities, labels = require_predictions(opened.workspace, opened.record, split)
    classified = probabilities.argmax(axis=1)
    chosen = np.flatnonzero((labels == true) & (classified == predicted))
    order = chosen[np.argsort(-probabilities[chosen, predicted])][:MAX_PICTURES]
    images = opened.dataset().split(split).images
    pictures = [
        (
            int(number),
            float(probabilities[number, predicted]),
            pixels_url(images[number], PICTURE_PIXELS),
        )
        for number in order
    ]
    return len(chosen), pictures
