"""Data: samples and balance of a source, and the findings of its check to confirm or dismiss."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from eyetune.analysis.data_findings import FindingKind, Move, moves_of
from eyetune.api.set_aside import set_aside_files, undo_check
from eyetune.dashboard import charts
from eyetune.dashboard.commands import json_of
from eyetune.dashboard.jobs import FOLDER, as_argument
from eyetune.dashboard.layout import (
    Heading,
    Text,
    answer_buttons,
    chart,
    described,
    dialog,
    facts,
    follow,
    page,
    route,
)
from eyetune.dashboard.live import Live
from eyetune.dashboard.pictures import png_url
from eyetune.dashboard.services import Services
from eyetune.data.load import KNOWN_SOURCES, folder_of, recorded_source_or_name
from eyetune.errors import EyetuneError, NotFoundError
from eyetune.records.check_store import CheckRecord, Decision, RecordedFinding, check_key
from eyetune.values.display import one_line
from eyetune.values.numbers import count_text

FINDINGS_PER_PAGE = 20
MAX_THUMBNAILS = 6  # of a finding
MAX_NAMED_FILES = 10  # of those that are about to be moved
_SHOWN = {"open": None, "confirmed": "confirmed", "dismissed": "dismissed"}


def register(services: Services) -> None:
    """Register the page."""

    @route("/data")
    async def data_page(source: str = "") -> None:
        sources = await asyncio.to_thread(_sources, services.live)
        with page("Data", "/data"):
            Heading("Data", 1)
            await _DataView(services, sources, source).show()


def _sources(live: Live) -> list[str]:
    """Return the sources that this workspace knows, the last used first."""
    of_runs = [record.data.source for record in list(live.runs().records.values())[::-1]]
    return list(dict.fromkeys([*of_runs, *live.workspace.checks.sources(), *KNOWN_SOURCES]))


class _DataView:
    """The page, for one client."""

    def __init__(self, services: Services, sources: Sequence[str], source: str) -> None:
        self._services = services
        self._workspace = services.live.workspace
        self._sources, self._first = sources, source
        self._source = ""
        self._record: CheckRecord | None = None
        self._damage = ""  # why its check cannot be shown
        self._start = 0  # of the findings that are shown

    async def show(self) -> None:
        """Build the page."""
        with ui.row().classes("w-full items-center gap-4"):
            self._name = ui.input(
                "Source: a name, an archive, a folder of images or an .npz file",
                value=self._first or (self._sources[0] if self._sources else "digits"),
                autocomplete=list(self._sources),
            ).classes("grow")
            ui.button("Show", on_click=self._show_source)
        self._message = ui.label().props("role=status")
        self._samples = ui.column().classes("w-full").props('aria-live="polite"')
        Heading("Check")
        with ui.row().classes("items-center gap-4"):
            self._check = ui.button("Check the data", on_click=self._start_check)
            self._check.props("outline color=accent")
            self._progress = ui.label().props("role=status").classes("soft")
        self._choice = ui.radio(list(_SHOWN), value="open", on_change=self._show_first)
        self._choice.props('inline color=accent aria-label="findings to show"')
        self._findings = ui.column().classes("w-full")
        self._actions = ui.row().classes("gap-2")
        follow(self._follow_check)
        await self._load_check()
        if self._first:  # once a browser shows the page: to load it otherwise starts no work
            ui.timer(0, self._show_source, once=True)

    async def _show_source(self) -> None:
        """Show samples and balance of the source, and its last check."""
        await self._load_check()
        source = self._source
        self._samples.clear()
        with self._samples:
            ui.spinner()
        try:
            picture = self._workspace.path(FOLDER, f"samples-{check_key(source)}.png")
            picture.parent.mkdir(exist_ok=True)
            arguments = ("data", "show", as_argument(source), "--output", str(picture))
            value = await json_of(*arguments, workspace=self._workspace.folder)
            content = await asyncio.to_thread(picture.read_bytes)
            problem = ""
        except (EyetuneError, OSError) as error:
            problem = one_line(getattr(error, "message", str(error)))
        if source != self._source:  # another one was chosen meanwhile
            return
        self._message.set_text(problem)
        self._samples.clear()
        if not problem:
            with self._samples:
                _show_samples(value, content)

    async def _load_check(self) -> None:
        """Take the source from the input, and show its last check."""
        self._source = await asyncio.to_thread(
            recorded_source_or_name, self._name.value or "digits"
        )
        self._start = 0
        await self._reload_check()

    async def _reload_check(self) -> None:
        """Show the last check of the source."""
        source, record, damage = self._source, None, ""
        try:
            record = await asyncio.to_thread(self._workspace.checks.get, check_key(source))
        except NotFoundError:
            pass
        except EyetuneError as error:
            damage = f"{error.message} {error.fix or ''}"
        if source == self._source:
            self._record, self._damage = record, damage
            self._show_findings()

    async def _start_check(self) -> None:
        await self._load_check()
        try:
            await asyncio.to_thread(self._services.jobs.check_data, self._source)
        except EyetuneError as error:
            ui.notify(error.message, type="warning")
            return
        self._check.set_enabled(False)

    async def _follow_check(self) -> None:
        """Show what a check prints, and its findings once it has ended."""
        job = self._services.jobs.find_check(self._source)
        if job is None:  # another source may have been checked before
            self._check.set_enabled(True)
            self._progress.set_text("")
            return
        if job.is_running:
            self._check.set_enabled(False)
            self._progress.set_text(one_line(await asyncio.to_thread(lambda: job.last_line)))
            return
        if not self._check.enabled:
            self._check.set_enabled(True)
            self._progress.set_text(one_line(await asyncio.to_thread(lambda: job.error)))
            await self._reload_check()

    def _show_first(self) -> None:
        self._start = 0
        self._show_findings()

    def _show_findings(self) -> None:
        """Show a page of the findings, and what can be done with those that are confirmed."""
        record = self._record
        self._findings.clear()
        self._actions.clear()
        self._choice.set_visibility(record is not None)
        if record is None:
            with self._findings:
                Text(
                    self._damage
                    or "This source has not been checked yet. Nothing is changed by a check."
                )
            return
        chosen = [
            finding
            for finding in record.findings
            if finding.decision == _SHOWN[self._choice.value or "open"]
        ]
        with self._findings:
            total = f"{len(record.findings):,} findings on {record.created_at:%d %B %Y, %H:%M} UTC"
            Text(f"{len(chosen):,} {self._choice.value} of {total}").classes("soft q-my-none")
            for finding in chosen[self._start : self._start + FINDINGS_PER_PAGE]:
                self._show_finding(record, finding)
            self._show_paging(len(chosen))
        with self._actions:
            self._show_actions(record)

    def _show_paging(self, count: int) -> None:
        if count <= FINDINGS_PER_PAGE:
            return

        def turn(step: int) -> None:
            self._start = max(0, min(self._start + step, count - 1))
            self._show_findings()

        end = min(self._start + FINDINGS_PER_PAGE, count)
        with ui.row().classes("items-center gap-2"):
            before = ui.button("Previous", on_click=lambda: turn(-FINDINGS_PER_PAGE))
            before.props("flat color=accent").set_enabled(self._start > 0)
            Text(f"{self._start + 1} to {end} of {count:,}", "span")
            after = ui.button("Next", on_click=lambda: turn(FINDINGS_PER_PAGE))
            after.props("flat color=accent").set_enabled(end < count)

    def _show_finding(self, record: CheckRecord, finding: RecordedFinding) -> None:
        with ui.card().classes("w-full"), ui.row().classes("w-full items-center gap-4"):
            for name in finding.files[:MAX_THUMBNAILS]:
                if thumbnail := record.thumbnails.get(name):
                    image = ui.image(thumbnail).style("width: 96px")
                    described(image.props("no-spinner no-transition"), name, "alt")
            with ui.column().classes("gap-1").style("flex: 1 1 16rem; min-width: 0"):
                Text(f"{finding.kind}: {finding.text}").classes("q-my-none").style(
                    "overflow-wrap: anywhere"
                )
                with ui.row().classes("gap-2"):
                    for title, decision in self._choices(finding):
                        button = ui.button(
                            title,
                            on_click=lambda _, finding=finding, decision=decision: self._decide(
                                finding, decision
                            ),
                        )
                        label = f"{title}: {finding.text[:80]}"
                        described(button.props("flat dense color=accent"), label)

    def _choices(self, finding: RecordedFinding) -> list[tuple[str, Decision | None]]:
        if finding.decision is not None:
            return [("Reopen", None)]
        return [("Confirm", "confirmed"), ("Dismiss", "dismissed")]

    async def _decide(self, finding: RecordedFinding, decision: Decision | None) -> None:
        assert self._record is not None
        key = self._record.key
        try:
            record = await asyncio.to_thread(
                self._workspace.checks.decide, key, finding.key, decision
            )
        except EyetuneError as error:
            ui.notify(error.message, type="negative")
            return
        if key == check_key(self._source):
            self._record = record
            self._show_findings()

    def _show_actions(self, record: CheckRecord) -> None:
        moves = _confirmed_files(record)
        if folder_of(record.source) is None:
            if moves:
                Text(
                    "This source has no files of its own. Leave the confirmed pictures out of your "
                    "arrays."
                ).classes("soft")
            return
        if moves:
            files = count_text(len(moves), "confirmed file")
            ui.button(f"Move {files} aside", on_click=self._move)
        button = ui.button("Move all files back", on_click=self._undo)
        button.props("outline color=accent")

    async def _move(self) -> None:
        """Move the confirmed files aside, after showing which."""
        assert self._record is not None
        source, moves = self._record.source, _confirmed_files(self._record)
        with dialog("Move files aside") as asked, ui.card():
            Text(f"Move {count_text(len(moves), 'file')} of {source} aside?")
            with ui.element("ul").classes("q-my-none"):
                for name in list(moves)[:MAX_NAMED_FILES]:
                    Text(name, "li")
            if len(moves) > MAX_NAMED_FILES:
                Text(f"and {len(moves) - MAX_NAMED_FILES:,} more").classes("soft")
            answer_buttons(asked, "Move them")
        if await asked:
            await self._change(lambda: set_aside_files(source, moves), "moved aside")

    async def _undo(self) -> None:
        assert self._record is not None
        source = self._record.source
        await self._change(lambda: undo_check(source), "moved back")

    async def _change(self, change: Callable[[], Any], done: str) -> None:
        """Move files, and say what was done."""
        try:
            moved = await asyncio.to_thread(change)
        except EyetuneError as error:
            ui.notify(error.message, type="warning")
            return
        kept = f" {len(moved.kept):,} stayed." if moved.kept else ""
        ui.notify(f"{count_text(len(moved.moved), 'file')} {done}.{kept}", type="positive")


def _confirmed_files(record: CheckRecord) -> dict[str, FindingKind]:
    """Return the files that confirmed findings would move aside, each with the first reason."""
    return moves_of(
        Move(FindingKind(finding.kind), finding.files, finding.surplus)
        for finding in record.findings
        if finding.decision == "confirmed"
    )


def _show_samples(value: dict[str, Any], content: bytes) -> None:
    """Show sizes, balance and samples, as `eyetune data show` returns them."""
    splits = value["splits"]
    sizes = {name: f"{split['images'][0]:,} images" for name, split in splits.items()}
    _, height, width, channels = splits["train"]["images"]
    facts(
        {**sizes, "classes": str(len(value["classes"])), "pixels": f"{height}x{width}x{channels}"}
    )
    for note in value["notes"]:
        Text(note).classes("q-my-none")
    if value["imbalance"]["ratio"] > 1:
        Text(
            f"The largest class has {value['imbalance']['ratio']:.1f} times as many training "
            "images as the smallest."
        ).classes("q-my-none")
    counts = dict(zip(value["classes"], splits["train"]["class_counts"], strict=True))
    height_rem = f"{5 + 1.5 * len(counts):.1f}rem"
    if len(counts) <= charts.MAX_BARS:
        chart(charts.bars(counts, "Training images of each class"), "balance", height=height_rem)
    image = ui.image(png_url(content)).props('alt="samples of each class" no-spinner no-transition')
    image.classes("w-full max-w-2xl")
