"""The firmware of a run: exported for a board, and downloaded."""

from __future__ import annotations

import asyncio
import io
import zipfile
from pathlib import Path

from nicegui import ui

from eyetune.dashboard.layout import Heading, Text, answer_buttons, dialog, follow
from eyetune.dashboard.services import Services
from eyetune.device.boards.profiles import boards
from eyetune.device.export.export_folder import MANIFEST, MODEL, read_manifest, read_model
from eyetune.errors import EyetuneError, UsageError
from eyetune.inputs.damage import explaining_damage
from eyetune.inputs.limits import WEIGHTS_BYTES
from eyetune.inputs.regular_file import read_bytes
from eyetune.values.display import one_line

FIRMWARE = "firmware.zip"
FIRST_BOARD = "esp-eye"


def exported_file(folder: Path, name: str) -> bytes:
    """Return the int8 network of an export, or a zip archive of all of its files.

    Args:
        folder: The folder of the export.
        name: "model.tflite" or "firmware.zip".

    Raises:
        UsageError: There is no such file, or no export.
        BoardError: The network cannot be read.
    """
    manifest = read_manifest(folder)
    if name == MODEL:
        return read_model(folder)
    if name != FIRMWARE:
        raise UsageError(f"There is no {name} of an export.", expected=f"{MODEL} or {FIRMWARE}")
    with explaining_damage(lambda why: UsageError(f"{folder} cannot be read.", received=why)):
        return _zipped(folder, manifest.board.name)


def _zipped(folder: Path, board: str) -> bytes:
    """Return the files of an export as a zip archive, without those that ESP-IDF has built."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            is_built = "build" in path.relative_to(folder).parts
            if path.is_file() and not path.is_symlink() and not is_built:
                inside = Path(f"firmware-{board}") / path.relative_to(folder)
                archive.writestr(inside.as_posix(), read_bytes(path, WEIGHTS_BYTES))
    return stream.getvalue()


class Firmware:
    """The export of a run: a board, a button, and the files once they are there.

    Args:
        services: What the pages share.
        run_id: Id of a complete run.
    """

    def __init__(self, services: Services, run_id: str) -> None:
        self._jobs, self._run = services.jobs, run_id
        self._folder = services.live.workspace.path("exports", run_id)
        self._is_followed = False
        Heading("Firmware")
        with ui.row().classes("items-center gap-4"):
            names = [board.name for board in boards()]
            self._board = ui.select(names, label="Board", value=FIRST_BOARD).classes("w-56")
            self._button = ui.button("Export", icon="memory", on_click=self._export)
            self._button.props("outline color=accent")
            self._message = ui.label().props("role=status").classes("soft")
        self._files = ui.row().classes("gap-4").props('aria-live="polite"')
        self._show_files()
        follow(self._refresh)

    async def _export(self) -> None:
        if (self._folder / MANIFEST).exists() and not await self._may_replace():
            return
        try:
            await asyncio.to_thread(self._jobs.export, self._run, self._board.value)
        except EyetuneError as error:
            ui.notify(one_line(error.message), type="warning")
            return
        self._is_followed = True
        self._button.set_enabled(False)
        self._message.set_text("Exporting: the conversion to int8 takes some seconds ...")

    async def _may_replace(self) -> bool:
        """Ask whether the export that is there, and what was built from it, may be replaced."""
        with dialog("Replace the export") as asked, ui.card():
            Text(f"Replace the export in {self._folder}, with all files in it?")
            answer_buttons(asked, "Replace it")
        return bool(await asked)

    async def _refresh(self) -> None:
        """Follow the export, and show its files once it has ended."""
        job = self._jobs.find_export(self._run)
        if job is None or (not job.is_running and not self._is_followed):
            return
        if job.is_running:
            self._is_followed = True
            self._button.set_enabled(False)
            self._message.set_text(one_line(await asyncio.to_thread(lambda: job.last_line)))
            return
        self._is_followed = False
        self._button.set_enabled(True)
        self._message.set_text(one_line(await asyncio.to_thread(lambda: job.error)))
        self._show_files()

    def _show_files(self) -> None:
        self._files.clear()
        try:
            manifest = read_manifest(self._folder)
        except EyetuneError:
            return
        with self._files:
            Text(f"For {manifest.board.title}:", "span")
            for name in (MODEL, FIRMWARE):
                ui.link(name, f"/runs/{self._run}/export/{name}").classes("plain")
