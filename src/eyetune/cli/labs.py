"""`eyetune labs`: list, delete and restore labs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from eyetune.cli.common import Common, command_group, say
from eyetune.errors import UsageError

if TYPE_CHECKING:
    from eyetune.records import Workspace
    from eyetune.records.lab import LabRecord

app = command_group("labs")
_NO_COMMON = Common()


@app.default
def list_labs(
    *, deleted: Annotated[bool, Parameter(negative="")] = False, common: Common = _NO_COMMON
) -> None:
    """List, delete and restore labs.

    Labs are listed one per line, the newest first.

    For example:

        eyetune labs

    Parameters
    ----------
    deleted
        List the labs in the trash instead.
    """
    from eyetune.cli.list_tables import labs_table
    from eyetune.report.console import escape

    workspace = common.open_workspace()
    labs = workspace.labs.all(deleted=deleted, skip_damaged=True)[::-1]
    for error in workspace.labs.damaged():
        say(str(error))
    value = {"workspace": str(workspace.folder), "labs": [_to_json(workspace, lab) for lab in labs]}
    if labs:
        common.show(value, labs_table(labs))
    elif deleted:
        common.show(value, "There are no labs in the trash.")
    else:
        common.show(value, escape(f"There are no labs in {workspace.folder}."))
        say("To begin one: eyetune lab --data digits --quick")


def _to_json(workspace: Workspace, lab: LabRecord) -> dict[str, Any]:
    return {
        "lab": lab.id,
        "created_at": lab.created_at.isoformat(timespec="seconds"),
        "data": lab.data,
        "techniques": len(lab.techniques),
        "best": lab.final.label,
        "test_accuracy": lab.final.test_accuracy,
        "run": lab.final.runs[0],
        "complete": lab.complete,
        "seconds": round(lab.seconds, 3),
        "answer": lab.answer,
        "folder": str(workspace.labs.folder(lab.id)),
    }


@app.command
def delete(
    *labs: str,
    with_runs: Annotated[bool | None, Parameter(name="--runs", negative="--no-runs")] = None,
    purge: Annotated[bool, Parameter(negative="")] = False,
    yes: Annotated[bool, Parameter(negative="")] = False,
    common: Common = _NO_COMMON,
) -> int:
    """Move labs to the trash.

    `eyetune labs restore` brings them back. The command asks whether to delete their runs too,
    except those that other labs use.

    For example:

        eyetune labs delete 3f2a77b0
        eyetune labs delete 3f2a77b0 --runs --purge --yes

    Parameters
    ----------
    labs
        Labs: ids, beginnings of ids, or latest.
    with_runs
        Delete their runs too, or keep them. Default: ask.
    purge
        Delete the labs for good, also labs in the trash.
    yes
        Answer yes to all questions.
    """
    from eyetune.cli.trash import LABS, delete_makers, find

    if not labs:
        raise UsageError("No lab to delete is named.", fix="eyetune labs delete LAB")
    workspace = common.open_workspace()
    ids = [find(workspace.labs.find_id, name, also_deleted=purge) for name in labs]
    return delete_makers(
        LABS,
        {lab_id: lab_id for lab_id in ids},
        workspace,
        common,
        purge=purge,
        with_runs=with_runs,
        assume_yes=yes,
    )


@app.command
def restore(*labs: str, common: Common = _NO_COMMON) -> None:
    """Bring labs back from the trash.

    The runs that were deleted together with them come back too.

    For example:

        eyetune labs restore 3f2a77b0

    Parameters
    ----------
    labs
        Labs: ids, or beginnings of ids.
    """
    from eyetune.cli.trash import LABS, restore_makers

    if not labs:
        raise UsageError("No lab to restore is named.", fix="eyetune labs restore LAB")
    workspace = common.open_workspace()
    ids = [workspace.labs.find_id(name, deleted=True) for name in labs]
    restore_makers(LABS, {lab_id: lab_id for lab_id in ids}, workspace, common)
