"""The workbench: knobs of a recipe, the network that it makes, and its training, live."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.validation_element import ValidationElement

from eyetune.dashboard import charts
from eyetune.dashboard.board_table import show_boards
from eyetune.dashboard.inspector import augmented_images, network_of
from eyetune.dashboard.knobs import (
    KNOBS,
    OF_BLOCKS,
    Knob,
    as_command,
    as_python,
    knob,
    layer_meanings,
)
from eyetune.dashboard.layout import (
    Code,
    Heading,
    Text,
    chart,
    described,
    facts,
    folded,
    follow,
    page,
    route,
)
from eyetune.dashboard.services import Services
from eyetune.data.load import KNOWN_SOURCES, recorded_source_or_name
from eyetune.errors import EyetuneError, NotFoundError, RecipeError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState
from eyetune.records.live import LiveRuns
from eyetune.techniques import techniques
from eyetune.techniques.registry import Technique
from eyetune.values.display import one_line

SETTLED_SECONDS = 0.6  # after the last turn of a knob, before the network is built again
CLOSED_GROUP = "Augmentation"  # of knobs, until it is opened
MAX_EARLIER_RUNS = 3  # on the same data, whose curves are drawn in gray
_ENDED_WELL = (RunState.COMPLETE, RunState.PAUSED)
MAX_OWN_RUNS = 4  # of this page, whose curves are drawn in color


def register(services: Services) -> None:
    """Register the page."""
    live = services.live

    @route("/workbench")
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
        self._refused: dict[str, tuple[Any, str]] = {}  # by path: the value, and why
        self._inputs: dict[str, Any] = {}  # the elements of the knobs, by path
        self._can_build = True
        self._job = self._jobs.running_training()  # also after the page was loaded again
        self._has_ended = False  # the job's process
        self._before: frozenset[str] = frozenset()  # ids of runs from before the job
        self._own: list[str] = []  # ids of runs that this page has started
        self._drawn: tuple[Any, ...] = ()
        self._drawn_for: tuple[LiveRuns | None, str] = (None, "")  # the runs, and the data source
        self._source = ("", "")  # as the recipe names it, and as records do

    def show(self) -> None:
        """Build the page."""
        self._timers = ui.element("div")  # what shows the knobs is cleared, with its timers
        with ui.grid().classes("w-full grid-cols-1 lg:grid-cols-2 gap-6"):
            with ui.column().classes("w-full"):
                self._show_source()
                self._show_knobs()
            with ui.column().classes("w-full"):
                Heading("Network")
                self._network = ui.column().classes("w-full").props('aria-live="polite"')
                with self._network:
                    Text("Loading Keras, to build the network ...").classes("soft")
                    ui.spinner()
                self._preview = ui.column().classes("w-full")
                Heading("Train")
                self._show_training()
        follow(self._refresh)
        ui.timer(0, self._describe, once=True)  # once a browser shows the page

    def _show_source(self) -> None:
        source = ui.input(
            "Data: a name or a path",
            value=self._recipe.data.source,
            autocomplete=list(KNOWN_SOURCES),
            on_change=lambda event: self._turn("data.source", event.value or "digits"),
        )
        source.props("debounce=600").classes("w-full")
        with ui.row().classes("w-full items-center gap-2"):
            found = {each.name: each for each in techniques()}
            names = ui.select(list(found), label="Technique", with_input=True).classes("grow")
            values = ui.select([], label="value").classes("w-28")

            def choose(event: Any) -> None:
                chosen = found.get(event.value)
                options = list(chosen.values) if chosen else []
                values.set_options(options, value=options[0] if options else None)
                why.set_text(one_line(chosen.why) if chosen else "")

            names.on_value_change(choose)
            ui.button("Apply", on_click=lambda: self._apply(found.get(names.value), values.value))
        why = Text("").classes("soft q-my-none")

    def _apply(self, technique: Technique | None, value: Any) -> None:
        """Apply a technique of the lab to the recipe."""
        if technique is None:
            ui.notify("Choose a technique first.", type="warning")
            return
        try:
            self._replace(technique.apply(self._recipe, value))
        except EyetuneError as error:
            ui.notify(one_line(f"{error.message} {error.received or ''}"), type="warning")
            return
        self._show_knobs_again()

    def _show_knobs_again(self) -> None:
        """Show the values of the recipe, none of which is refused."""
        self._refused.clear()
        self._show_knobs.refresh()
        self._show_problems()

    @ui.refreshable_method
    def _show_knobs(self) -> None:
        self._inputs.clear()
        for title, paths in KNOBS.items():
            show = partial(self._show_group, title, paths)
            if title == CLOSED_GROUP:
                folded(title, show)
                continue
            with ui.expansion(title, value=True).classes("w-full"):
                show()

    def _show_group(self, title: str, paths: Sequence[str]) -> None:
        if title == "Network":
            self._show_layers()
        with ui.grid().classes("w-full grid-cols-1 sm:grid-cols-2 gap-x-4"):
            for path in paths:
                self._show_knob(knob(path))
        of_layers = layer_meanings() if title == "Network" else {}
        meanings = of_layers | {each.label: each.description for each in map(knob, paths)}
        folded("What these values mean", lambda: _show_meanings(meanings))

    def _show_knob(self, each: Knob) -> None:
        value = each.value_in(self._recipe)

        def turned(event: Any) -> None:
            if event.value is not None:  # the field is empty while someone types
                self._turn(each.path, event.value, whole=each.kind == "whole number")

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
        model = self._recipe.model
        if each.path in OF_BLOCKS and (model.has_backbone or model.has_function):
            element.set_enabled(False)
        self._inputs[each.path] = element

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
                self._turn(path, event.value, whole=True)

        element = ui.number(label, value=value, min=1, on_change=turned)
        self._inputs[path] = element.props("debounce=400").classes("w-20")

    def _activation(self, value: str | None, path: str) -> None:
        as_network = {"": "as the network's"}
        choices = {**as_network, **{name: name for name in knob("model.activation").choices}}
        ui.select(
            choices,
            label="activation",
            value=value or "",
            on_change=lambda event: self._turn(path, event.value or None),
        ).classes("w-36")

    def _add(self, kind: str) -> None:
        parts = [part.model_dump(exclude_unset=True) for part in getattr(self._recipe.model, kind)]
        parts.append(parts[-1] if parts else {"units": 64})
        self._edit_layers(kind, parts)

    def _cut(self, kind: str, position: int) -> None:
        parts = [part.model_dump(exclude_unset=True) for part in getattr(self._recipe.model, kind)]
        del parts[position]
        self._edit_layers(kind, parts)

    def _edit_layers(self, kind: str, parts: list[dict[str, Any]]) -> None:
        """Take other blocks or dense layers, unless the recipe refuses them."""
        try:
            self._replace(self._recipe.with_({f"model.{kind}": parts}))
        except RecipeError as error:
            ui.notify(one_line(error.message), type="warning")
            return
        self._show_knobs_again()

    def _turn(self, path: str, value: Any, *, whole: bool = False) -> None:
        """Change a value of the recipe.

        A value that the recipe refuses is explained beside its knob, and is tried again with the
        next turn of another one: some values exclude each other. Nothing is trained meanwhile.
        """
        base = self._recipe.model.base
        self._refused.pop(path, None)
        waiting = {name: each for name, (each, _) in self._refused.items()}
        try:
            if whole and value != int(value):
                raise RecipeError(f"{path} must be a whole number.", received=value)
            value = int(value) if whole else value
            try:
                self._replace(self._recipe.with_({**waiting, path: value}))
                self._refused.clear()
            except RecipeError:
                self._replace(self._recipe.with_({path: value}))
        except RecipeError as error:
            details = ", ".join(f"{name}: {text}" for name, text in error.details().items())
            self._refused[path] = value, one_line(f"{error.message} {details}")
        if base != self._recipe.model.base:
            self._show_knobs_again()
        else:
            self._show_problems()

    def _replace(self, recipe: Recipe) -> None:
        """Take a recipe, and describe its network once the knobs have come to rest."""
        self._recipe = recipe
        self._turns += 1
        with self._timers:
            ui.timer(SETTLED_SECONDS, lambda turns=self._turns: self._settle(turns), once=True)

    def _show_problems(self, problem: str = "") -> None:
        """Show what is refused, beside its knob and beside the button; it cannot be trained."""
        for path, element in self._inputs.items():
            if isinstance(element, ValidationElement):
                element.error = self._refused[path][1] if path in self._refused else None
        texts = [*(text for _, text in self._refused.values()), problem]
        self._problem.set_text(" ".join(filter(None, texts)))
        self._allow_training()

    def _allow_training(self) -> None:
        self._train.set_enabled(self._can_build and not self._refused and self._job is None)
        self._stop.set_visibility(self._job is not None)
        self._stop.set_enabled(True)

    async def _settle(self, turns: int) -> None:
        """Describe the network once the knobs have come to rest."""
        if turns == self._turns:
            await self._describe()

    async def _describe(self) -> None:
        """Show what the network needs, and what augmentation does to images."""
        recipe = self._recipe
        problem, picture = "", ""
        try:
            needs = await self._inspector.ask(network_of, recipe)
            if recipe.augments_images:
                picture = await self._inspector.ask(augmented_images, recipe)
        except EyetuneError as error:
            problem = one_line(f"{error.message} {error.fix or ''}")
        if recipe is not self._recipe:
            return  # a knob was turned meanwhile
        self._can_build = not problem
        self._network.clear()
        self._preview.clear()
        self._show_problems(problem)
        if problem:
            with self._network:
                Text("This network cannot be built: the reason is beside the button below.")
            return
        with self._network:
            facts(
                {
                    "parameters": f"{needs['parameters']:,}",
                    "MACs": f"{needs['macs']:,}",
                    "model file": f"{needs['flash_bytes']:,} bytes",
                }
            )
            with ui.element("div").classes("w-full overflow-auto").props('tabindex="0"'):
                diagram = ui.image(needs["diagram"]).style("min-width: 48rem")
                diagram.props('alt="the network, layer by layer" no-spinner no-transition')
            show_boards(needs["boards"])
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
            self._stop = ui.button("Stop", icon="stop", on_click=self._end)
            self._stop.props("outline color=accent")
        self._problem = ui.label().props("role=alert").classes("text-negative")
        with ui.row().classes("gap-2"):
            for title, make in (("Copy as command", as_command), ("Copy as Python", as_python)):
                ui.button(title, on_click=lambda _, make=make: self._copy(make)).props(
                    "flat dense color=accent"
                )
            ui.button("Save as TOML", on_click=self._save).props("flat dense color=accent")
        self._copied = ui.column().classes("w-full")
        self._message = ui.label().props("role=status")
        self._link = ui.link("", "").classes("plain")
        self._link.set_visibility(False)
        with ui.grid().classes("w-full grid-cols-1 xl:grid-cols-2"):
            self._charts = {
                metric: chart(charts.curves({}, metric), f"{metric} by epoch")
                for metric in ("accuracy", "loss")
            }
        for element in self._charts.values():
            element.set_visibility(False)
        self._allow_training()

    def _copy(self, make: Callable[..., str]) -> None:
        text = make(self._recipe, seed=int(self._seed.value or 0), name=self._name.value or "")
        ui.clipboard.write(text)
        self._copied.clear()
        with self._copied:
            Code(text)

    def _save(self) -> None:
        ui.download.content(self._recipe.to_toml(comments=True), "recipe.toml")

    async def _start(self) -> None:
        """Start the training in a process of its own."""
        runs = await asyncio.to_thread(self._live.runs)
        self._before = frozenset(runs.records)
        arguments = (self._recipe, self._name.value or "", int(self._seed.value or 0))
        try:
            self._job = await asyncio.to_thread(self._jobs.train, *arguments)
        except EyetuneError as error:
            ui.notify(error.message, type="negative")
            return
        self._has_ended = False
        self._allow_training()
        self._message.set_text("Starting: Keras takes a few seconds ...")

    def _end(self) -> None:
        if self._job is not None:
            self._job.stop()
            self._stop.set_enabled(False)
            self._message.set_text("Stopping: whole epochs are kept ...")

    async def _refresh(self) -> None:
        """Follow the training that was started last, over the curves of earlier runs."""
        runs = await asyncio.to_thread(self._live.runs)
        job = self._job
        if job is not None:
            newest = next(
                (
                    run
                    for run in reversed(list(runs.records.values()))
                    if run.name == job.name and run.id not in self._before
                ),
                None,
            )
            if newest is not None:
                if newest.id not in self._own:
                    self._own.append(newest.id)
                self._say(newest)
            has_ended_well = newest is not None and newest.state in _ENDED_WELL
            if job.error and not has_ended_well:
                self._message.set_text(one_line(job.error))
        drawn_for = (runs, self._recipe.data.source)
        if self._drawn_for[0] is not runs or self._drawn_for != drawn_for:
            self._drawn_for = drawn_for
            await self._draw(list(runs.records.values()))
        if job is None or job.is_running:
            return
        if not self._has_ended:  # the runs that were read may be a second older than its end
            self._has_ended = True
            return
        self._job = None
        self._allow_training()

    def _say(self, run: RunRecord) -> None:
        done = f"{run.num_epochs_done} of {run.num_epochs_planned} epochs"
        text = f"{run.label}: {run.state}, {done}"
        if run.state is RunState.PAUSED:
            folder = shlex.quote(str(self._live.workspace.folder))
            text += f". To continue: eyetune train --resume {run.id} --workspace {folder}"
        self._message.set_text(one_line(text))
        self._link.set_text(one_line(f"Open {run.label}"))
        self._link.props["href"] = f"/runs/{run.id}"
        self._link.update()
        self._link.set_visibility(True)

    async def _draw(self, runs: list[RunRecord]) -> None:
        """Draw the curves of this page's runs over those of earlier ones on the same data."""
        if self._recipe.data.source != self._source[0]:
            named = self._recipe.data.source
            self._source = named, await asyncio.to_thread(recorded_source_or_name, named)
        source = self._source[1]
        earlier = [
            run
            for run in runs
            if run.data.source == source
            and run.num_epochs_done
            and run.id not in self._own
            and not (run.lab_id or run.study_id)
        ][-MAX_EARLIER_RUNS:]
        by_id = {run.id: run for run in runs}
        own = [by_id[run_id] for run_id in self._own if run_id in by_id][-MAX_OWN_RUNS:]
        shown = [*earlier, *own]
        state = tuple((run.id, run.num_epochs_done) for run in shown)
        if state == self._drawn:
            return
        self._drawn = state
        histories = await asyncio.to_thread(self._live.histories, [run.id for run in shown])
        labelled = {run.label: histories[run.id] for run in shown}
        pale = {run.label for run in earlier}
        for metric, element in self._charts.items():
            element.options.update(charts.curves(labelled, metric, pale=pale))
            element.update()
            element.set_visibility(bool(shown))


def _show_meanings(meanings: Mapping[str, str]) -> None:
    """Show what values mean; the tip of a knob says it only to those who have a mouse."""
    with ui.element("dl").classes("q-my-none"):
        for name, meaning in meanings.items():
            Text(name, "dt").classes("text-weight-medium")
            Text(meaning, "dd").classes("soft q-mb-sm")
