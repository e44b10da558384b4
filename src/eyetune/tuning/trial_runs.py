"""The runs of trials: how they are created, and what workers do for them."""

from __future__ import annotations

from eyetune.data import Dataset
from eyetune.device.boards.profiles import load_board
from eyetune.device.export.int8_accuracy import Int8Task
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.study import Limits, StudyRecord, StudySettings, TrialRecord
from eyetune.training.job import Inspection
from eyetune.tuning.dispatch import RunJob
from eyetune.tuning.recording import describe, versions
from eyetune.tuning.trials import run_id, trial_recipe


def create_run(
    workspace: Workspace,
    study: StudyRecord,
    trial: TrialRecord,
    inspection: Inspection,
    dataset: Dataset,
    num_threads: int,
) -> RunRecord:
    """Record the run of a trial whose network was built.

    Args:
        workspace: Where it is recorded.
        study: The study.
        trial: The trial.
        inspection: Its network.
        dataset: The images of the study.
        num_threads: Threads of its training; 0 for one for each core.
    """
    assert inspection.network is not None
    return workspace.runs.create(
        recipe=trial_recipe(study.settings, trial),
        data=describe(dataset),
        network=inspection.network,
        seed=study.settings.seed,
        precision=inspection.precision,
        threads=num_threads,
        name=f"{study.name}/{trial.number}",
        versions=versions(),
        state=RunState.WAITING,
        run_id=run_id(study.id, trial.number),
        study_id=study.id,
    )


def training_job(trial: TrialRecord, run: RunRecord, settings: StudySettings) -> RunJob:
    """Return the job that trains a trial up to the epochs that it is granted.

    If the accuracy of int8 networks is an objective, it is measured at the end of the job.
    """
    limits = settings.limits
    is_last_part = trial.epochs_granted >= run.recipe.fit.total_epochs
    return RunJob(
        run,
        "final training" if trial.is_final else f"trial {trial.number}",
        stop_after=None if is_last_part else trial.epochs_granted,
        limit_seconds=limits.seconds,
        limit_bytes=limits.memory_bytes,
        int8=_int8_task(settings),
        log_name=_log_name(trial, run, settings),
    )


def _log_name(trial: TrialRecord, run: RunRecord, settings: StudySettings) -> str:
    """Return the subfolder of TensorBoard's logs, as KerasTuner names it."""
    width = len(str(settings.budget.trials))
    return f"{trial.number:0{width}d}/execution{run.seed - settings.seed}"


def _int8_task(settings: StudySettings) -> Int8Task | None:
    if not settings.int8_images:
        return None
    board = load_board(settings.board)
    return Int8Task(settings.int8_images, per_channel_dense=board.per_channel_dense)


def concluding_job(trial: TrialRecord, run: RunRecord, limits: Limits) -> RunJob:
    """Return the job that saves the network of a trial that was not trained to its end."""
    return RunJob(
        run,
        f"trial {trial.number}",
        stop_after=trial.epochs,
        conclude=True,
        limit_seconds=limits.seconds,
        limit_bytes=limits.memory_bytes,
    )
