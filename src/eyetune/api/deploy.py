"""The whole way in one call: search under a board's limits, train the best, export, prove, one
report.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyetune.api.export import Export, checked_formats, export
from eyetune.api.preparing import workspace_of
from eyetune.api.run import Run
from eyetune.api.study import Study
from eyetune.api.train import resume as go_on
from eyetune.api.train import train
from eyetune.api.tune import tune
from eyetune.api.verify import verify
from eyetune.device.boards.profiles import load_board
from eyetune.device.export import export_folder
from eyetune.device.export.verify import Verification
from eyetune.errors import RunNotFoundError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace
from eyetune.records.study import StudyState, TrialState
from eyetune.report.pages.page import write_page
from eyetune.report.progress.training_progress import TrainingDisplay

SEARCH_SHARE = 0.5  # of the time; most of the rest trains the best for longer
PROOF_SHARE = 0.1
MAX_EPOCHS = 100
MIN_PROOF_IMAGES = 200
# Of both interpreters together, on one core (12.5 million multiply-adds took 11 to 12 ms in
# TensorFlow Lite Micro).
_PROOF_SECONDS_PER_MAC = 2.5e-9
_PROOF_SECONDS_PER_IMAGE = 5e-4


@dataclass(frozen=True)
class Deployment:
    """What came of the whole way.

    Attributes:
        study: The search.
        run: The run that was export_folder.
        export: Its export.
        verification: The proof on test images.
        seconds: That all of it took, in this sitting.
    """

    study: Study
    run: Run
    export: Export
    verification: Verification
    seconds: float

    @property
    def report(self) -> Path:
        """The page that tells it all."""
        return self.export.folder / export_folder.REPORT

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
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


def deploy(  # noqa: PLR0913 (a user says what he wants by name, and leaves the rest out)
    data: str | Path | None = None,
    output: str | Path | None = None,
    *,
    board: str = "esp-eye",
    seconds: float = 1200.0,
    build_model: Any = None,
    space: str | Path | None = None,
    recipe: Recipe | None = None,
    max_epochs: int | None = None,
    formats: Sequence[str] = ("esp-idf",),
    overwrite: bool = False,
    seed: int = 0,
    name: str = "",
    resume: bool = False,
    workers: int | None = None,
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
) -> Deployment:
    """Search among networks that fit a board, train the best for longer, export it, and prove it on
    test images.

    Half of the time goes into the search (successive halving), most of the rest into one training
    of the best with a cosine rate, and a tenth into the proof. Interrupted, it goes on with
    `resume`.

    Args:
        data: A source in place of the recipe's.
        output: Folder of the export; by default `exports/NAME` in the workspace.
        board: Whose limits count: a name of `eyetune boards`, or the path of a TOML file.
        seconds: For all of it, over all sittings for the search.
        build_model: A KerasTuner model function to search, as "file.py:name"; None: recipes are
            searched.
        space: What recipes may change, by default `small`.
        recipe: What every trial begins from.
        max_epochs: Of a trial of the search; by default the recipe's.
        formats: Of the firmware.
        overwrite: Replace an export that is there.
        seed: Of everything that is random.
        name: What to call the study, the run and the export.
        resume: Go on with the study of this name, or with the latest.
        workers: Trainings at once in the search.
        workspace: As for `train`.
        progress: As for `train`.

    Raises:
        KeyboardInterrupt: The search or the training was interrupted; what was done is recorded.
        EyetuneError: Whatever `tune`, `train`, `export` and `verify` raise.

    Example:
        >>> import eyetune as et
        >>> deployment = et.deploy("photos", "firmware", seconds=1200)  # doctest: +SKIP
        >>> deployment.verification.int8_accuracy  # doctest: +SKIP
        0.912
    """
    began = time.monotonic()
    if not seconds > 0:
        raise UsageError(
            "The time cannot be used.", expected="more than 0 seconds", received=seconds
        )
    workspace = workspace_of(workspace)
    target = load_board(board)
    wanted = checked_formats(formats)
    if output is not None:  # what is wrong with it is said before any work
        export_folder.check_target(
            Path(output).expanduser().absolute(), overwrite=overwrite or resume
        )
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
    left = (1 - SEARCH_SHARE - PROOF_SHARE) * seconds
    winner = _winner(study, _trained_longer(study, left, seed, progress=progress))
    folder = Path(output) if output is not None else workspace.folder / "exports" / study.name
    steps = _steps(study, winner, target.title)
    done = export(
        winner,
        folder,
        board=target,
        formats=wanted,
        overwrite=overwrite or resume,
        steps=steps,
        progress=progress,
    )
    num_images = _images_to_prove(winner, PROOF_SHARE * seconds)
    with TrainingDisplay(0, enabled=progress) as display:
        display.note(f"Proving on {num_images:,} test images ...")
    found = verify(done.folder, num_images=num_images, workspace=workspace, progress=progress)
    whole = Deployment(study, winner, done, found, time.monotonic() - began)
    write_page(json.dumps(whole.to_json(), indent=2, default=str), done.folder / "deployment.json")
    return whole


def _trained_longer(study: Study, seconds: float, seed: int, *, progress: bool) -> Run:
    """Train the best recipe for as many epochs as the time has room for, or go on with that."""
    label = f"{study.name}/deployed"
    try:
        run = Run(study.workspace, study.workspace.runs.find(label))
    except RunNotFoundError:
        run = None
    if run is not None and run.state is RunState.COMPLETE:
        return run
    if run is not None:
        run = go_on(run.id, workspace=study.workspace, progress=progress)
    else:
        epochs = _epochs_within(study, seconds)
        edits: dict[str, Any] = {
            "fit.epochs": epochs,
            "fit.early_stopping": 0,
            "fit.keep_best": True,
        }
        if not study.best_recipe.model.has_function:
            edits |= {
                "optimizer.schedule": "cosine",
                "optimizer.warmup_epochs": min(2, epochs // 5),
            }
        recipe = study.best_recipe.with_(edits)
        run = train(recipe, seed=seed, name=label, workspace=study.workspace, progress=progress)
    if run.state is not RunState.COMPLETE:
        raise KeyboardInterrupt
    return run


def _epochs_within(study: Study, seconds: float) -> int:
    """Return how many epochs of the best trial there is time for, by how long its epochs took, one
    core each.
    """
    history = study.histories[study.run().id]
    one = statistics.median(epoch.duration_seconds for epoch in history)
    return max(len(history), min(MAX_EPOCHS, int(seconds / one)))


def _winner(study: Study, longer: Run) -> Run:
    """Return the better of two on validation: the search's best as it is, or trained for longer."""
    found = study.run()
    return found if found.validation_accuracy > longer.validation_accuracy else longer


def _steps(study: Study, run: Run, title: str) -> tuple[str, ...]:
    """Tell in sentences how the network was found."""
    unfit = sum(trial.state is TrialState.INFEASIBLE for trial in study.trials)
    tried = len(study.trials) - unfit
    epochs = sum(len(history) for history in study.histories.values())
    values = ", ".join(f"{name} {value}" for name, value in study.best_values.items())
    left_out = (
        f"; {unfit} more that {title} cannot hold or run were left out before any training"
        if unfit
        else ""
    )
    return (
        f"{tried} networks were tried in study {study.name}, {epochs} epochs in all{left_out}.",
        f"The best on validation had {values}, and reached {study.best_value:.2%} after "
        f"{len(study.histories[study.run().id])} epochs.",
        f"Run {run.record.label} was exported: {run.validation_accuracy:.2%} on validation after {len(run.history)} "
        "epochs.",
    )


def _images_to_prove(run: Run, seconds: float) -> int:
    """Return how many test images there is time for."""
    one = _PROOF_SECONDS_PER_IMAGE + _PROOF_SECONDS_PER_MAC * run.record.network.macs
    return min(run.record.data.num_test, max(MIN_PROOF_IMAGES, int(seconds / one)))
