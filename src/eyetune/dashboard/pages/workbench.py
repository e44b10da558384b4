"""The workbench: knobs of a recipe, the network that it makes, and its training, live."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from nicegui import ui

from eyetune.dashboard import charts
from eyetune.dashboard.inspector import augmented_images, network_of
from eyetune.dashboard.jobs import Job
from eyetune.dashboard.knobs import KNOBS, Knob, as_command, as_python, knob
from eyetune.dashboard.layout import (
    Heading,
    Text,
    chart,
    described,
    facts,
    follow,
    page,
    plain_table,
)
from eyetune.dashboard.services import Services
from eyetune.data.load import KNOWN_SOURCES
from eyetune.errors import EyetuneError, NotFoundError, RecipeError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord

SETTLED_SECONDS = 0.6  # after the last turn of a knob, before the network is built again
MAX_EARLIER_RUNS = 3  # whose curves stay beside those of the newest


def register(services: Services) -> None:
    """Register the page."""
    live = services.live

    @ui.page("/workbench")
    async def workbench_page(start: str = "") -> None:
        recipe = Recipe().with_({"data.source": "digits"})
        if start:
            try:
                record = await asyncio.to_thread(live.workspace.runs.find, start)
                recipe = record.recipe
            except (NotFoundError, EyetuneError) as error:
                ui.notify(error.message, type="warning")
        with page("Workbench", "/workbench"):
            Heading("Workbench", 1)
            _Workbench(services, recipe).show()


class _Workbench:
    """The page, for one client: its state is a recipe, which each turn of a knob replaces."""

    def __init__(self, services: Services, recipe: Recipe) -> None:
        self._live, self._inspector, self._jobs = services.live, services.inspector, services.jobs
        self._recipe = recipe
        self._turns = 0
        self._job: Job | None = None
        self._has_ended = False  # the job's process
        self._names: list[str] = []  # of runs that this page has started

    def show(self) -> None:
        """Build the page."""
        with ui.grid().classes("w-full grid-cols-1 lg:grid-cols-2 gap-6"):
            with ui.column().classes("w-full"):
                self._show_knobs()
            with ui.column().classes("w-full"):
                self._problem = ui.label().props("role=alert").classes("text-negative")
                Heading("Network")
                self._network = ui.column().classes("w-full").props('aria-live="polite"')
                self._preview = ui.column().classes("w-full")
                Heading("Train")
                self._show_training()
        follow(self._refresh)
        ui.timer(0, self._describe, once=True)  # once a browser shows the page

    def _show_knobs(self) -> None:
        source = ui.input(
            "Data: a name or a path",
            value=self._recipe.data.source,
            autocomplete=list(KNOWN_SOURCES),
            on_change=lambda event: self._turn({"data.source": event.value or "digits"}),
        )
        source.props("debounce=600").classes("w-full")
        for title, paths in KNOBS.items():
            with ui.expansion(title, value=title != "Augmentation").classes("w-full"):
                if title == "Network":
                    self._show_layers()
                with ui.grid().classes("w-full grid-cols-2 gap-x-4"):
                    for path in paths:
                        self._show_knob(knob(path))

    def _show_knob(self, each: Knob) -> None:
        value = each.value_in(self._recipe)

        def turned(event: Any) -> None:
            if event.value is None:  # the field is empty while someone types
                return
            new = int(event.value) if each.kind == "whole number" else event.value
            self._turn({each.path: new})

        element: Any
        if each.kind == "switch":
            element = ui.switch(each.label, value=value, on_change=turned)
        elif each.kind == "choice":
            element = ui.select(list(each.choices), label=each.label, value=value, on_change=turned)
        else:
            element = ui.number(
                each.label, value=value, min=each.minimum, max=each.maximum, on_change=turned
            ).props("debounce=400")
        if each.description:
            element.tooltip(each.description)

    @ui.refreshable_method
    def _show_layers(self) -> None:
        """Show an editor of the blocks and dense layers."""
        model = self._recipe.model
        if model.has_backbone or model.has_function:
            Text("A pre-trained network, or a function, takes the place of the blocks.")
            return
        for position, block in enumerate(model.blocks):
            with ui.row().classes("items-center gap-2"):
                Text(f"block {position + 1}", "span").classes("text-caption")
                self._number("filters", block.filters, f"model.blocks.{position}.filters")
                self._number(
                    "convolutions", block.convolutions, f"model.blocks.{position}.convolutions"
                )
                self._activation(block.activation, f"model.blocks.{position}.activation")
                self._remove_button("blocks", position, is_last=len(model.blocks) == 1)
        for position, layer in enumerate(model.dense):
            with ui.row().classes("items-center gap-2"):
                Text(f"dense {position + 1}", "span").classes("text-caption")
                self._number("units", layer.units, f"model.dense.{position}.units")
                self._activation(layer.activation, f"model.dense.{position}.activation")
                self._remove_button("dense", position)
        with ui.row():
            for kind, title in (("blocks", "Add a block"), ("dense", "Add a dense layer")):
                button = ui.button(title, icon="add", on_click=lambda _, kind=kind: self._add(kind))
                button.props("flat dense color=accent")

    def _remove_button(self, kind: str, position: int, *, is_last: bool = False) -> None:
        button = ui.button(icon="remove", on_click=lambda: self._cut(kind, position))
        label = f"remove {'block' if kind == 'blocks' else 'dense layer'} {position + 1}"
        described(button.props("flat round dense color=accent"), label)
        button.set_enabled(not is_last)

    def _number(self, label: str, value: int, path: str) -> None:
        def turned(event: Any) -> None:
            if event.value is not None:
                self._turn({path: int(event.value)})

        ui.number(label, value=value, min=1, on_change=turned).props("debounce=400").classes("w-20")

    def _activation(self, value: str | None, path: str) -> None:
        choices = ["", *knob("model.activation").choices]
        ui.select(
            choices,
            label="activation",
            value=value or "",
            on_change=lambda event: self._turn({path: event.value or None}),
        ).classes("w-28")

    def _add(self, kind: str) -> None:
        parts = [part.model_dump(exclude_unset=True) for part in getattr(self._recipe.model, kind)]
        parts.append(parts[-1] if parts else {"units": 64})
        self._turn({f"model.{kind}": parts})
        self._show_layers.refresh()

    def _cut(self, kind: str, position: int) -> None:
        parts = [part.model_dump(exclude_unset=True) for part in getattr(self._recipe.model, kind)]
        del parts[position]
        self._turn({f"model.{kind}": parts})
        self._show_layers.refresh()

    def _turn(self, edits: Mapping[str, Any]) -> None:
        """Change the recipe; a value that it refuses is explained, and changes nothing."""
        try:
            before, self._recipe = self._recipe, self._recipe.with_(edits)
        except RecipeError as error:
            details = ", ".join(f"{name}: {text}" for name, text in error.details().items())
            self._problem.set_text(f"{error.message} {details}")
            return
        self._problem.set_text("")
        if before.model.base != self._recipe.model.base:
            self._show_layers.refresh()
        self._turns += 1
        ui.timer(SETTLED_SECONDS, lambda turns=self._turns: self._settle(turns), once=True)

    async def _settle(self, turns: int) -> None:
        """Describe the network once the knobs have come to rest."""
        if turns == self._turns:
            await self._describe()

    async def _describe(self) -> None:
        """Show what the network needs, and what augmentation does to images."""
        recipe = self._recipe
        try:
            needs = await self._inspector.ask(network_of, recipe)
            picture = ""
            if recipe.augments_images:
                picture = await self._inspector.ask(augmented_images, recipe)
            problem = ""
        except EyetuneError as error:
            problem = error.message
        if recipe is not self._recipe:
            return  # a knob was turned meanwhile
        self._problem.set_text(problem)
        if problem:
            return
        self._network.clear()
        with self._network:
            facts(
                {
                    "parameters": f"{needs['parameters']:,}",
                    "MACs": f"{needs['macs']:,}",
                    "model file": f"{needs['flash_bytes']:,} bytes",
                }
            )
            with ui.element("div").classes("w-full overflow-auto").props('tabindex="0"'):
                diagram = ui.image(needs["diagram"]).style("min-width: 36rem")
                diagram.props('alt="the network, layer by layer" no-spinner no-transition')
            header = ["board", "verdict", "of its arena", "of its flash", "time"]
            rows = [_board_row(board) for board in needs["boards"]]
            plain_table(header, rows, label="what the network needs of each board")
        self._preview.clear()
        if picture:
            with self._preview:
                Text("Augmented images; the first of each row is unchanged.").classes("soft")
                ui.image(picture).props('alt="augmented images" no-spinner no-transition').classes(
                    "max-w-xl"
                )

    def _show_training(self) -> None:
        with ui.row().classes("items-center gap-2"):
            self._name = ui.input("Name of the run").classes("w-48")
            self._seed = ui.number("Seed", value=0, min=0, precision=0).classes("w-24")
            self._train = ui.button("Train", icon="play_arrow", on_click=self._start)
        with ui.row().classes("gap-2"):
            for title, make in (("Copy as command", as_command), ("Copy as Python", as_python)):
                ui.button(
                    title, on_click=lambda _, make=make: self._copy(make(self._recipe))
                ).props("flat dense color=accent")
            ui.button("Save as TOML", on_click=self._save).props("flat dense color=accent")
        self._copied = ui.column().classes("w-full")
        self._message = ui.label().props("role=status")
        self._curves = ui.column().classes("w-full")

    def _copy(self, text: str) -> None:
        ui.clipboard.write(text)
        self._copied.clear()
        with self._copied:
            ui.code(text).classes("w-full")

    def _save(self) -> None:
        ui.download.content(self._recipe.to_toml(comments=True), "recipe.toml")

    async def _start(self) -> None:
        """Start the training in a process of its own."""
        arguments = (self._recipe, self._name.value or "", int(self._seed.value or 0))
        try:
            self._job = await asyncio.to_thread(self._jobs.train, *arguments)
        except EyetuneError as error:
            ui.notify(error.message, type="negative")
            return
        self._has_ended = False
        self._names.append(self._job.name)
        self._train.set_enabled(False)
        self._message.set_text("Starting: Keras takes a few seconds ...")

    async def _refresh(self) -> None:
        """Follow the training that was started last, over the curves of those before it."""
        if self._job is None:
            return
        runs = await asyncio.to_thread(self._live.runs)
        named = {run.name: run for run in runs.records.values()}
        shown = [named[name] for name in self._names if name in named][-1 - MAX_EARLIER_RUNS :]
        if self._job.error:
            self._message.set_text(self._job.error)
            self._train.set_enabled(True)
            self._job = None
            return
        if shown and shown[-1].name == self._job.name:
            await self._draw(shown)
        if self._job.is_running:
            return
        if not self._has_ended:  # the runs that were read may be a second older than its end
            self._has_ended = True
            return
        self._train.set_enabled(True)
        self._job = None

    async def _draw(self, shown: list[RunRecord]) -> None:
        histories = await asyncio.to_thread(self._live.histories, [run.id for run in shown])
        newest = shown[-1]
        done = f"{newest.num_epochs_done} of {newest.num_epochs_planned} epochs"
        self._message.set_text(f"{newest.label}: {newest.state}, {done}")
        labelled = {run.label: histories[run.id] for run in shown}
        self._curves.clear()
        with self._curves:
            chart(charts.curves(labelled, "accuracy"), "accuracy by epoch")
            ui.link(f"Open {newest.label}", f"/runs/{newest.id}").classes("plain")


def _board_row(board: Mapping[str, Any]) -> list[str]:
    arena = board["arena_bytes"] / max(1, board["largest_arena_bytes"])
    flash = board["flash_bytes"] / max(1, board["largest_model_bytes"])
    time = board["latency_ms"]
    return [
        str(board["board"]),
        str(board["verdict"]),
        f"{arena:.0%}",
        f"{flash:.0%}",
        f"{time:,.0f} ms" if time else "",
    ]
