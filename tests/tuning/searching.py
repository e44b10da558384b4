"""Searches with simulated trainings, for tests."""

from __future__ import annotations

from typing import Any

from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import Budget, SchedulerSettings, StudyRecord, StudySettings
from eyetune.space.presets import recipe_space
from eyetune.testing.datasets import tiny_dataset
from eyetune.testing.simulated_executor import SimulatedExecutor
from eyetune.tuning.objectives import read_constraint, read_objective
from eyetune.tuning.search import search


class Silence:
    """A display that shows nothing, and can be made to interrupt.

    Args:
        interrupt_after: Number of changes of trials after which it raises KeyboardInterrupt.
        interrupt_after_epochs: The same for epochs.
    """

    def __init__(
        self, interrupt_after: int | None = None, *, interrupt_after_epochs: int | None = None
    ) -> None:
        self.left = interrupt_after
        self.epochs_left = interrupt_after_epochs
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def begin(self, key: str, label: str, num_epochs: int) -> None: ...

    def on_progress_log(self, key: str, entry: Any) -> None:  # noqa: ARG002
        if self.epochs_left is not None:
            self.epochs_left -= 1
            if self.epochs_left < 0:
                self.epochs_left = None  # once
                raise KeyboardInterrupt

    def end(self, key: str, text: str) -> None:  # noqa: ARG002
        self.notes.append(text)

    def on_trial(self, trial: Any) -> None:  # noqa: ARG002
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt


def new(workspace: Workspace, **options: Any) -> StudyRecord:
    """Return a new study of recipes of the lab, with the settings that are given."""
    max_epochs = options.pop("max_epochs", 9)
    start = recipe_space("lab", Recipe().with_(fit__epochs=max_epochs))
    schedule = SchedulerSettings(
        name=options.pop("schedule", "full"),
        max_epochs=max_epochs,
        iterations=options.pop("iterations", 1),
        executions=options.pop("executions", 1),
    )
    values: dict[str, Any] = {
        "recipe": start.recipe,
        "space": options.pop("space", start.space),
        "objectives": tuple(map(read_objective, options.pop("objectives", ("val_accuracy",)))),
        "constraints": tuple(map(read_constraint, options.pop("constraints", ()))),
        "schedule": schedule,
        "sampler": options.pop("sampler", "random"),
        "budget": options.pop("budget", Budget()),
        **options,
    }
    return workspace.studies.create("study", StudySettings(**values))


def do(
    workspace: Workspace,
    record: StudyRecord,
    executor: SimulatedExecutor | None = None,
    display: Any = None,
    **options: Any,
) -> StudyRecord:
    """Run or resume the search of a study."""
    with executor or SimulatedExecutor() as workers, workspace.studies.claim(record.id):
        return search(record, workspace, workers, display or Silence(), tiny_dataset(), **options)


def outline(workspace: Workspace, record: StudyRecord) -> list[Any]:
    """Return everything of a study but times."""
    return [
        (
            trial.with_(
                seconds=0.0,
                executions=tuple(
                    execution.model_copy(update={"seconds": 0.0}) for execution in trial.executions
                ),
            ),
            [[epoch.val_accuracy for epoch in workspace.runs.history(run)] for run in trial.runs],
        )
        for trial in workspace.studies.trials(record.id)
    ]
