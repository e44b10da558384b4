"""The list of labs, and a lab: its answer, the effects with their intervals, and the stack."""

from __future__ import annotations

import asyncio

from nicegui import ui

from eyetune.dashboard import charts
from eyetune.dashboard.layout import (
    Heading,
    Text,
    chart,
    facts,
    page,
    plain_table,
    route,
    show_live_rows,
)
from eyetune.dashboard.live import Live
from eyetune.dashboard.rows import Row, lab_row, unfinished_lab_row
from eyetune.dashboard.services import Services
from eyetune.errors import NotFoundError
from eyetune.recipe.changes import value_text
from eyetune.records import RunRecord
from eyetune.records.lab import LabRecord
from eyetune.values.numbers import duration, interval_text, percentage, points_text

ROWS_PER_PAGE = 25
_COLUMNS = {
    "lab": "lab",
    "data": "data",
    "techniques": "techniques",
    "test_accuracy": "test accuracy",
    "seconds": "time",
    "created_at": "ended (UTC)",
    "answer": "answer",
}
_LINK = """
<q-td :props="props">
  <a v-if="props.row.is_over" class="plain" :href="'/labs/' + props.row.lab">{{ props.value }}</a>
  <span v-else>{{ props.value }}</span>
</q-td>
"""


def register(services: Services) -> None:
    """Register the pages."""
    live = services.live

    @route("/labs")
    async def labs_page() -> None:
        first = await asyncio.to_thread(_rows, live)
        with page("Labs", "/labs"):
            Heading("Labs", 1)
            none = Text("There are no labs yet. To start one: eyetune lab --data digits --quick")
            table = ui.table(
                columns=[
                    {"name": name, "label": label, "field": name, "align": "left"}
                    for name, label in _COLUMNS.items()
                ],
                rows=[],
                row_key="lab",
                pagination=ROWS_PER_PAGE,
            ).classes("w-full")
            table.add_slot("body-cell-lab", _LINK)

            show_live_rows(table, none, first, lambda: _rows(live))

    @route("/labs/{lab_id}")
    async def lab_page(lab_id: str) -> None:
        try:
            record = await asyncio.to_thread(live.workspace.labs.find, lab_id)
        except NotFoundError as error:
            ui.status_code(404)
            with page("Lab not found", "/labs"):
                Heading("Lab not found", 1)
                Text(error.message)
            return
        with page(f"Lab {record.id}", "/labs"):
            _show(record)


def _rows(live: Live) -> list[Row]:
    """Return the rows of all labs, those first that have not ended."""
    known = live.workspace.labs.recorded_ids()
    others: dict[str, list[RunRecord]] = {}
    for run in live.runs().records.values():
        if run.lab_id and run.lab_id not in known:
            others.setdefault(run.lab_id, []).append(run)
    rows = [unfinished_lab_row(lab_id, runs) for lab_id, runs in others.items()]
    return [*rows[::-1], *(lab_row(record) for record in reversed(live.labs()))]


def _show(record: LabRecord) -> None:
    Heading(f"Lab {record.id}", 1)
    Text(record.answer).classes("text-subtitle1")
    facts(_facts(record))
    effects = sorted(record.techniques, key=lambda effect: -effect.difference)
    if effects:
        label = "difference in validation accuracy of each technique, with its interval"
        height = f"{3 + 1.6 * len(effects):.1f}rem"
        chart(charts.effects(effects), label, height=height, min_width="34rem")
    Heading("Techniques")
    rows = [
        [
            effect.change,
            f"{points_text(effect.difference)} points",
            interval_text(effect.interval, digits=1),
            f"{effect.p_value:.2g}",
            percentage(effect.validation_accuracy),
            duration(effect.seconds),
        ]
        for effect in effects
    ]
    header = ["technique", "difference", "95% interval", "p", "validation accuracy", "time"]
    plain_table(header, rows, label="effects of the techniques")
    if record.steps:
        Heading("The stack")
        steps = [
            [
                step.effect.change,
                f"{points_text(step.effect.difference)} points",
                "kept" if step.kept else "left out",
            ]
            for step in record.steps
        ]
        plain_table(["added", "difference", ""], steps, label="steps of the combination")
    if record.skipped:
        Heading("Not tried")
        skipped = [
            [f"{each.name}={value_text(each.value)}", each.reason] for each in record.skipped
        ]
        plain_table(["technique", "reason"], skipped, label="techniques that were not tried")


def _facts(record: LabRecord) -> dict[str, str]:
    return {
        "data": record.data,
        "best recipe on test": percentage(record.final.test_accuracy),
        "baseline on test": percentage(record.final_baseline.test_accuracy),
        "difference on test": f"{interval_text(record.test_interval, digits=1)} points",
        "seeds": ", ".join(map(str, record.seeds)),
        "epochs": str(record.epochs),
        "time": duration(record.seconds),
    }
