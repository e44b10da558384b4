"""A run: curves, verdict, confusions with their pictures, network, boards and downloads."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fastapi.responses import FileResponse, Response
from nicegui import app, ui

from eyetune.analysis.metrics import Evaluation
from eyetune.analysis.verdict import Verdict
from eyetune.api.report import write_report
from eyetune.api.run import Run
from eyetune.dashboard.board_table import show_boards
from eyetune.dashboard.commands import json_of
from eyetune.dashboard.layout import (
    Code,
    Heading,
    Text,
    facts,
    follow,
    page,
    route,
)
from eyetune.dashboard.live import Live
from eyetune.dashboard.pages.run_confusions import Confusions
from eyetune.dashboard.pages.run_epochs import Epochs
from eyetune.dashboard.pages.run_firmware import Firmware, exported_file
from eyetune.dashboard.pages.run_network import Explanation, show_network
from eyetune.dashboard.services import Services
from eyetune.errors import EyetuneError, NotFoundError
from eyetune.records import RunRecord, RunState, query
from eyetune.values.history import History
from eyetune.values.numbers import duration, percentage
from eyetune.values.run_files import MODEL_FILE, RECIPE_FILE

DOWNLOADS = {"recipe.toml": RECIPE_FILE, "model.keras": MODEL_FILE}


def register(services: Services) -> None:
    """Register the page and its downloads."""
    live = services.live

    @route("/runs/{run_id}")
    async def run_page(run_id: str) -> None:
        try:
            record = await asyncio.to_thread(live.workspace.runs.find, run_id)
        except NotFoundError as error:
            ui.status_code(404)
            with page("Run not found", "/"):
                Heading("Run not found", 1)
                Text(error.message)
            return
        content = await asyncio.to_thread(_content, live, record)
        with page(record.label, "/"):
            _RunView(services, content)

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

    @app.get("/runs/{run_id}/export/{name}")
    def send_export(run_id: str, name: str) -> Response:
        """Send the int8 network or the firmware of a run's export."""
        try:
            record = live.workspace.runs.find(run_id)
            content = exported_file(live.workspace.path("exports", record.id), name)
        except EyetuneError as error:
            return Response(error.message, status_code=404, media_type="text/plain")
        headers = {"Content-Disposition": f'attachment; filename="{record.id}-{name}"'}
        return Response(content, media_type="application/octet-stream", headers=headers)

    @app.get("/runs/{run_id}/report.html")
    def send_report(run_id: str) -> Response:
        """Make the report of a run, and send it."""
        try:
            path = write_report(run_id, workspace=live.workspace).path
        except EyetuneError as error:
            return Response(error.message, status_code=404, media_type="text/plain")
        return FileResponse(path, media_type="text/html", content_disposition_type="inline")


@dataclass(frozen=True)
class _Content:
    """What the page of a run shows, read and computed before the page is built.

    Attributes:
        run: The run.
        history: Its epochs.
        verdict: The verdict on it; None if there is none.
        evaluation: How it classifies the images of its shown split; None if that is not recorded.
    """

    run: Run
    history: History
    verdict: Verdict | None = None
    evaluation: Evaluation | None = None


def _content(live: Live, record: RunRecord) -> _Content:
    """Return what the page of a run shows. It reads predictions, so it belongs in a thread."""
    run, history = Run(live.workspace, record), live.history(record.id)
    if record.results is None or not run.has_predictions:
        return _Content(run, history)
    verdict = run.verdict if run.has_verdict else None
    return _Content(run, history, verdict, run.evaluation(run.shown_split))


class _RunView:
    """The page of a run, for one client."""

    def __init__(self, services: Services, content: _Content) -> None:
        self._services, self._live = services, services.live
        record = content.run.record
        self._content = content
        Heading(record.label, 1)
        self._facts = ui.element("div")
        self._progress = ui.linear_progress(0, show_value=False, size="0.6rem").props(
            'aria-label="share of the epochs that are trained"'
        )
        self._epochs = Epochs(content.history)
        _Notes(services.live, record)  # not part of what is shown again after each epoch
        self._details = ui.column().classes("w-full")
        self._show_progress()
        self._show_details()
        self._timer = follow(self._refresh, active=not record.is_over)

    async def _refresh(self) -> None:
        record = await asyncio.to_thread(self._live.run, self._content.run.id)
        if record == self._content.run.record:
            return
        before, self._content = self._content, await asyncio.to_thread(_content, self._live, record)
        self._epochs.show(self._content.history)
        self._show_progress()
        if _lasting(record) != _lasting(before.run.record):  # what was opened in it stays open
            self._show_details()
        if record.is_over:
            self._timer.deactivate()

    def _show_progress(self) -> None:
        record = self._content.run.record
        self._facts.clear()
        with self._facts:
            facts(_facts(record))
        planned = max(1, record.num_epochs_planned)
        self._progress.set_value(min(1.0, record.num_epochs_done / planned))
        self._progress.set_visibility(record.state is RunState.RUNNING)

    def _show_details(self) -> None:
        self._details.clear()
        with self._details:
            _details(self._services, self._content)


def _lasting(record: RunRecord) -> tuple[object, ...]:
    """Return what the details of a page follow from; epochs, notes and tags are not part of it."""
    return record.state, record.results, record.error, record.network


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
        "validation accuracy": percentage(query.figures(record)["validation_accuracy"]),
        "test accuracy": percentage(results.test_accuracy if results else None),
        "seed": str(record.seed),
        "precision": record.precision,
    }
    return {name: value for name, value in values.items() if value}


def _details(services: Services, content: _Content) -> None:
    run, record = content.run, content.run.record
    if record.error:
        Heading("Error")
        Code(record.error)
    if content.verdict is not None:
        _verdict(run.id, content.verdict)
    if content.evaluation is not None:
        Confusions(run, content.evaluation)
    show_network(run)
    classifies_images = record.results is not None and run.has_network and record.data.has_images
    if classifies_images:
        Explanation(services, record)
    _boards(services.live, record)
    if classifies_images:
        Firmware(services, record.id)
    _downloads(run)


def _verdict(run_id: str, verdict: Verdict) -> None:
    Heading("Verdict")
    for sentence in verdict.sentences:
        Text(sentence).classes("q-my-xs")
    if verdict.suggestions:
        Heading("What to try next", 3)
    for each in verdict.suggestions:
        Text(f"{each.technique}: {each.reason}").classes("q-my-none")
        Code(f"eyetune train {run_id} {each.command}")


class _Notes:
    """The note and the tags of a run."""

    def __init__(self, live: Live, record: RunRecord) -> None:
        self._store, self._id = live.workspace.runs, record.id
        Heading("Note and tags")
        with ui.row().classes("w-full items-end gap-4"):
            self._tags = ui.input_chips(
                "Tags", value=list(record.tags), new_value_mode="add-unique"
            ).classes("w-72")
            self._note = ui.textarea("Note", value=record.note).props("autogrow").classes("grow")
            ui.button("Save", on_click=self._save).props("outline color=accent")

    async def _save(self) -> None:
        try:
            await asyncio.to_thread(
                self._store.annotate, self._id, note=self._note.value or "", tags=self._tags.value
            )
        except EyetuneError as error:
            ui.notify(f"{error.message} Expected: {error.expected}.", type="warning")
            return
        ui.notify("Saved", type="positive")


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
            boards, message = value["boards"], ""
        except EyetuneError as error:
            boards, message = [], error.message
        holder.clear()
        with holder:
            if boards:
                show_boards(boards)
            else:
                Text(message)

    with holder:
        ui.button("Check all boards", on_click=check).props("outline color=accent")


def _downloads(opened: Run) -> None:
    Heading("Files")
    with ui.row().classes("gap-4"):
        ui.link("Report", f"/runs/{opened.id}/report.html").classes("plain")
        if opened.has_network and opened.record.data.has_images:
            ui.link("Try it with pictures", f"/try?run={opened.id}").classes("plain")
        if opened.record.own_recipe is not None:
            ui.link("Open in the workbench", f"/workbench?start={opened.id}").classes("plain")
        for name, file in DOWNLOADS.items():
            if (opened.folder / file).is_file():
                ui.link(name, f"/runs/{opened.id}/files/{name}").classes("plain")
