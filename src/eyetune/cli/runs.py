"""`eyetune runs`: list, sort, filter, delete and restore runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from eyetune.cli.common import Common, command_group, say
from eyetune.errors import RunNotFoundError, UsageError

if TYPE_CHECKING:
    from eyetune.records import RunRecord, Workspace

app = command_group("runs", "List, filter, delete and restore runs.")
_NO_COMMON = Common()


@app.default
def list_runs(
    *,
    sort: str = "created_at",
    reverse: Annotated[bool, Parameter(negative="")] = False,
    filter: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),  # noqa: A002
    deleted: Annotated[bool, Parameter(negative="")] = False,
    common: Common = _NO_COMMON,
) -> None:
    """List the runs of the workspace.

    For example:

        eyetune runs --sort validation_accuracy --reverse
        eyetune runs --filter data=cifar10 --filter 'test_accuracy>0.7'

    Parameters
    ----------
    sort
        Field to sort by: created_at, validation_accuracy, parameters, ..., or a recipe value by its
        path.
    reverse
        The largest first.
    filter
        Keep only the runs that meet this condition; may be repeated.
    deleted
        List the deleted runs instead.
    """
    from eyetune.cli.tables import runs_table
    from eyetune.records import query

    workspace = common.open_workspace()
    chosen = query.choose(workspace.runs.all(deleted=deleted), filter)
    ordered = query.order(chosen, sort, descending=reverse)
    value = {"workspace": str(workspace.folder), "runs": [run.to_json() for run in ordered]}
    common.show(value, runs_table(ordered, workspace.folder))


@app.command
def delete(
    *runs: str,
    purge: Annotated[bool, Parameter(negative="")] = False,
    common: Common = _NO_COMMON,
) -> None:
    """Delete runs.

    `eyetune runs restore` brings them back, unless --purge deletes their files too.

    For example:

        eyetune runs delete 3f2a 77b0
        eyetune runs delete 3f2a --purge

    Parameters
    ----------
    runs
        Ids of runs, the beginnings of them, their names, or latest.
    purge
        Delete records and files for good (also of runs that were deleted before).
    """
    workspace = common.open_workspace()
    _check_named(runs, "delete")
    chosen = [_find(workspace, reference, also_deleted=purge) for reference in runs]
    for run in chosen:
        if purge:
            workspace.runs.purge(run.id)
        else:
            workspace.runs.delete(run.id)
    ids = [run.id for run in chosen]
    if not purge:
        say(f"To bring back: eyetune runs restore {' '.join(ids)}")
    common.show(
        {"deleted": ids, "purged": purge}, f"Deleted {', '.join(run.label for run in chosen)}"
    )


@app.command
def restore(*runs: str, common: Common = _NO_COMMON) -> None:
    """Bring deleted runs back.

    For example:

        eyetune runs restore 3f2a

    Parameters
    ----------
    runs
        Ids of runs, the beginnings of them, or their names.
    """
    workspace = common.open_workspace()
    _check_named(runs, "restore")
    chosen = [workspace.runs.find(reference, deleted=True) for reference in runs]
    for run in chosen:
        workspace.runs.restore(run.id)
    common.show(
        {"restored": [run.id for run in chosen]},
        f"Restored {', '.join(run.label for run in chosen)}",
    )


def _find(workspace: Workspace, reference: str, *, also_deleted: bool) -> RunRecord:
    try:
        return workspace.runs.find(reference)
    except RunNotFoundError as error:
        if error.is_ambiguous or not also_deleted:
            raise
        return workspace.runs.find(reference, deleted=True)


def _check_named(runs: tuple[str, ...], verb: str) -> None:
    if not runs:
        raise UsageError(f"There is no run to {verb}.", fix=f"eyetune runs {verb} RUN")
