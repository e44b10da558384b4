"""A run: curves, verdict, confusions with their pictures, network, boards and downloads."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi.responses import FileResponse, Response
from nicegui import app, events, ui
from numpy.typing import NDArray

from eyetune.api.report import write_report
from eyetune.api.run import Run
from eyetune.dashboard import charts
from eyetune.dashboard.commands import json_of
from eyetune.dashboard.layout import Heading, Text, chart, facts, follow, page, plain_table
from eyetune.dashboard.live import Live
from eyetune.dashboard.rows import percent
from eyetune.errors import EyetuneError, NotFoundError
from eyetune.records import RunRecord, RunState
from eyetune.records.predictions import require_predictions
from eyetune.report.numbers import duration
from eyetune.values.display import one_line
from eyetune.values.history import History
from eyetune.values.run_files import MODEL_FILE, RECIPE_FILE

MAX_PICTURES = 24  # of a cell of the confusion matrix
PICTURE_PIXELS = 96
DOWNLOADS = {"recipe.toml": RECIPE_FILE, "model.keras": MODEL_FILE}


def register(live: Live) -> None:
    """Register the page and its downloads."""

    @ui.page("/runs/{run_id}")
    async def run_page(run_id: str) -> None:
        try:
            record = await asyncio.to_thread(live.workspace.runs.find, run_id)
        except NotFoundError as error:
            ui.status_code(404)
            with page("Run not found", "/"):
                Heading("Run not found", 1)
                Text(error.message)
            return
        history = await asyncio.to_thread(live.history, record.id)
        with page(record.label, "/"):
            _RunView(live, record, history)

    @app.get("/runs/{run_id}/files/{name}")
    def download(run_id: str, name: str) -> Response:
        """Send a file of a run."""
        try:
            record = live.workspace.runs.find(run_id)
            path = live.workspace.runs.folder(record.id) / DOWNLOADS[name]
        except (EyetuneError, KeyError):
            return Response(status_code=404)
        if not path.is_file():
            return Response(status_code=404)
        return FileResponse(path, filename=f"{record.id}-{name}")

    @app.get("/runs/{run_id}/report.html")
    def send_report(run_id: str) -> Response:
        """Make the report of a run, and send it."""
        try:
            path = write_report(run_id, workspace=live.workspace).path
        except EyetuneError as error:
            return Response(error.message, status_code=404, media_type="text/plain")
        return FileResponse(path, media_type="text/html", content_disposition_type="inline")


class _RunView:
    """The page of a run, for one client."""

    def __init__(self, live: Live, record: RunRecord, history: History) -> None:
        self._live = live
        self._record = record
        self._history = history
        Heading(record.label, 1)
        self._facts = ui.element("div")
        self._progress = ui.linear_progress(0, show_value=False, size="0.6rem").props(
            'aria-label="share of the epochs that are trained"'
        )
        with ui.grid().classes("w-full grid-cols-1 md:grid-cols-2"):
            self._charts = {
                metric: chart(charts.curves({"": history}, metric), f"{metric} by epoch")
                for metric in ("accuracy", "loss")
            }
        self._details = ui.column().classes("w-full")
        self._show()
        self._timer = follow(self._refresh, active=not record.is_over)

    async def _refresh(self) -> None:
        record = await asyncio.to_thread(self._live.run, self._record.id)
        if record == self._record:
            return
        history = await asyncio.to_thread(self._live.history, record.id)
        self._record, self._history = record, history
        for metric, element in self._charts.items():
            element.options.update(charts.curves({"": history}, metric))
            element.update()
        self._show()
        if record.is_over:
            self._timer.deactivate()

    def _show(self) -> None:
        record = self._record
        self._facts.clear()
        with self._facts:
            facts(_facts(record))
        planned = max(1, record.num_epochs_planned)
        self._progress.set_value(min(1.0, record.num_epochs_done / planned))
        self._progress.set_visibility(record.state is RunState.RUNNING)
        self._details.clear()
        with self._details:
            _details(self._live, record)


def _facts(record: RunRecord) -> dict[str, str]:
    results = record.results
    values = {
        "state": str(record.state),
        "data": record.data.name,
        "epochs": f"{record.num_epochs_done} of {record.num_epochs_planned}",
        "time": duration(record.duration_seconds),
        "speed": record.speed_text,
        "parameters": f"{record.network.parameters:,}",
        "MACs": f"{record.network.macs:,}",
        "validation accuracy": percent(results.validation_accuracy if results else None),
        "test accuracy": percent(results.test_accuracy if results else None),
        "seed": str(record.seed),
        "precision": record.precision,
    }
    return {name: value for name, value in values.items() if value}


def _details(live: Live, record: RunRecord) -> None:
    opened = Run(live.workspace, record)
    if record.error:
        Heading("Error")
        ui.code(one_line(record.error)).classes("w-full")
    if record.results is not None and opened.has_verdict:
        _verdict(opened)
    if record.results is not None and opened.has_predictions:
        _Confusions(opened)
    _network(record)
    _boards(live, record)
    _downloads(opened)


def _verdict(opened: Run) -> None:
    Heading("Verdict")
    for sentence in opened.verdict.sentences:
        Text(sentence).classes("q-my-xs")
    if opened.verdict.suggestions:
        header = ["technique", "reason", "command"]
        rows = [
            [each.technique, each.reason, f"eyetune train {opened.id} {each.command}"]
            for each in opened.verdict.suggestions
        ]
        plain_table(header, rows, label="what to try next")


class _Confusions:
    """The confusion matrix; a click on a cell shows its pictures."""

    def __init__(self, opened: Run) -> None:
        self._run = opened
        self._names = opened.record.data.class_names
        split = opened.shown_split
        Heading(f"Confusion matrix ({split} {opened.record.data.noun}s)")
        counts = opened.evaluation(split).confusion
        size = f"{min(40, max(20, 2.2 * len(self._names) + 8)):.0f}rem"
        matrix = chart(
            charts.confusion(counts, self._names), "confusion matrix", height=size
        ).style("max-width: 48rem")
        matrix.on_point_click(self._show)
        with ui.row().classes("items-center gap-2"):
            options = dict(enumerate(map(one_line, self._names)))
            self._true = ui.select(options, label="true class", value=0).classes("w-48")
            self._predicted = ui.select(options, label="predicted", value=0).classes("w-48")
            ui.button("Show the pictures", on_click=self._show_chosen)
        self._pictures = ui.column().classes("w-full").props('aria-live="polite"')

    async def _show(self, event: events.EChartPointClickEventArguments) -> None:
        cell: Any = event.data
        column, row, _ = cell["value"]
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
            title = f"{count} of {self._names[true]} classified as {self._names[predicted]}"
            shown = f", the {len(pictures)} most confident" if len(pictures) < count else ""
            Heading(title + shown, 3)
            with ui.row().classes("gap-2"):
                for number, share, source in pictures:
                    with ui.element("figure").classes("q-ma-none"):
                        label = f"picture {number}, {share:.0%} {self._names[predicted]}"
                        image = ui.image(source).style(f"width: {PICTURE_PIXELS}px")
                        image.props(f'alt="{one_line(label)}" no-spinner')
                        Text(f"{number}: {share:.0%}", "figcaption").classes("text-caption")


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
        (int(number), float(probabilities[number, predicted]), _data_url(images[number]))
        for number in order
    ]
    return len(chosen), pictures


def _data_url(pixels: NDArray[np.uint8]) -> str:
    from PIL import Image

    image = Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0])
    scale = max(1, PICTURE_PIXELS // image.width)
    image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    file = io.BytesIO()
    image.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _network(record: RunRecord) -> None:
    Heading("Network")
    rows = [
        [
            layer.name,
            layer.kind,
            layer.settings,
            " x ".join(map(str, layer.output_shape)),
            f"{layer.parameters:,}",
            f"{layer.macs:,}",
        ]
        for layer in record.network.layers
    ]
    header = ["layer", "kind", "settings", "output", "parameters", "MACs"]
    with ui.expansion(f"{len(rows)} layers", icon="layers").classes("w-full"):
        plain_table(header, rows, label="layers of the network")


def _boards(live: Live, record: RunRecord) -> None:
    Heading("Boards")
    holder = ui.column().classes("w-full").props('aria-live="polite"')

    async def check() -> None:
        holder.clear()
        with holder:
            ui.spinner()
        try:
            arguments = ("fit-check", record.id, "--all-boards")
            value = await json_of(*arguments, workspace=live.workspace.folder)
            rows = _board_rows(value["boards"])
        except EyetuneError as error:
            rows, message = [], error.message
        holder.clear()
        with holder:
            if rows:
                header = ["board", "verdict", "flash", "arena", "time"]
                plain_table(header, rows, label="whether the network fits the boards")
            else:
                Text(message)

    with holder:
        ui.button("Check all boards", on_click=check).props("outline color=accent")


def _board_rows(boards: Sequence[dict[str, Any]]) -> list[list[str]]:
    return [
        [
            one_line(str(board["board"])),
            str(board["verdict"]),
            f"{board['flash_bytes']:,} bytes",
            f"{board['arena_bytes']:,} bytes",
            f"{board['latency_ms']:,.0f} ms" if board.get("latency_ms") else "",
        ]
        for board in boards
    ]


def _downloads(opened: Run) -> None:
    Heading("Files")
    with ui.row().classes("gap-4"):
        ui.link("Report", f"/runs/{opened.id}/report.html").classes("plain")
        if opened.record.own_recipe is not None:
            ui.link("Open in the workbench", f"/workbench?start={opened.id}").classes("plain")
        for name, file in DOWNLOADS.items():
            if (opened.folder / file).is_file():
                ui.link(name, f"/runs/{opened.id}/files/{name}").classes("plain")
