"""The lab: which technique, which combination gives the best result, and how sure are we?

The stages: a baseline and each technique's values, one change at a time; the techniques that helped
are stacked; the best recipe and the baseline are trained on training and validation images together
and tested, once; each pair of the stack is tried by itself; and in the time that is left, both are
trained with more seeds and tested. Every training is an ordinary run.
What is recorded already is not trained again, so an interrupted lab continues where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from eyetune._files import LockedError, acquire_lock
from eyetune.errors import RunBusyError, WorkspaceError
from eyetune.records import Workspace
from eyetune.records.lab import LabRecord
from eyetune.report.progress.training_progress import WorkersDisplay
from eyetune.techniques.lab.combination import stack
from eyetune.techniques.lab.final_runs import add_final_seeds, train_finals
from eyetune.techniques.lab.findings import Findings, lab_record
from eyetune.techniques.lab.interactions import train_pairs
from eyetune.techniques.lab.plan import LabPlan
from eyetune.techniques.lab.single_changes import train_single_changes
from eyetune.techniques.lab.trainer import LabTrainer, WorkersTrainer
from eyetune.tuning.executors import LocalExecutor
from eyetune.tuning.runner import Runner


def run_lab(
    plan: LabPlan,
    workspace: Workspace,
    display: WorkersDisplay,
    on_begin: Callable[[], None] = lambda: None,
) -> LabRecord:
    """Run a lab with worker processes, or continue an interrupted one, and return its record.

    Args:
        plan: What the lab does.
        workspace: Where its runs are recorded.
        display: Shows the trainings.
        on_begin: Called when no other lab can run in the workspace any more.

    Raises:
        RunBusyError: Another lab is running in the workspace.
        TrainingError: The baseline cannot be trained, or no final training has a result.
    """
    workspace.prepare()
    with _lab_lock(workspace), LocalExecutor(plan.workers) as executor:
        on_begin()
        runner = Runner(workspace, executor, display, lab_id=plan.id)
        return run_stages(plan, WorkersTrainer(plan, runner, workspace, display))


def run_stages(plan: LabPlan, trainer: LabTrainer) -> LabRecord:
    """Go through the stages of a lab and return its record.

    Args:
        plan: What the lab does.
        trainer: Trains the recipes.

    Raises:
        TrainingError: The baseline cannot be trained, or no final training has a result.
    """
    baseline, changes, skipped = train_single_changes(plan, trainer)
    combination = stack(plan, trainer, baseline, changes)
    skipped += combination.skipped
    final_baseline, final = train_finals(trainer, baseline, combination.result)
    # The pairs come last, in the time that is left: the test results do not depend on them.
    interactions, skipped_pairs = train_pairs(plan, trainer, baseline, changes, combination.parts)
    final_baseline, final = add_final_seeds(plan, trainer, final_baseline, final)
    findings = Findings(
        baseline=baseline,
        techniques=tuple(change.effect for change in changes),
        skipped=(*skipped, *skipped_pairs),
        steps=combination.steps,
        interactions=tuple(interactions),
        best=combination.result,
        final_baseline=final_baseline,
        final=final,
        seconds=trainer.seconds,
        created_at=datetime.now(UTC),
    )
    return lab_record(plan, findings)


@contextmanager
def _lab_lock(workspace: Workspace) -> Iterator[None]:
    try:
        lock = acquire_lock(workspace.path("lab.lock"))
    except LockedError:
        raise RunBusyError(
            f"Another lab is running in {workspace.folder}.",
            fix="Wait until it ends, or use another workspace with --workspace.",
        ) from None
    except OSError as error:
        raise WorkspaceError(
            f"Cannot write to the workspace {workspace.folder}.",
            received=error.strerror or error,
            fix="Check the folder's permissions, or use another workspace with --workspace.",
        ) from None
    with lock:
        yield
