"""Everything in one call: search under a board's limits, train, export and verify."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyetune.analysis.study_summary import settings_text
from eyetune.api.export import Export, checked_formats, export, export_target
from eyetune.api.preparing import workspace_of
from eyetune.api.run import Run
from eyetune.api.study import Study
from eyetune.api.train import resume as resume_run
from eyetune.api.train import train
from eyetune.api.tune import tune
from eyetune.api.verify import verify
from eyetune.device.boards.profiles import load_board
from eyetune.device.export import export_folder
from eyetune.device.export.verify import Verification
from eyetune.errors import RunNotFoundError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace
from eyetune.records.run import DataRecord
from eyetune.records.study import StudyState, TrialState
from eyetune.report.numbers import count_text
from eyetune.report.pages.page import write_page
from eyetune.tuning.executors.machine import usable_cores
from eyetune.values.firmware_formats import DEFAULT_FORMATS

SEARCH_SHARE = 0.5  # of the time; most of the rest is for training the best network for longer
VERIFICATION_SHARE = 0.1
MAX_EPOCHS = 100
MIN_VERIFICATION_IMAGES = 200
# Time of both interpreters together on one core of an AMD EPYC (Zen 4). They took 10.3 ms for
# ResNet-8 (0.8 ns per multiply-accumulate), and 18.5 ms for mobilenet2 (1.6 ns), whose depthwise
# convolutions are slower.
_VERIFICATION_SECONDS_PER_MAC = 1.6e-9
_VERIFICATION_SECONDS_PER_IMAGE = 5e-4
_RESULT = "deployment.json"


@dataclass(frozen=True)
class Deployment:
    """The result of `deploy`.

    Attributes:
        study: The search.
        run: The run that was exported.
        export: Its export.
        verification: Its verification on test images, or validation images if there are none.
        seconds: Duration of this call in seconds.
    """

    study: Study
    run: Run
    export: Export
    verification: Verification
    seconds: float

    @property
    def report(self) -> Path:
        """Path of the report page."""
        return self.export.folder / export_folder.REPORT

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "study": self.study.name,
            "run": self.run.id,
            "best": {
                "hyperparameters": self.study.best_values,
                "validation_accuracy": self.run.validation_accuracy,
            },
            "export": self.export.to_json(),
            "verification": self.verification.to_json(),
            "report": str(self.report),
            "seconds": self.seconds,
        }


def deploy(  # noqa: PLR0913 (options by name, most of them left out)
    data: str | Path | None = None,
    output: str | Path | None = None,
    *,
    board: str = "esp-eye",
    seconds: float = 1200.0,
    build_model: Any = None,
    space: str | Path | None = None,
    recipe: Recipe | None = None,
    max_epochs: int | None = None,
    formats: Sequence[str] = DEFAULT_FORMATS,
    overwrite: bool = False,
    seed: int = 0,
    name: str = "",
    resume: bool = False,
    workers: int | None = None,
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
) -> Deployment:
    """Search for a network that fits a board, train it for longer, export it and verify it.

    Half of the time is for the search (successive halving), most of the rest for one training of
    the best network with a cosine learning-rate schedule, and a tenth for the verification on test
    images (validation images if there are none). An interrupted deployment continues with `resume`.

    Args:
        data: A data source that replaces the recipe's. Default: that of the recipe.
        output: Folder for the export. Default: `exports/NAME` in the workspace.
        board: The name of a built-in board, or the path of a .toml file that describes one.
        seconds: Time for everything, in seconds, above 0. The search counts its earlier
            invocations. Default: 1200.
        build_model: A KerasTuner model function to search, as "file.py:name". Default: search
            recipes.
        space: What a recipe may change: "small", "lab", "fine" or the path of a TOML file.
            Default: "small".
        recipe: The recipe that every trial starts from. Default: the lab's.
        max_epochs: Largest number of epochs of a trial. Default: that of the recipe.
        formats: Formats of the firmware: "esp-idf", "arduino" and "c", one or more.
        overwrite: Whether to replace an existing export.
        seed: Random seed. Default: 0.
        name: Name of the study, the run and the export. Default: a generated one.
        resume: Whether to continue the study of this name, or the latest one.
        workers: Number of trainings at the same time in the search. Default: one per core.
        workspace: The workspace, or its folder. Default: `eyetune-workspace`.
        progress: Whether to show the progress.

    Raises:
        KeyboardInterrupt: The search or the training was interrupted; all complete epochs are
            recorded.
        UsageError: An argument is out of range, or the folder cannot be used.
        BoardError: The network cannot be converted for the board.
        EyetuneError: The data cannot be used, or no trial has a result.

    Example:
        >>> import eyetune as et
        >>> deployment = et.deploy("photos", "firmware", seconds=1200)  # doctest: +SKIP
        >>> deployment.verification.int8_accuracy  # doctest: +SKIP
        0.912
    """
    start = time.monotonic()
    if not seconds > 0:
        raise UsageError(
            "The time must be above 0 seconds.", expected="more than 0", received=seconds
        )
    workspace = workspace_of(workspace)
    profile = load_board(board)
    chosen_formats = checked_formats(formats)
    overwrite = overwrite or resume
    if output is not None:  # checked before any work
        folder = export_target(output, workspace, "")
        export_folder.check_target(folder, overwrite=overwrite)
    study = tune(
        build_model,
        data,
        space=space or (None if build_model or resume else "small"),
        recipe=recipe,
        board=board,
        scheduler=None if resume else "halving",
        max_epochs=max_epochs,
        seconds=SEARCH_SHARE * seconds,
        seed=None if resume else seed,
        name=name,
        resume=resume,
        workers=workers,
        workspace=workspace,
        progress=progress,
    )
    if study.state is StudyState.PAUSED:
        raise KeyboardInterrupt
    training_seconds = (1 - SEARCH_SHARE - VERIFICATION_SHARE) * seconds
    longer_run = _train_longer(study, training_seconds, seed, progress=progress)
    winner = _better(study.run(), longer_run)
    exported = export(
        winner,
        export_target(output, workspace, study.name),
        board=profile,
        formats=chosen_formats,
        overwrite=overwrite,
        steps=_steps(study, winner, profile.title),
        progress=progress,
    )
    split, num_images = verification_images(
        winner.record.data, winner.record.network.macs, VERIFICATION_SHARE * seconds
    )
    verification = verify(
        exported.folder,
        split=split,
        num_images=num_images,
        workspace=workspace,
        progress=progress,
    )
    result = Deployment(study, winner, exported, verification, time.monotonic() - start)
    text = json.dumps(result.to_json(), indent=2, default=str)
    write_page(text, exported.folder / _RESULT)
    return result


def _train_longer(study: Study, seconds: float, seed: int, *, progress: bool) -> Run:
    """Train the best recipe for as many epochs as there is time for, or resume that training."""
    label = f"{study.name}/deployed"
    run = _find_run(study.workspace, label)
    if run is None:
        recipe = _recipe_for_longer(study, seconds)
        run = train(recipe, seed=seed, name=label, workspace=study.workspace, progress=progress)
    elif run.state is not RunState.COMPLETE:
        run = resume_run(run.id, workspace=study.workspace, progress=progress)
    if run.state is not RunState.COMPLETE:
        raise KeyboardInterrupt
    return run


def _find_run(workspace: Workspace, name: str) -> Run | None:
    try:
        return Run(workspace, workspace.runs.find(name))
    except RunNotFoundError:
        return None


def _recipe_for_longer(study: Study, seconds: float) -> Recipe:
    """Return the best recipe with as many epochs as there is time for."""
    history = study.histories[study.run().id]
    epoch_seconds = statistics.median(epoch.duration_seconds for epoch in history)
    epochs = max(len(history), min(MAX_EPOCHS, int(seconds / epoch_seconds)))
    edits: dict[str, Any] = {
        "fit.epochs": epochs,
        "fit.early_stopping": 0,
        "fit.keep_best": True,
    }
    if not study.best_recipe.model.has_function:
        edits["optimizer.schedule"] = "cosine"
        edits["optimizer.warmup_epochs"] = min(2, epochs // 5)
    return study.best_recipe.with_(edits)


def _better(best_of_search: Run, longer_run: Run) -> Run:
    """Return the run with the higher validation accuracy; the longer one if they are equal."""
    if best_of_search.validation_accuracy > longer_run.validation_accuracy:
        return best_of_search
    return longer_run


def _steps(study: Study, run: Run, title: str) -> tuple[str, ...]:
    """Return how the network was found, as sentences for the report."""
    num_infeasible = sum(trial.state is TrialState.INFEASIBLE for trial in study.trials)
    num_trained = len(study.trials) - num_infeasible
    num_epochs = sum(len(history) for history in study.histories.values())
    num_best_epochs = len(study.histories[study.run().id])
    search = (
        f"Study {study.name} trained {count_text(num_trained, 'network')} for"
        f" {count_text(num_epochs, 'epoch')} in total"
    )
    if num_infeasible:
        search += f"; {num_infeasible} more do not fit {title} and were rejected before training"
    return (
        f"{search}.",
        f"The best one on validation images had {settings_text(study.best_trial)}. It reached "
        f"{study.best_value:.2%} after {count_text(num_best_epochs, 'epoch')}.",
        f"Run {run.record.label} was exported. It reached {run.validation_accuracy:.2%} on "
        f"validation images after {count_text(len(run.history), 'epoch')}.",
    )


def verification_images(data: DataRecord, macs: int, seconds: float) -> tuple[str, int]:
    """Return the split to verify on, and how many of its images there is time for.

    Args:
        data: The images of the run. Without test images, validation images are used.
        macs: Multiply-accumulates (MACs) of the network for one image.
        seconds: Time for the verification on all cores, in seconds.
    """
    split = "test" if data.num_test else "validation"
    available = data.num_test or data.num_validation
    image_seconds = _VERIFICATION_SECONDS_PER_IMAGE + _VERIFICATION_SECONDS_PER_MAC * macs
    num_images = max(MIN_VERIFICATION_IMAGES, int(usable_cores() * seconds / image_seconds))
    return split, min(available, num_images)
