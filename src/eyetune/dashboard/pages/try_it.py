"""Try it: a picture or a webcam, and what a network answers for it, in float and in int8."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import itertools
from collections.abc import Sequence
from typing import Any

from nicegui import events, ui

from eyetune.dashboard.inspector import answers_for
from eyetune.dashboard.layout import (
    Heading,
    Text,
    described,
    page,
    route,
)
from eyetune.dashboard.live import Live
from eyetune.dashboard.services import Services
from eyetune.errors import EyetuneError
from eyetune.records import RunRecord, RunState, query
from eyetune.values.display import one_line
from eyetune.values.numbers import percentage
from eyetune.values.run_files import MODEL_FILE

MAX_PICTURE_BYTES = 16 * 1024 * 1024
MAX_PICTURES = 20  # at a time
MAX_CHOICES = 200  # runs, the newest first
SECONDS_BETWEEN_FRAMES = 1.0
FRAME_WIDTH = 320  # pixels
_FRAME = "data:image/jpeg;base64,"

# Quasar's own has a button without a name for screen readers; a named one is beside it.
_UPLOAD_HEADER = """
<div class="q-pa-md">Drop pictures here</div>
<div style="display: none"><q-uploader-add-trigger /></div>
"""

# Shows the webcam in a video element; returns "" or why that fails.
_OPEN_CAMERA = """
const video = document.getElementById('webcam');
if (!navigator.mediaDevices) {
  return 'A browser gives its camera only to pages of this machine (localhost) or of HTTPS.';
}
try {
  video.srcObject = await navigator.mediaDevices.getUserMedia({video: true});
  await video.play();
  return '';
} catch (error) { return String(error.message || error); }
"""
_CLOSE_CAMERA = """
const video = document.getElementById('webcam');
if (video && video.srcObject) {
  video.srcObject.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
}
"""
_TAKE_FRAME = f"""
const video = document.getElementById('webcam');
if (!video || !video.srcObject || !video.videoWidth) return '';
const canvas = document.createElement('canvas');
canvas.width = {FRAME_WIDTH};
canvas.height = Math.round({FRAME_WIDTH} * video.videoHeight / video.videoWidth);
canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
return canvas.toDataURL('image/jpeg', 0.9);
"""


def register(services: Services) -> None:
    """Register the page."""

    @route("/try")
    async def try_page(run: str = "") -> None:
        runs = await asyncio.to_thread(_networks, services.live)
        with page("Try it", "/try"):
            Heading("Try it", 1)
            if not runs:
                Text("There is no trained network yet. To train one: eyetune train --data digits")
                return
            _TryView(services, runs, run)


def _networks(live: Live) -> list[RunRecord]:
    """Return the runs that have a network for images, the newest first."""
    runs = live.workspace.runs
    found = (
        record
        for record in list(live.runs().records.values())[::-1]
        if record.state is RunState.COMPLETE
        and record.data.has_images
        and record.data.class_names
        and (runs.folder(record.id) / MODEL_FILE).is_file()
    )
    return list(itertools.islice(found, MAX_CHOICES))


class _TryView:
    """The page, for one client."""

    def __init__(self, services: Services, runs: Sequence[RunRecord], chosen: str) -> None:
        self._services = services
        self._is_busy = False
        options = {record.id: one_line(_label(record)) for record in runs}
        self._run = ui.select(
            options,
            label="Network",
            value=chosen if chosen in options else runs[0].id,
            with_input=True,
        ).classes("w-full max-w-xl")
        Text(
            "A picture becomes a frame of the camera, and then the network's image, by the same "
            "arithmetic as in the firmware. Pictures stay on this machine."
        ).classes("soft q-my-none")
        with ui.row().classes("w-full items-start gap-6"):
            upload = ui.upload(
                multiple=True,
                auto_upload=True,
                max_file_size=MAX_PICTURE_BYTES,
                max_files=MAX_PICTURES,
                on_multi_upload=self._uploaded,
                on_rejected=lambda: ui.notify(
                    f"At most {MAX_PICTURES} pictures of at most {MAX_PICTURE_BYTES // 2**20} MiB.",
                    type="warning",
                ),
            )
            upload.props('accept="image/*" flat bordered').classes("w-full max-w-md")
            upload.add_slot("header", _UPLOAD_HEADER)
            with ui.column():
                choose = ui.button("Choose pictures", icon="image").props("outline color=accent")
                choose.on(
                    "click", js_handler=f"() => getElement({upload.id}).$refs.qRef.pickFiles()"
                )
                self._video = ui.element("video").props(
                    "id=webcam muted playsinline aria-label=webcam"
                )
                self._video.style(f"width: {FRAME_WIDTH}px; max-width: 100%")
                self._video.set_visibility(False)
                self._camera = ui.button(
                    "Use the webcam", icon="photo_camera", on_click=self._toggle_camera
                ).props("outline color=accent")
        self._message = ui.label().props("role=status")
        self._answers = ui.row().classes("w-full gap-6").props('aria-live="polite"')
        self._frames = ui.timer(SECONDS_BETWEEN_FRAMES, self._classify_frame, active=False)

    async def _uploaded(self, event: events.MultiUploadEventArguments) -> None:
        """Classify pictures that were dropped."""
        event.sender.reset()  # type: ignore[attr-defined]
        files = event.files[:MAX_PICTURES]
        if self._is_busy or any(file.size() > MAX_PICTURE_BYTES for file in files):
            self._message.set_text(
                f"Wait for the last answer, and choose pictures of {MAX_PICTURE_BYTES // 2**20} "
                "MiB at most."
            )
            return
        pictures = [(file.name, await file.read()) for file in files]
        self._message.set_text("Classifying: the first time takes some seconds ...")
        await self._classify(pictures)

    async def _toggle_camera(self) -> None:
        if self._frames.active:
            self._frames.deactivate()
            self._video.set_visibility(False)
            self._camera.set_text("Use the webcam")
            await ui.run_javascript(_CLOSE_CAMERA)
            return
        self._video.set_visibility(True)
        problem = await ui.run_javascript(_OPEN_CAMERA, timeout=60)
        if problem:
            self._video.set_visibility(False)
            self._message.set_text(f"The webcam cannot be used. {one_line(str(problem))}")
            return
        self._camera.set_text("Stop the webcam")
        self._message.set_text("Classifying: the first time takes some seconds ...")
        self._frames.activate()

    async def _classify_frame(self) -> None:
        """Classify a frame of the webcam, unless the last one is not done."""
        if self._is_busy:
            return
        with contextlib.suppress(TimeoutError):  # the page was closed
            content = decoded_frame(await ui.run_javascript(_TAKE_FRAME, timeout=10))
            if content:
                await self._classify([("webcam", content)])

    async def _classify(self, pictures: Sequence[tuple[str, bytes]]) -> None:
        self._is_busy = True
        folder = self._services.live.workspace.folder
        try:
            answers = await self._services.inspector.ask(
                answers_for, folder, self._run.value, list(pictures)
            )
        except EyetuneError as error:
            self._message.set_text(one_line(f"{error.message} {error.received or ''}"))
            return
        finally:
            self._is_busy = False
        self._message.set_text(one_line(" ".join(answers["notes"])))
        self._answers.clear()
        with self._answers:
            for picture in answers["pictures"]:
                _show(picture)
            for name, reason in answers["unreadable"]:
                Text(f"{name} cannot be read: {reason}")


def decoded_frame(url: object) -> bytes:
    """Return the content of a frame that a browser has sent as a data URL; b"" if it is none.

    Example:
        >>> decoded_frame("data:image/jpeg;base64,/9j/"), decoded_frame(None)
        (b'\\xff\\xd8\\xff', b'')
    """
    if not isinstance(url, str) or not url.startswith(_FRAME):
        return b""
    try:
        return base64.b64decode(url.removeprefix(_FRAME), validate=True)
    except binascii.Error:
        return b""


def _label(record: RunRecord) -> str:
    accuracy = percentage(query.figures(record)["validation_accuracy"])
    return ", ".join(filter(None, [record.label, record.data.name, accuracy]))


def _show(picture: dict[str, Any]) -> None:
    """Show a picture as the network sees it, with both answers."""
    with ui.card().classes("w-full max-w-md"):
        Text(picture["image"]).classes("text-bold q-my-none").style("overflow-wrap: anywhere")
        with ui.element("figure").classes("q-ma-none"):
            image = ui.image(picture["seen"]).style("width: 160px; image-rendering: pixelated")
            image.props('alt="the picture as the network sees it" no-spinner no-transition')
            Text("as the network sees it", "figcaption").classes("text-caption soft")
        with ui.grid().classes("w-full grid-cols-1 sm:grid-cols-2 gap-4"):
            for name in ("float", "int8"):
                if picture[name] is not None:
                    with ui.column().classes("gap-1"):
                        _show_answer(name, picture[name])


def _show_answer(name: str, answer: dict[str, Any]) -> None:
    Text(f"{name}: {answer['label']}, {answer['confidence']:.0%}").classes("text-bold q-my-none")
    for each in answer["classes"]:
        with ui.row().classes("w-full items-center no-wrap gap-2"):
            Text(each["name"], "span").classes("text-caption ellipsis").style("width: 5rem")
            bar = ui.linear_progress(each["probability"], show_value=False, size="0.5rem")
            described(bar.classes("grow").props("color=accent"), f"probability in {name}")
            Text(f"{each['probability']:.0%}", "span").classes("text-caption numbers")
