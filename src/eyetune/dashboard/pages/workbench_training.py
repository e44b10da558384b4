"""Training in the workbench: its buttons, and curves that grow with it."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable
from typing import Any

from nicegui import ui

from eyetune.dashboard import charts
from eyetune.dashboard.knobs import as_command, as_python
from eyetune.dashboard.layout import Code, chart, follow
from eyetune.dashboard.services import Services
from eyetune.data.load import recorded_source_or_name
from eyetune.errors import EyetuneError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState
from eyetune.records.live import LiveRuns
from eyetune.values.display import one_line

MAX_EARLIER_RUNS = 3  # on the same data, whose curves are drawn in gray
MAX_OWN_RUNS = 4  # of this page, whose curves are drawn in color
_ENDED_WELL = (RunState.COMPLETE, RunState.PAUSED)


class TrainingPanel:
    """The part of the workbench, for one client, that trains its recipe.

    Args:
        services: The services of the server.
        current_recipe: Returns the recipe as the knobs say it now.
    """

    def __init__(self, services: Services, current_recipe: Callable[[], Recipe]) -> None:
        self._live, self._jobs = services.live, services.jobs
        self._current_recipe = current_recipe
        self._job = self._jobs.running_training()  # also after the page was loaded again
        self._has_ended = False  # the job's process
        self._before: frozenset[str] = frozenset()  # ids of runs from before the job
        self._own: list[str] = []  # ids of runs that this page has started
        self._drawn: tuple[Any, ...] = ()
        self._drawn_for: tuple[LiveRuns | None, str] = (None, "")  # the runs, and the data source
        self._source = ("", "")  # as the recipe names it, and as records do

    def set_problem(self, problem: str) -> None:
        """Show why the recipe cannot be trained; "" if it can be."""
        self._problem.set_text(problem)
        self._set_buttons()

    def show(self) -> None:
        """Show the buttons and the curves, and follow what trains."""
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
        self._set_buttons()
        follow(self._refresh)

    def _set_buttons(self) -> None:
        self._train.set_enabled(not self._problem.text and self._job is None)
        self._stop.set_visibility(self._job is not None)

    def _copy(self, make: Callable[..., str]) -> None:
        text = make(
            self._current_recipe(), seed=int(self._seed.value or 0), name=self._name.value or ""
        )
        ui.clipboard.write(text)
        self._copied.clear()
        with self._copied:
            Code(text)

    def _save(self) -> None:
        ui.download.content(self._current_recipe().to_toml(comments=True), "recipe.toml")

    async def _start(self) -> None:
        """Start the training in a process of its own."""
        runs = await asyncio.to_thread(self._live.runs)
        self._before = frozenset(runs.records)
        arguments = (self._current_recipe(), self._name.value or "", int(self._seed.value or 0))
        try:
            self._job = await asyncio.to_thread(self._jobs.train, *arguments)
        except EyetuneError as error:
            ui.notify(error.message, type="negative")
            return
        self._has_ended = False
        self._stop.set_enabled(True)
        self._set_buttons()
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
        drawn_for = (runs, self._current_recipe().data.source)
        if self._drawn_for[0] is not runs or self._drawn_for != drawn_for:
            self._drawn_for = drawn_for
            await self._draw(list(runs.records.values()))
        if job is None or job.is_running:
            return
        if not self._has_ended:  # the runs that were read may be a second older than its end
            self._has_ended = True
            return
        self._job = None
        self._set_buttons()

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
        named = self._current_recipe().data.source
        if named != self._source[0]:
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
