"""The list of runs: sortable, filterable, several overlaid, and moved to the trash."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import events, ui

from eyetune.dashboard import charts
from eyetune.dashboard.layout import (
    Heading,
    Text,
    answer_buttons,
    chart,
    dialog,
    follow,
    page,
    plain_table,
    route,
)
from eyetune.dashboard.live import Live
from eyetune.dashboard.rows import choose_runs, run_row
from eyetune.dashboard.services import Services
from eyetune.errors import EyetuneError, UsageError
from eyetune.recipe.changes import value_text
from eyetune.records import RunRecord, RunState
from eyetune.records.live import LiveRuns

ROWS_PER_PAGE = 25
MAX_OVERLAID = 10
_COLUMNS = {
    "label": "run",
    "state": "state",
    "data": "data",
    "validation_accuracy": "validation accuracy",
    "test_accuracy": "test accuracy",
    "parameters": "parameters",
    "epochs": "epochs",
    "duration_seconds": "time",
    "created_at": "began (UTC)",
    "changes": "changes to the default recipe",
}
_SORT_FIELDS = {"label": "name", "data": "data"}
_LINK = """
<q-td :props="props">
  <a class="plain" :href="'/runs/' + props.row.run">{{ props.value }}</a>
  <q-badge v-for="tag in props.row.tags" :key="tag" outline color="accent" class="q-ml-xs">{{ tag }}
  </q-badge>
</q-td>
"""
_SELECT_ALL = '<q-checkbox v-model="props.selected" aria-label="select all runs of this page" />'
_SELECT = """
<q-checkbox v-model="props.selected" :aria-label="'select run ' + props.row.label" />
"""


def register(services: Services) -> None:
    """Register the page."""
    live = services.live

    @route("/")
    async def runs_page() -> None:
        first = await asyncio.to_thread(live.runs)
        with page("Runs", "/"):
            Heading("Runs", 1)
            _RunsTable(live, first)


class _RunsTable:
    """The table with its controls, for one client."""

    def __init__(self, live: Live, runs: LiveRuns) -> None:
        self._live = live
        self._runs = runs
        with ui.row().classes("w-full items-center gap-4"):
            self._filter = ui.input(
                "Filter",
                placeholder="digits test_accuracy>0.8 optimizer.name=sgd",
                on_change=self._show_first,
            )
            self._filter.props("clearable dense debounce=300").classes("grow")
            self._with_trials = ui.switch("Runs of labs and studies", on_change=self._show_first)
        self._message = ui.label().props("role=status").classes("soft")
        self._table = ui.table(
            columns=[
                {
                    "name": name,
                    "label": label,
                    "field": name,
                    "sortable": name != "changes",
                    "align": "left",
                }
                for name, label in _COLUMNS.items()
            ],
            rows=[],
            row_key="run",
            selection="multiple",
            pagination={
                "rowsPerPage": ROWS_PER_PAGE,
                "rowsNumber": 0,
                "sortBy": None,
                "descending": True,
            },
            on_select=self._select,
        ).classes("w-full")
        self._table.add_slot("body-cell-label", _LINK)
        self._table.add_slot("header-selection", _SELECT_ALL)
        self._table.add_slot("body-selection", _SELECT)
        self._table.on("request", self._request)
        with ui.row().classes("gap-2"):
            self._overlay = ui.button("Compare the selected runs", on_click=self._compare)
            self._tag = ui.button("Tag", on_click=self._change_tags).props("outline color=accent")
            self._trash = ui.button("Move to the trash", on_click=self._delete).props(
                "outline color=accent"
            )
        self._comparison = ui.column().classes("w-full")
        self._select()
        self._show()
        follow(self._refresh)

    async def _refresh(self) -> None:
        """Show the runs as they are now, if something has changed."""
        runs = await asyncio.to_thread(self._live.runs)
        if runs is not self._runs:
            self._runs = runs
            self._show()

    def _request(self, event: events.GenericEventArguments) -> None:
        """Show another page of the table, or another order."""
        self._table.pagination = {**self._table.pagination, **event.args["pagination"]}
        self._show()

    def _show_first(self) -> None:
        self._table.selected = []  # nothing is done to runs that are not shown any more
        self._select()
        self._table.pagination = {**self._table.pagination, "page": 1}
        self._show()

    def _show(self) -> None:
        pagination = self._table.pagination
        sort = pagination.get("sortBy") or ""
        try:
            chosen = choose_runs(
                list(self._runs.records.values()),
                self._filter.value or "",
                _SORT_FIELDS.get(sort, sort),
                descending=bool(pagination.get("descending")),
                with_trials=self._with_trials.value,
            )
        except UsageError as error:
            self._message.set_text(str(error.message))
            return
        size = pagination.get("rowsPerPage") or len(chosen)
        start = (pagination.get("page", 1) - 1) * size
        self._message.set_text(self._summary(chosen))
        self._table.rows = [run_row(record) for record in chosen[start : start + size]]
        self._table.pagination = {**pagination, "rowsNumber": len(chosen)}

    def _summary(self, chosen: Sequence[RunRecord]) -> str:
        total = len(self._runs.records)
        if not total:
            return "There are no runs yet. To train one: eyetune train --data digits"
        num_running = sum(run.state is RunState.RUNNING for run in self._runs.records.values())
        now = f"; training now: {num_running}" if num_running else ""
        return f"{len(chosen):,} of {total:,} runs{now}"

    def _select(self) -> None:
        count = len(self._table.selected)
        self._overlay.set_enabled(1 <= count <= MAX_OVERLAID)
        self._tag.set_enabled(count > 0)
        self._trash.set_enabled(count > 0)

    @property
    def _selected(self) -> list[RunRecord]:
        ids = [row["run"] for row in self._table.selected]
        return [self._runs.records[run_id] for run_id in ids if run_id in self._runs.records]

    async def _compare(self) -> None:
        """Overlay the curves of the selected runs, and show how their recipes differ."""
        selected = self._selected
        histories = await asyncio.to_thread(
            self._live.histories, [record.id for record in selected]
        )
        labelled = {record.label: histories[record.id] for record in selected}
        self._comparison.clear()
        with self._comparison:
            Heading("Comparison")
            with ui.grid().classes("w-full md:grid-cols-2 grid-cols-1"):
                for metric in ("accuracy", "loss"):
                    chart(
                        charts.curves(labelled, metric), f"{metric} by epoch of the selected runs"
                    )
            _differences(selected)

    async def _change_tags(self) -> None:
        """Add tags to the selected runs, or remove some."""
        selected = self._selected
        present = sorted({tag for record in selected for tag in record.tags})
        with dialog("Tags of the selected runs") as asked, ui.card().classes("w-96"):
            Text(f"Tags of {len(selected)} run{'s' if len(selected) > 1 else ''}")
            added = ui.input_chips("Add", new_value_mode="add-unique").classes("w-full")
            removed = ui.select(present, label="Remove", multiple=True, value=[]).classes("w-full")
            removed.set_visibility(bool(present))
            answer_buttons(asked, "Change")
        if not await asked:
            return
        store = self._live.workspace.runs
        try:
            for record in selected:
                tags = {*record.tags, *added.value} - {*removed.value}
                await asyncio.to_thread(store.annotate, record.id, tags=tags)
        except EyetuneError as error:
            ui.notify(f"{error.message} {error.expected or ''}", type="warning")
        await self._refresh()

    async def _delete(self) -> None:
        """Move the selected runs to the trash, after asking."""
        selected = self._selected
        with dialog("Move the selected runs to the trash") as asked, ui.card():
            Text(f"Move {len(selected)} run{'s' if len(selected) > 1 else ''} to the trash?")
            Text("To bring one back: eyetune runs restore RUN").classes("soft")
            answer_buttons(asked, "Move to the trash")
        if not await asked:
            return
        failed = []
        for record in selected:
            try:
                await asyncio.to_thread(self._live.workspace.runs.delete, record.id)
            except EyetuneError as error:
                failed.append(error.message)
        self._table.selected = []
        self._select()
        done = len(selected) - len(failed)
        ui.notify(
            f"{done} moved to the trash. {' '.join(failed)}",
            type="warning" if failed else "positive",
        )
        await self._refresh()


def _differences(selected: Sequence[RunRecord]) -> None:
    """Show the values in which the recipes of runs differ."""
    recipes = {
        record.id: record.own_recipe.values() if record.own_recipe else {} for record in selected
    }
    names = sorted({name for values in recipes.values() for name in values})
    differing = [
        name for name in names if len({repr(values.get(name)) for values in recipes.values()}) > 1
    ]
    header = ["value", *(record.label for record in selected)]
    rows = [
        [name, *(_value(recipes[record.id], name) for record in selected)] for name in differing
    ]
    if rows:
        plain_table(header, rows, label="differences between the recipes")
    elif len(selected) > 1:
        Text("These runs have the same recipe.")


def _value(values: Mapping[str, Any], name: str) -> str:
    return value_text(values[name]) if name in values else ""
