"""Moving labs and studies to the trash, alone or with the runs that they made, and back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

from eyetune.errors import RunBusyError
from eyetune.records.resolver import LAB, STUDY, Candidate, resolve_reference
from eyetune.records.run import RunRecord
from eyetune.records.workspace import Workspace


def runs_of_lab(workspace: Workspace, lab_id: str, *, deleted: bool = False) -> list[RunRecord]:
    """Return the runs that a lab made and that no other lab uses, oldest first.

    A lab does not train again what was trained before, so that two labs can share a run.

    Args:
        workspace: Where they are recorded.
        lab_id: Id of the lab.
        deleted: Whether to return those in the trash instead. Default: False.
    """
    used_elsewhere: set[str] = set()
    for lab in workspace.labs.all(skip_damaged=True):
        if lab.id != lab_id:
            used_elsewhere |= lab.run_ids
    made = [run for run in workspace.runs.all(deleted=deleted) if run.lab_id == lab_id]
    return [run for run in made if run.id not in used_elsewhere]


def runs_of_study(workspace: Workspace, study_id: str, *, deleted: bool = False) -> list[RunRecord]:
    """Return the runs of a study's trials, oldest first.

    Args:
        workspace: Where they are recorded.
        study_id: Id of the study.
        deleted: Whether to return those in the trash instead. Default: False.
    """
    return [run for run in workspace.runs.all(deleted=deleted) if run.study_id == study_id]


def maker_id(workspace: Workspace, kind: Literal["lab", "study"], reference: str) -> str:
    """Return the id of the lab or study that a user means, also if only its runs are left.

    Args:
        workspace: Where they are recorded.
        kind: "lab" or "study".
        reference: An id, the beginning of an id, the name of a study, or "latest".

    Raises:
        NotFoundError: None or several match.
    """
    runs = [*workspace.runs.all(), *workspace.runs.all(deleted=True)]
    if kind == "lab":
        records = [Candidate(lab.id) for lab in workspace.labs.all(skip_damaged=True)]
        names: dict[str, str] = {}
        ids = [run.lab_id for run in runs if run.lab_id is not None]
    else:
        records = [Candidate(study.id, study.name) for study in workspace.studies.all()]
        names = {study.id: study.name for study in workspace.studies.all(deleted=True)}
        ids = [run.study_id for run in runs if run.study_id is not None]
    known = {candidate.id for candidate in records}
    taken_names = {candidate.name for candidate in records}  # these mean the study that is left
    others = []
    for maker in dict.fromkeys(ids):
        if maker not in known:
            name = names.get(maker, "")
            others.append(Candidate(maker, "" if name in taken_names else name))
    return resolve_reference(
        reference,
        LAB if kind == "lab" else STUDY,
        [*others, *records],
        latest=lambda: records[-1].id if records else None,
        folder=workspace.folder,
    )


def delete_lab(workspace: Workspace, lab_id: str, runs: Sequence[RunRecord] = ()) -> list[str]:
    """Move a lab to the trash with some of its runs, and return the ids of those.

    `restore_lab` brings back both. A run that another lab is training stays.
    """
    deleted_at = datetime.now(UTC)
    workspace.labs.delete(lab_id, deleted_at=deleted_at)
    return _delete_runs(workspace, runs, deleted_at)


def restore_lab(workspace: Workspace, lab_id: str) -> list[str]:
    """Bring a lab back with the runs that were deleted together with it, and return their ids."""
    deleted_at = workspace.labs.deleted_at(lab_id)
    workspace.labs.restore(lab_id)
    candidates = [run for run in workspace.runs.all(deleted=True) if run.lab_id == lab_id]
    return _restore_runs(workspace, candidates, deleted_at)


def purge_lab(workspace: Workspace, lab_id: str, runs: Sequence[RunRecord] = ()) -> list[str]:
    """Delete a lab and some of its runs for good, and return the ids of those runs."""
    workspace.labs.purge(lab_id)
    return _purge_runs(workspace, runs)


def delete_study(workspace: Workspace, study_id: str, runs: Sequence[RunRecord] = ()) -> list[str]:
    """Move a study to the trash with some of its runs, and return the ids of those.

    `restore_study` brings back both.

    Raises:
        StudyBusyError: Another process is running it.
    """
    deleted_at = datetime.now(UTC)
    workspace.studies.delete(study_id, deleted_at=deleted_at)
    return _delete_runs(workspace, runs, deleted_at)


def restore_study(workspace: Workspace, study_id: str) -> list[str]:
    """Bring a study back with the runs that were deleted together with it, and return their ids.

    Raises:
        UsageError: Another study has its name by now.
    """
    deleted_at = workspace.studies.get(study_id).deleted_at
    workspace.studies.restore(study_id)
    return _restore_runs(workspace, runs_of_study(workspace, study_id, deleted=True), deleted_at)


def purge_study(workspace: Workspace, study_id: str, runs: Sequence[RunRecord] = ()) -> list[str]:
    """Delete a study and some of its runs for good, and return the ids of those runs.

    Raises:
        StudyBusyError: Another process is running it.
    """
    workspace.studies.purge(study_id)
    return _purge_runs(workspace, runs)


def _delete_runs(
    workspace: Workspace, runs: Sequence[RunRecord], deleted_at: datetime
) -> list[str]:
    deleted = []
    for run in runs:
        with suppress(RunBusyError):
            workspace.runs.delete(run.id, deleted_at=deleted_at)
            deleted.append(run.id)
    return deleted


def _restore_runs(
    workspace: Workspace, candidates: Sequence[RunRecord], deleted_at: datetime | None
) -> list[str]:
    """Bring back the runs that were deleted at the same moment as their lab or study."""
    run_ids = [run.id for run in candidates if run.deleted_at == deleted_at]
    for run_id in run_ids:
        workspace.runs.restore(run_id)
    return run_ids


def _purge_runs(workspace: Workspace, runs: Sequence[RunRecord]) -> list[str]:
    purged = []
    for run in runs:
        with suppress(RunBusyError):
            workspace.runs.purge(run.id)
            purged.append(run.id)
    return purged
