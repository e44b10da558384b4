"""The runs of trials: how they are created, and what workers do for them."""

from __future__ import annotations

from eyetune.data import AnyDataset
from eyetune.device.boards.profiles import load_board
from eyetune.device.export.int8_accuracy import Int8Task
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.study import Limits, StudyRecord, StudySettings
from eyetune.records.trial import Execution, TrialRecord
from eyetune.training.job import Inspection
from eyetune.tuning.dispatch import RunJob
from eyetune.tuning.executions import retry_seed, with_retry, with_runs
from eyetune.tuning.recording import describe, versions
from eyetune.tuning.trials import run_id, trial_recipe


def create_runs(
    workspace: Workspace,
    study: StudyRecord,
    trial: TrialRecord,
    inspection: Inspection,
    dataset: AnyDataset,
    num_threads: int,
) -> TrialRecord:
    """Record the runs of a trial whose network was built, and return the trial: RUNNING.

    Args:
        workspace: Where they are recorded.
        study: The study.
        trial: The trial.
        inspection: Its network.
        dataset: The images of the study.
        num_threads: Threads of its trainings; 0 for one for each core.
    """
    assert inspection.network is not None
    trial = with_runs(study, trial)
    name = f"{study.name}/{trial.number}"
    new_runs = [(name, study.settings.seed, trial.run)]
    if trial.executions:
        new_runs = [
            (f"{name}/{execution.seed}", execution.seed, execution.run)
            for execution in trial.executions
        ]
    for run_name, seed, new_id in new_runs:
        workspace.runs.create(
            recipe=trial_recipe(study.settings, trial),
            data=describe(dataset, inspection.num_classes),
            network=inspection.network,
            seed=seed,
            precision=inspection.precision,
            threads=num_threads,
            name=run_name,
            versions=versions(),
            state=RunState.WAITING,
            run_id=new_id,
            study_id=study.id,
        )
    return trial


def create_retry(
    workspace: Workspace, study: StudyRecord, trial: TrialRecord, failed: RunRecord
) -> tuple[TrialRecord, str]:
    """Record a run that repeats one that failed, from its first epoch and with another seed.

    Args:
        workspace: Where it is recorded.
        study: The study.
        trial: The trial.
        failed: The run of the trial that failed.

    Returns:
        The trial with the new run in place of the other one, and the new run's id.
    """
    seed = retry_seed(study.settings, trial)
    run = workspace.runs.create(
        recipe=failed.recipe,
        data=failed.data,
        network=failed.network,
        seed=seed,
        precision=failed.precision,
        threads=failed.threads,
        deterministic=failed.deterministic,
        name=f"{study.name}/{trial.number}/{seed}",
        versions=versions(),
        state=RunState.WAITING,
        run_id=run_id(study.id, trial.number, seed),
        study_id=study.id,
    )
    retry = Execution(run=run.id, seed=seed)
    return with_retry(trial, failed.id, retry, failed.num_epochs_done), run.id


def training_job(trial: TrialRecord, run: RunRecord, settings: StudySettings) -> RunJob:
    """Return the job that trains a run of a trial up to the epochs that the trial is granted.

    If the accuracy of int8 networks is an objective, it is measured at the end of the job.
    """
    limits = settings.limits
    is_last_part = trial.epochs_granted >= run.recipe.fit.total_epochs
    return RunJob(
        run,
        "final training" if trial.is_final else _label(trial, run),
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


def _label(trial: TrialRecord, run: RunRecord) -> str:
    """Return the name of a training in the display."""
    is_one_of_several = trial.executions or trial.retries
    return f"trial {trial.number}" + (f", seed {run.seed}" if is_one_of_several else "")


def _int8_task(settings: StudySettings) -> Int8Task | None:
    if not settings.int8_images:
        return None
    board = load_board(settings.board)
    return Int8Task(settings.int8_images, per_channel_dense=board.per_channel_dense)


def concluding_job(trial: TrialRecord, run: RunRecord, limits: Limits) -> RunJob:
    """Return the job that saves the network of a run of a trial that was not trained to its end."""
    return RunJob(
        run,
        _label(trial, run),
        stop_after=trial.epochs_of(run.id),
        conclude=True,
        limit_seconds=limits.seconds,
        limit_bytes=limits.memory_bytes,
    )
