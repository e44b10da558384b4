"""Controls of a study: pause, resume, stop, and a trial with values by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from eyetune.analysis.ranking import rank_trials
from eyetune.api.study import Study
from eyetune.dashboard.layout import Text, answer_buttons, dialog
from eyetune.dashboard.services import Services
from eyetune.errors import EyetuneError
from eyetune.records.study import StudyRecord, StudyState
from eyetune.records.trial import TrialRecord
from eyetune.space.hyperparameters import Choice, Range, setting_text
from eyetune.space.space import describe
from eyetune.values.display import one_line


class StudyControls:
    """The buttons of a study's page, for one client.

    Args:
        services: What the pages share.
        study: The study.
        trials: Its trials.
    """

    def __init__(
        self, services: Services, study: StudyRecord, trials: Sequence[TrialRecord]
    ) -> None:
        self._services = services
        self._study, self._trials = study, trials
        with ui.row().classes("items-center gap-2"):
            self._pause = ui.button("Pause", icon="pause", on_click=self._ask_to_pause)
            self._stop = ui.button("Stop", icon="stop", on_click=self._ask_to_stop)
            self._resume = ui.button("Resume", icon="play_arrow", on_click=self._start)
            self._enqueue = ui.button("Try values", icon="add", on_click=self._open_form)
            for button in (self._pause, self._stop, self._resume, self._enqueue):
                button.props("outline color=accent")
        self._message = ui.label().props("role=status").classes("soft")
        self.update(study, trials)

    def update(self, study: StudyRecord, trials: Sequence[TrialRecord]) -> None:
        """Show the buttons that a study has now."""
        if study.state is not self._study.state:
            self._message.set_text("")
        self._study, self._trials = study, trials
        is_own = study.settings.engine == "eyetune"
        is_running = study.state is StudyState.RUNNING
        for button in (self._pause, self._stop):
            button.set_visibility(is_own and is_running)
        is_paused = study.state is StudyState.PAUSED
        self._resume.set_visibility(is_own and is_paused)
        has_space = len(study.space) > 0
        self._enqueue.set_visibility(is_own and has_space and (is_running or is_paused))

    async def _ask_to_pause(self) -> None:
        await self._do(self._opened().pause, "It pauses: whole epochs are kept.")

    async def _ask_to_stop(self) -> None:
        await self._do(self._opened().stop, "It ends with the results so far.")

    async def _start(self) -> None:
        def resume() -> None:
            self._services.jobs.resume_study(self._study)

        await self._do(resume, "It resumes: its workers take some seconds to load Keras.")

    def _opened(self) -> Study:
        return Study(self._services.live.workspace, self._study)

    async def _do(self, action: Callable[[], Any], done: str) -> None:
        """Do something, and say that it is done, or why not."""
        try:
            await asyncio.to_thread(action)
        except EyetuneError as error:
            ui.notify(_explained(error), type="warning")
            return
        self._message.set_text(done)

    async def _open_form(self) -> None:
        """Ask for values, beginning with those of the best trial, and enqueue them."""
        best = rank_trials(self._study.settings.objectives, self._trials)
        first = best[0].all_values if best else self._study.space.defaults()
        space = self._study.space
        inputs: dict[str, Any] = {}
        with dialog("Try values") as asked, ui.card().classes("w-full max-w-xl"):
            Text("The next trial tries these values. They start as those of the best trial.")
            with ui.grid().classes("w-full grid-cols-1 md:grid-cols-2 gap-x-4"):
                for name in space.names:
                    value = first.get(name, space[name].default)
                    inputs[name] = _input(space[name], value)
            problem = Text("Change at least one of them.").props("role=alert")
            answer_buttons(asked, "Try them")
        enqueue = self._opened().enqueue_trial
        while await asked:  # it is shown again, with what was entered, until it can be tried
            given = {name: _value(space[name], element.value) for name, element in inputs.items()}
            values = space.active(given)  # what has no effect with the others is left out
            try:
                await asyncio.to_thread(enqueue, values)
            except EyetuneError as error:
                problem.classes("text-negative").set_text(_explained(error))
                continue
            self._message.set_text("The trial is enqueued.")
            return


def _explained(error: EyetuneError) -> str:
    parts = [error.message, error.expected and f"Expected: {error.expected}."]
    return one_line(" ".join(filter(None, parts)))


def _input(hyperparameter: Choice | Range, value: Any) -> Any:
    """Show an input for a hyperparameter."""
    name = one_line(hyperparameter.name)
    if isinstance(hyperparameter, Choice):
        options = {
            index: one_line(setting_text(each)) for index, each in enumerate(hyperparameter.values)
        }
        chosen = hyperparameter.values.index(value) if value in hyperparameter.values else 0
        return ui.select(options, label=name, value=chosen)
    element = ui.number(name, value=value, min=hyperparameter.low, max=hyperparameter.high)
    element.tooltip(describe(hyperparameter))
    return element


def _value(hyperparameter: Choice | Range, entered: Any) -> Any:
    """Return the value of a hyperparameter from what its input holds."""
    if isinstance(hyperparameter, Choice):
        return hyperparameter.values[entered]
    if entered is None:
        return hyperparameter.default
    return int(entered) if hyperparameter.whole else float(entered)
