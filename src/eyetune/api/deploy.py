"""Everything in one call: search under a board's limits, train, export and verify."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyetune.analysis.metrics import standard_error
from eyetune.api.export import Export, checked_formats, export, export_target
from eyetune.api.preparing import checked_recipe, workspace_of
from eyetune.api.run import Run
from eyetune.api.study import Study
from eyetune.api.tune import draw, tune
from eyetune.api.unknown import UnknownOptions, calibration_share, unknown_options
from eyetune.api.verify import verify
from eyetune.device.boards.profiles import DEFAULT_BOARD, load_board
from eyetune.device.export import export_folder
from eyetune.device.export.verify import Verification
from eyetune.errors import UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.run import DataRecord
from eyetune.records.study import StudySettings, StudyState
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.report.output import write_output
from eyetune.tracking.follow import check_trackers, follow
from eyetune.tracking.tracker import Tracker
from eyetune.tuning.executors.machine import usable_cores
from eyetune.tuning.load_images import load_images
from eyetune.tuning.objectives import constraints_of
from eyetune.tuning.options import TuneOptions
from eyetune.tuning.settings import check_options
from eyetune.values.firmware_formats import DEFAULT_FORMATS
from eyetune.values.numbers import count_text
from eyetune.values.summary import Summarized, Summary

DEFAULT_SECONDS = 1200.0
# Time that is kept for the verification, at most; with little time, it covers fewer images.
MAX_VERIFICATION_SHARE = 0.25
EXPORT_SECONDS = 15.0  # for conversion, firmware, figures and reports
USUAL_MACS = 25_000_000  # of a network that is not known yet
# A trial of the search is exported instead of the final training only if its validation accuracy is
# higher by more than this many standard errors: the best of many trials is partly luck.
CLEARLY_BETTER = 2.0
MIN_VERIFICATION_IMAGES = 200
# Time of both interpreters together on one core of an AMD EPYC (Zen 4). They took 0.8 ns for each
# multiply-accumulate of ResNet-8 and of ResNet-14, and 1.6 ns for those of mobilenet2, whose
# depthwise convolutions are slower.
_VERIFICATION_SECONDS_PER_MAC = 0.8e-9
_VERIFICATION_SECONDS_PER_IMAGE = 5e-4
_MAX_UNKNOWN_IMAGES = 10_000  # that an export classifies to refuse unknown pictures
_RESULT = "deployment.json"


@dataclass(frozen=True, repr=False)
class Deployment(Summarized):
    """The result of `deploy`.

    Attributes:
        study: The search.
        trial: The trial of the study whose run was exported.
        run: The run that was exported.
        export: Its export.
        verification: Its verification on test images, or validation images if there are none.
        seconds: Duration of this call in seconds.
    """

    study: Study
    trial: TrialRecord
    run: Run
    export: Export
    verification: Verification
    seconds: float

    @property
    def headline(self) -> str:
        """What it is, and the outcome, in one line."""
        board = self.export.manifest.board.title
        return f"study {self.study.name}, exported for {board}. {self.verification.headline}"

    @property
    def summary(self) -> Summary:
        """What a notebook shows below the headline."""
        rows = {
            "run": self.run.record.label,
            "time": f"{self.seconds:,.0f} s",
            "report": str(self.report),
        }
        return Summary(rows, parts=(self.export, self.verification))

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
                "hyperparameters": self.trial.all_values,
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
    board: str | None = None,
    constraints: str | Sequence[str] | None = None,
    fps: float | None = None,
    seconds: float | None = None,
    build_model: Any = None,
    space: str | Path | None = None,
    recipe: Recipe | None = None,
    max_epochs: int | None = None,
    formats: Sequence[str] = DEFAULT_FORMATS,
    overwrite: bool = False,
    unknown: float | UnknownOptions | None = None,
    seed: int = 0,
    name: str = "",
    resume: bool = False,
    workers: int | None = None,
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
    trackers: Sequence[Tracker] = (),
) -> Deployment:
    """Search for a network that fits a board, train it for longer, export it and verify it.

    The search starts from the portfolio's recipe for these images. As soon as a longer training of
    the best recipe promises more than another trial, that recipe is trained for the rest of the
    time. What is kept for the end is the time to export the network and to verify it on all test
    images (validation images if there are none). An interrupted deployment continues with `resume`.

    Args:
        data: A data source that replaces the recipe's. Default: that of the recipe.
        output: Folder for the export. Default: `exports/NAME` in the workspace.
        board: The name of a built-in board, or the path of a .toml file that describes one.
            Default: "esp-eye", or that of the study with `resume`.
        constraints: More limits that a network must keep before it is trained, such as
            "latency_ms < 200". Default: only those of the board.
        fps: Frames per second that the network must reach on the board, as predicted. Default: no
            limit.
        seconds: Time for everything, in seconds, above 0. The search and the final training count
            their earlier invocations. Default: 1200, or the time of the study with `resume`.
        build_model: A KerasTuner model function to search, as "file.py:name". Default: search
            recipes.
        space: What a recipe may change: "portfolio", "small", "lab", "fine" or the path of a TOML
            file. Default: "portfolio", or "fine" with a recipe.
        recipe: The recipe that every trial starts from. Default: the lab's.
        max_epochs: Largest number of epochs of a trial in the search. Default: it depends on the
            number of images.
        formats: Formats of the firmware: "esp-idf", "arduino" and "c", one or more.
        overwrite: Whether to replace an existing export.
        unknown: The largest share of known pictures that the firmware may answer with "unknown",
            or options with such a share; see `export`. A third of the validation images, and up to
            a half of few images, is held out of the search for it. Default: every picture gets a
            class.
        seed: Random seed. Default: 0.
        name: Name of the study, the run and the export. Default: a generated one.
        resume: Whether to continue the study of this name, or the latest one.
        workers: Number of trainings at the same time in the search. Default: one per core.
        workspace: The workspace, or its folder. Default: `eyetune-workspace`.
        progress: Whether to show the progress.
        trackers: Where to log the study and the results of the export, besides the workspace, for
            example `[eyetune.MlflowTracker("sqlite:///mlflow.db")]`.

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
    if seconds is not None and not seconds > 0:
        raise UsageError(
            "The time must be above 0 seconds.", expected="more than 0", received=seconds
        )
    check_trackers(trackers)
    workspace = workspace_of(workspace)
    resumed = workspace.studies.find(name or "latest").settings if resume else None
    board = board or (resumed.board if resumed is not None else "") or DEFAULT_BOARD
    profile = load_board(board)
    chosen_formats = checked_formats(formats)
    check_options(TuneOptions(constraints=constraints, fps=fps, board=board))
    overwrite = overwrite or resume
    options = unknown_options(unknown)
    if output is not None:  # checked before any work
        folder = export_target(output, workspace, "")
        export_folder.check_target(folder, overwrite=overwrite)
    default_space = "portfolio" if recipe is None else "fine"
    start_recipe = checked_recipe(recipe) if resumed is None else resumed.recipe
    dataset = load_images(start_recipe, None if resume else data, progress=progress)
    if options is not None and not resume and not start_recipe.data.calibration:
        share = calibration_share(dataset, options.rate)
        recipe = start_recipe.with_({"data.calibration": share})
    num_images = len(dataset.test) or len(dataset.validation)
    loading_seconds = time.monotonic() - start  # it may decode thousands of photos
    num_classified = num_images + (_MAX_UNKNOWN_IMAGES if options is not None else 0)
    verification_seconds = _verification_seconds(USUAL_MACS) * num_classified
    study_seconds = _recorded_time(resumed) if resumed is not None and seconds is None else None
    if study_seconds is not None:
        seconds = _whole_time(study_seconds, verification_seconds)
    else:
        seconds = seconds or DEFAULT_SECONDS
        study_seconds = _study_time(seconds, loading_seconds, verification_seconds)
    with follow(workspace, trackers) as follower:
        study = tune(
            build_model,
            data,
            space=space or (None if build_model or resume else default_space),
            recipe=recipe,
            constraints=constraints,
            fps=fps,
            board=board,
            scheduler=None if resume else "halving",
            max_epochs=max_epochs,
            seconds=study_seconds,
            final_training=True if build_model and not resume else None,
            seed=None if resume else seed,
            name=name,
            resume=resume,
            workers=workers,
            workspace=workspace,
            progress=progress,
            plots=False,
        )
        if study.state is StudyState.PAUSED:
            raise KeyboardInterrupt
        trial = _winner(study)
        winner = study.run(trial)
        exported = export(
            winner,
            export_target(output, workspace, study.name),
            board=profile,
            formats=chosen_formats,
            overwrite=overwrite,
            steps=_steps(study, winner, profile.title),
            unknown=options,
            progress=progress,
        )
        seconds_left = seconds - (time.monotonic() - start)
        split, num_images = verification_images(
            winner.record.data, winner.record.network.macs, seconds_left
        )
        verification = verify(
            exported.folder,
            split=split,
            num_images=num_images,
            workspace=workspace,
            progress=progress,
        )
        draw(study, progress=progress)
        result = Deployment(study, trial, winner, exported, verification, time.monotonic() - start)
        text = json.dumps(result.to_json(), indent=2, default=str)
        write_output(text, exported.folder / _RESULT)
        follower.add_results(study.record.id, _logged_metrics(result), _logged_files(exported))
    return result


def _logged_metrics(result: Deployment) -> dict[str, float]:
    """Return what trackers log of a deployment, besides its study."""
    manifest, verification = result.export.manifest, result.verification
    metrics = {
        "flash_bytes": manifest.flash_bytes,
        "arena_bytes": manifest.arena_bytes,
        "latency_ms": manifest.latency_ms,
        f"{verification.split}_int8_accuracy": verification.int8_accuracy,
        f"{verification.split}_float_accuracy": verification.float_accuracy,
    }
    return {name: value for name, value in metrics.items() if value is not None}


def _logged_files(exported: Export) -> dict[str, Path]:
    """Return the files of an export that trackers keep: its network and its report."""
    names = (export_folder.MODEL, export_folder.REPORT, _RESULT)
    return {f"export/{name}": exported.folder / name for name in names}


def _recorded_time(settings: StudySettings) -> float | None:
    """Return the time of a study in seconds; None if it has no limit."""
    if settings.start_up is not None:  # it was interrupted before it had its settings
        asked: float | None = settings.start_up.options.get("seconds")
        return asked
    return settings.budget.seconds


def _study_time(seconds: float, loading_seconds: float, verification_seconds: float) -> float:
    """Return the time for the search and the final training, in seconds, of that for everything."""
    reserved = min(MAX_VERIFICATION_SHARE * seconds, verification_seconds)
    return max(seconds - loading_seconds - EXPORT_SECONDS - reserved, seconds / 2)


def _whole_time(study_seconds: float, verification_seconds: float) -> float:
    """Return the time for everything, in seconds, of which a study has this time."""
    others = study_seconds + EXPORT_SECONDS
    share = MAX_VERIFICATION_SHARE / (1 - MAX_VERIFICATION_SHARE)
    return others + min(share * others, verification_seconds)


def _winner(study: Study) -> TrialRecord:
    """Return the trial to export: the final training, unless another was clearly better."""
    best, final = study.best_trial, study.final_trial
    if final is None or final.number == best.number:
        return best
    run, longest = study.run(best), study.run(final)
    if run.record.results is None:  # its network could not be saved
        return final
    accuracy = longest.validation_accuracy
    margin = CLEARLY_BETTER * standard_error(accuracy, longest.record.data.num_validation)
    return best if run.validation_accuracy > accuracy + margin else final


def _steps(study: Study, run: Run, title: str) -> tuple[str, ...]:
    """Return how the network was found, as sentences for the report."""
    trials = [trial for trial in study.trials if not trial.is_final]
    num_infeasible = sum(trial.state is TrialState.INFEASIBLE for trial in trials)
    num_trained = sum(trial.run is not None for trial in trials)
    num_epochs = sum(trial.epochs_trained for trial in trials)
    search = (
        f"Study {study.name} trained {count_text(num_trained, 'network')} for"
        f" {count_text(num_epochs, 'epoch')} in total"
    )
    if num_infeasible:
        board_limits = constraints_of(TuneOptions(), study.record.settings.board)
        has_more = len(study.record.settings.constraints) > len(board_limits)
        unfit = f"do not fit {title}" + (" within your limits" if has_more else "")
        search += f"; {num_infeasible} more {unfit} and were rejected before training"
    steps = [f"{search}."]
    final = study.final_trial
    if final is not None:
        steps.append(
            f"The best recipe, with {final.settings_text}, was trained for the rest of the time: "
            f"{count_text(final.epochs, 'epoch')}."
        )
    steps.append(
        f"Run {run.record.label} was exported. It reached {run.validation_accuracy:.2%} on "
        f"validation images after {count_text(len(run.history), 'epoch')}."
    )
    return tuple(steps)


def verification_images(data: DataRecord, macs: int, seconds: float) -> tuple[str, int]:
    """Return the split to verify on, and how many of its images there is time for.

    Args:
        data: The images of the run. Without test images, validation images are used.
        macs: Multiply-accumulates (MACs) of the network for one image.
        seconds: Time for the verification on all cores, in seconds.
    """
    split = "test" if data.num_test else "validation"
    available = data.num_test or data.num_validation
    num_images = max(MIN_VERIFICATION_IMAGES, int(seconds / _verification_seconds(macs)))
    return split, min(available, num_images)


def _verification_seconds(macs: int) -> float:
    """Return the time to verify a network on one image, in seconds, with all cores."""
    core_seconds = _VERIFICATION_SECONDS_PER_IMAGE + _VERIFICATION_SECONDS_PER_MAC * macs
    return core_seconds / usable_cores()
