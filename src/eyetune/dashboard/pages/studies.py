"""The list of studies, and a study: live trials, charts, front and importance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from nicegui import events, ui

from eyetune.analysis.ranking import non_dominated_trials, rank_trials
from eyetune.analysis.study_summary import count_state_names, search_trials, summary_sentences
from eyetune.api.study import Study
from eyetune.api.tried_networks import study_limits
from eyetune.dashboard import charts
from eyetune.dashboard.layout import (
    Heading,
    Text,
    chart,
    facts,
    follow,
    page,
    route,
    show_live_rows,
)
from eyetune.dashboard.live import Live
from eyetune.dashboard.pages.study_controls import StudyControls
from eyetune.dashboard.pages.study_parallel import ParallelCoordinates
from eyetune.dashboard.parallel_chart import parallel
from eyetune.dashboard.rows import Row, study_row, trial_row
from eyetune.dashboard.services import Services
from eyetune.errors import NotFoundError
from eyetune.records.study import StudyRecord
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.values.numbers import duration

_Value = TypeVar("_Value")

ROWS_PER_PAGE = 25
MAX_SLICES = 8
MAX_CURVES = 20  # of the best trials, and of the newest ones
_LIST_COLUMNS = {
    "name": "study",
    "state": "state",
    "data": "data",
    "objectives": "objectives",
    "board": "board",
    "sampler": "sampler",
    "trials": "trials",
    "seconds": "time",
    "created_at": "began (UTC)",
}
_STUDY_LINK = """
<q-td :props="props">
  <a class="plain" :href="'/studies/' + props.row.study">{{ props.value }}</a>
</q-td>
"""
_RUN_LINK = """
<q-td :props="props">
  <a v-if="props.value" class="plain" :href="'/runs/' + props.value">{{ props.value }}</a>
</q-td>
"""


def register(services: Services) -> None:
    """Register the pages."""
    live = services.live

    @route("/studies")
    async def studies_page() -> None:
        first = await asyncio.to_thread(_study_rows, live)
        with page("Studies", "/studies"):
            Heading("Studies", 1)
            none = Text(
                "There are no studies yet. To start one: eyetune tune --data digits --trials 10"
            )
            table = ui.table(
                columns=[
                    {"name": name, "label": label, "field": name, "sortable": True, "align": "left"}
                    for name, label in _LIST_COLUMNS.items()
                ],
                rows=[],
                row_key="study",
                pagination=ROWS_PER_PAGE,
            ).classes("w-full")
            table.add_slot("body-cell-name", _STUDY_LINK)

            show_live_rows(table, none, first, lambda: _study_rows(live))

    @route("/studies/{study_id}")
    async def study_page(study_id: str) -> None:
        try:
            study = await asyncio.to_thread(live.workspace.studies.find, study_id)
        except NotFoundError as error:
            ui.status_code(404)
            with page("Study not found", "/studies"):
                Heading("Study not found", 1)
                Text(error.message)
            return
        trials = await asyncio.to_thread(live.trials, study.id)
        with page(study.name, "/studies"):
            _StudyView(services, study, trials)


def _study_rows(live: Live) -> list[Row]:
    counts = live.workspace.studies.count_trials()
    return [study_row(study, counts.get(study.id, 0)) for study in reversed(live.studies())]


class _StudyView:
    """The page of a study, for one client."""

    def __init__(
        self, services: Services, study: StudyRecord, trials: Sequence[TrialRecord]
    ) -> None:
        self._live, self._study, self._trials = services.live, study, trials
        self._limits = study_limits(study.settings)
        Heading(study.name, 1)
        self._facts = ui.element("div")
        self._controls = StudyControls(services, study, trials)
        self._summary = ui.column().classes("gap-1").props("role=status")
        with ui.grid().classes("w-full grid-cols-1 md:grid-cols-2"):
            self._best = chart(self._best_options(), "best result by epochs trained")
            self._front = None
            if len(study.settings.objectives) > 1:
                self._front = chart(self._front_options(), "Pareto front")
        self._curves = chart(charts.trial_curves([]), "validation accuracy of trials by epoch")
        self._curves.set_visibility(False)
        self._epochs: dict[int, int] = {}  # trained epochs of trials that are running
        self._curves_of: tuple[object, ...] = ()
        self._parallel = ParallelCoordinates(self._show_first_rows)
        self._show_parallel()
        Heading("Trials")
        self._table = ui.table(
            columns=self._columns(),
            rows=[],
            row_key="number",
            pagination={"rowsPerPage": ROWS_PER_PAGE, "rowsNumber": 0, "sortBy": None},
        ).classes("w-full")
        self._table.add_slot("body-cell-run", _RUN_LINK)
        self._table.on("request", self._request)
        self._more = ui.column().classes("w-full")
        with self._more:
            ui.button("Importance and slices", on_click=self._show_more).props(
                "outline color=accent"
            )
        self._show()
        ui.timer(0, self._show_curves, once=True)
        follow(self._refresh)

    async def _refresh(self) -> None:
        before = self._study
        study = await asyncio.to_thread(self._live.study, before.id)
        trials = await asyncio.to_thread(self._live.trials, before.id)
        is_same = study == before and trials is self._trials
        self._study, self._trials = study, trials
        await self._show_curves()
        if is_same:
            return
        if study.settings != before.settings or study.space != before.space:
            self._limits = study_limits(study.settings)
            self._table.columns = self._columns()
        self._controls.update(study, trials)
        self._best.options.update(self._best_options())
        self._best.update()
        self._show_parallel()
        if self._front is not None:
            self._front.options.update(self._front_options())
            self._front.update()
        self._show()

    def _show_parallel(self) -> None:
        """Show the trials across their hyperparameters, once there are some to show."""
        if self._study.space.names and any(trial.objectives for trial in self._trials):
            self._parallel.show(self._parallel_options())

    async def _show_curves(self) -> None:
        """Draw the epochs of the trials that are running, and of the best and newest others."""
        study, trials = self._study, self._trials
        live_runs = await asyncio.to_thread(self._live.runs)
        runs = live_runs.records
        named = self._live.derived(
            f"runs {study.id}",
            live_runs,
            lambda: {run.name: run for run in runs.values() if run.study_id == study.id},
        )
        chosen = self._derived("curves", lambda: _with_curves(study, trials))
        found = [
            (trial, run)
            for trial in chosen
            if (run := runs.get(trial.run or "") or named.get(f"{study.name}/{trial.number}"))
        ]
        state = tuple(
            (run.id, run.num_epochs_done, trial.state, len(trial.rungs)) for trial, run in found
        )
        if state == self._curves_of:
            return
        self._curves_of = state
        histories = await asyncio.to_thread(self._live.histories, [run.id for _, run in found])
        options = charts.trial_curves([(trial, histories[run.id]) for trial, run in found])
        self._curves.options.update(options)
        self._curves.update()
        self._curves.set_visibility(any(histories.values()))
        self._epochs = {
            trial.number: run.num_epochs_done
            for trial, run in found
            if trial.state is TrialState.RUNNING
        }
        self._show_rows()

    def _derived(self, name: str, make: Callable[[], _Value]) -> _Value:
        """Return what follows from the trials, made once for all clients."""
        space = len(self._study.space.names)  # grows when hyperparameters appear late
        return self._live.derived(f"{name} {self._study.id} {space}", self._trials, make)

    def _best_options(self) -> charts.Options:
        return self._derived("best", lambda: charts.best_so_far(self._study, self._trials))

    def _front_options(self) -> charts.Options:
        objectives = self._study.settings.objectives

        def make() -> charts.Options:
            on_front = {trial.number for trial in non_dominated_trials(objectives, self._trials)}
            return charts.front(objectives, self._trials, on_front, self._limits)

        return self._derived("front", make)

    def _parallel_options(self) -> charts.Options:
        objective = self._study.settings.objectives[0]
        return self._derived(
            "parallel",
            lambda: parallel(self._study.space, objective, search_trials(self._trials)),
        )

    def _columns(self) -> list[dict[str, object]]:
        names = {"number": "trial", "state": "state"}
        names |= {f"objective {each.name}": each.name for each in self._study.settings.objectives}
        names |= {f"value {name}": name for name in self._study.space.names}
        names |= {"epochs": "epochs", "seconds": "time", "run": "run", "note": "note"}
        sortable = ("number", "state", "epochs")
        return [
            {
                "name": name,
                "label": label,
                "field": name,
                "align": "left",
                "sortable": name in sortable or name.startswith("objective "),
            }
            for name, label in names.items()
        ]

    def _show(self) -> None:
        study, trials = self._study, self._trials
        self._facts.clear()
        with self._facts:
            facts(_facts(study, trials))
        self._summary.clear()
        with self._summary:
            for sentence in summary_sentences(study, trials):
                Text(sentence).classes("q-my-none")
        self._show_rows()

    def _request(self, event: events.GenericEventArguments) -> None:
        self._table.pagination = {**self._table.pagination, **event.args["pagination"]}
        self._show_rows()

    def _show_first_rows(self) -> None:
        """Show the trials that the parallel coordinates keep, from the first page on."""
        self._table.pagination = {**self._table.pagination, "page": 1}
        self._show_rows()

    def _show_rows(self) -> None:
        pagination = self._table.pagination
        ordered = self._ordered(pagination.get("sortBy"), bool(pagination.get("descending")))
        kept = self._parallel.kept
        if kept is not None:
            ordered = [trial for trial in ordered if trial.number in kept]
        size = pagination.get("rowsPerPage") or len(ordered)
        start = (pagination.get("page", 1) - 1) * size
        shown = ordered[start : start + size]
        self._table.rows = [
            trial_row(self._study, trial, epochs=self._epochs.get(trial.number, 0))
            for trial in shown
        ]
        self._table.pagination = {**pagination, "rowsNumber": len(ordered)}

    def _ordered(self, sort: str | None, descending: bool) -> list[TrialRecord]:
        objectives = self._study.settings.objectives
        if sort is None or sort.startswith("objective "):
            best = list(self._derived("ranked", lambda: rank_trials(objectives, self._trials)))
            numbers = {trial.number for trial in best}
            best += [trial for trial in reversed(self._trials) if trial.number not in numbers]
            return best[::-1] if sort and descending else best
        key = {
            "state": lambda trial: str(trial.state),
            "epochs": lambda trial: trial.epochs_trained,
        }
        return sorted(
            self._trials, key=key.get(sort, lambda trial: trial.number), reverse=descending
        )

    async def _show_more(self) -> None:
        """Compute the importance of the hyperparameters, and draw the slices."""
        self._more.clear()
        with self._more:
            ui.spinner()
        study = Study(self._live.workspace, self._study)
        shares = await asyncio.to_thread(lambda: study.importances) or {}
        self._more.clear()
        with self._more:
            if shares:
                chart(charts.bars(shares, "Importance"), "importance of the hyperparameters")
            else:
                Text("The importance of hyperparameters needs ten finished trials.")
            names = [*shares, *(name for name in self._study.space.names if name not in shares)]
            with ui.grid().classes("w-full grid-cols-1 md:grid-cols-2"):
                for name in names[:MAX_SLICES]:
                    objective = self._study.settings.objectives[0]
                    options = charts.slices(objective, search_trials(self._trials), name)
                    chart(options, f"{objective.name} by {name}")


def _with_curves(study: StudyRecord, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials whose curves are drawn: best, newest, and those that are running last."""
    ranked = rank_trials(study.settings.objectives, trials)[:MAX_CURVES]
    running = [trial for trial in trials if trial.state is TrialState.RUNNING]
    chosen = {trial.number: trial for trial in (*ranked, *trials[-MAX_CURVES:], *running)}
    return sorted(chosen.values(), key=lambda trial: trial.state is TrialState.RUNNING)


def _facts(study: StudyRecord, trials: Sequence[TrialRecord]) -> dict[str, str]:
    states = count_state_names(study, trials)
    values = {
        "state": str(study.state),
        "data": study.data_name,
        "board": study.settings.board,
        "sampler": study.settings.sampler,
        "scheduler": study.settings.schedule.name,
        "workers": str(study.settings.workers),
        "time": duration(study.seconds),
        "trials": ", ".join(f"{count} {state}" for state, count in states.items()),
    }
    return {name: value for name, value in values.items() if value}
