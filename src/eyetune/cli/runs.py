"""`eyetune runs`: list, sort, filter, annotate, delete and restore runs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from eyetune.cli.common import Common, command_group, say
from eyetune.errors import RunBusyError, UsageError

if TYPE_CHECKING:
    from eyetune.records import RunRecord, Workspace
    from eyetune.records.run_lines import RunGroup

_MAX_NAMED = 5  # runs in a question

app = command_group("runs")
_NO_COMMON = Common()
_Filter = Annotated[tuple[str, ...], Parameter(negative="", show_default=False)]
_Reference = Annotated[str | None, Parameter(show_default=False)]
_Tags = Annotated[tuple[str, ...], Parameter(negative="", show_default=False)]


@app.default
def list_runs(
    *,
    limit: Annotated[int | None, Parameter(show_default="20")] = None,
    all_runs: Annotated[bool, Parameter(name="--all", negative="")] = False,
    sort: Annotated[str | None, Parameter(show_default="created_at, the newest first")] = None,
    reverse: Annotated[bool, Parameter(negative="")] = False,
    filter: _Filter = (),  # noqa: A002
    deleted: Annotated[bool, Parameter(negative="")] = False,
    common: Common = _NO_COMMON,
) -> None:
    """List, filter, annotate, delete and restore runs.

    Runs are listed one per line, the newest first; the runs of a lab or a study share one line. An
    accuracy in parentheses is on validation images that the run trained on, so it is not ranked.

    For example:

        eyetune runs --sort validation_accuracy --reverse
        eyetune runs --filter data=cifar10 --filter 'test_accuracy>0.7'
        eyetune runs --all --filter study=3f2a77b0

    Parameters
    ----------
    limit
        Number of lines; 0: all. With --json, number of runs, by default all.
    all_runs
        Show each run of the labs and studies in a line of its own.
    sort
        Field to sort by, the smallest first: created_at, validation_accuracy, parameters, ..., or a
        recipe value by its path.
    reverse
        Reverse the order.
    filter
        Keep only the runs that meet this condition; may be repeated.
    deleted
        List the runs in the trash instead.
    """
    from eyetune.cli.list_tables import DEFAULT_LIMIT, fold_runs
    from eyetune.records import query
    from eyetune.records.resolver import unrecorded_text
    from eyetune.report.console import escape

    if limit is not None and limit < 0:
        raise UsageError("The limit is negative.", expected="0 or more", received=limit)
    workspace = common.open_workspace()
    if not (common.json or reverse or sort or filter):
        lines, count = workspace.runs.newest_lines(
            DEFAULT_LIMIT if limit is None else limit, deleted=deleted, is_folded=not all_runs
        )
        if lines:
            _show_lines(workspace, lines, count, common)
            return
    recorded = workspace.runs.all(deleted=deleted)
    runs = query.choose(recorded, filter)
    if sort is None:
        runs = runs if reverse else runs[::-1]
    else:
        runs = query.order(runs, sort, descending=reverse)
    listed = runs[:limit] if limit else runs
    unrecorded = 0 if recorded else workspace.runs.unrecorded()
    value = {
        "workspace": str(workspace.folder),
        "runs": [run.to_json() for run in listed],
        "total": len(runs),
        "unrecorded": unrecorded,
    }
    if common.json:
        common.show(value)
    elif runs:
        lines = list(runs) if all_runs else fold_runs(runs)
        limit = DEFAULT_LIMIT if limit is None else limit
        _show_lines(workspace, lines[:limit] if limit else lines, len(lines), common)
    elif recorded:
        common.show(value, f"None of the {len(recorded):,} runs meets the filter.")
    elif deleted:
        common.show(value, "There are no runs in the trash.")
    elif unrecorded:
        common.show(value, escape(unrecorded_text(workspace.folder, "runs", unrecorded)))
        say(f"To check and repair it: eyetune doctor {workspace.folder}")
    else:
        common.show(value, escape(f"There are no runs in {workspace.folder}."))
        say("To train one: eyetune train --data digits")


def _show_lines(
    workspace: Workspace, shown: Sequence[RunRecord | RunGroup], count: int, common: Common
) -> None:
    """Show some lines of a list, and say how many there are."""
    from eyetune.cli.list_tables import runs_table
    from eyetune.records.run_lines import RunGroup

    studies = [*workspace.studies.all(), *workspace.studies.all(deleted=True)]
    common.show({}, *runs_table(shown, {study.id: study.name for study in studies}))
    if any(isinstance(line, RunGroup) for line in shown):
        say("To show the runs of labs and studies in lines of their own: eyetune runs --all")
    if len(shown) < count:
        say(f"{len(shown)} of {count:,} lines. To show all, add --limit 0.")


@app.command
def delete(
    *runs: str,
    lab: _Reference = None,
    study: _Reference = None,
    filter: _Filter = (),  # noqa: A002
    purge: Annotated[bool, Parameter(negative="")] = False,
    yes: Annotated[bool, Parameter(negative="")] = False,
    common: Common = _NO_COMMON,
) -> int:
    """Move runs to the trash.

    `eyetune runs restore` brings them back. The command asks first, except where runs are named and
    only moved to the trash.

    For example:

        eyetune runs delete 3f2a 77b0
        eyetune runs delete --study first --filter 'validation_accuracy<0.5'
        eyetune runs delete 3f2a --purge

    Parameters
    ----------
    runs
        Runs: ids, beginnings of ids, names, or latest.
    lab
        Delete the runs that this lab made, except those that other labs use too.
    study
        Delete the runs of this study's trials.
    filter
        Delete the runs that meet this condition; may be repeated, and combined with --lab or
        --study.
    purge
        Delete records and files for good, also of runs in the trash.
    yes
        Answer yes to all questions.
    """
    from eyetune.cli.trash import NOTHING_DELETED, confirm, find
    from eyetune.report.console import escape

    workspace = common.open_workspace()
    is_named = bool(runs)
    _check_choice(runs, lab, study, filter, "delete")
    if is_named:
        chosen = [find(workspace.runs.find, name, also_deleted=purge) for name in runs]
    else:
        chosen = _choose(workspace, lab, study, filter, deleted=False)
        if purge:
            chosen += _choose(workspace, lab, study, filter, deleted=True)
    chosen = list({run.id: run for run in chosen}.values())
    if not chosen:
        common.show({"deleted": [], "purged": purge}, "No run was chosen: nothing is deleted.")
        return 0
    if purge or not is_named:
        consequence = " for good, with their files" if purge else ""
        question = f"Delete {_summary(chosen)}{consequence}?"
        if not confirm(question, assume_yes=yes):
            common.show({"deleted": [], "purged": purge}, "Nothing is deleted.")
            return NOTHING_DELETED
    gone = _delete_each(workspace, chosen, purge=purge, skip_busy=not is_named)
    if not purge:
        choice = [run.id for run in gone] if is_named else _options(lab, study, filter)
        say(f"To bring back: eyetune runs restore {shlex.join(choice)}")
    value = {"deleted": [run.id for run in gone], "purged": purge}
    common.show(value, escape(f"Deleted {_summary(gone)}."))
    return 0


def _options(lab: str | None, study: str | None, conditions: Sequence[str]) -> list[str]:
    """Return the options of the command line that choose runs."""
    options = []
    for name, value in (("--lab", lab), ("--study", study)):
        if value is not None:
            options += [name, value]
    for condition in conditions:
        options += ["--filter", condition]
    return options


def _delete_each(
    workspace: Workspace, runs: Sequence[RunRecord], *, purge: bool, skip_busy: bool
) -> list[RunRecord]:
    """Delete runs, and return those that were deleted: one that is being trained can be skipped."""
    gone = []
    for run in runs:
        try:
            if purge:
                workspace.runs.purge(run.id)
            else:
                workspace.runs.delete(run.id)
        except RunBusyError as error:
            if not skip_busy:
                raise
            say(error.message)
            continue
        gone.append(run)
    return gone


@app.command
def restore(
    *runs: str,
    lab: _Reference = None,
    study: _Reference = None,
    filter: _Filter = (),  # noqa: A002
    common: Common = _NO_COMMON,
) -> None:
    """Bring runs back from the trash.

    For example:

        eyetune runs restore 3f2a
        eyetune runs restore --study first

    Parameters
    ----------
    runs
        Runs: ids, beginnings of ids, or names.
    lab
        Restore the runs that this lab made.
    study
        Restore the runs of this study's trials.
    filter
        Restore the runs that meet this condition; may be repeated.
    """
    from eyetune.report.console import escape

    workspace = common.open_workspace()
    _check_choice(runs, lab, study, filter, "restore")
    if runs:
        chosen = [workspace.runs.find(reference, deleted=True) for reference in runs]
    else:
        chosen = _choose(workspace, lab, study, filter, deleted=True)
    for run in chosen:
        workspace.runs.restore(run.id)
    text = f"Restored {_summary(chosen)}." if chosen else "No run was chosen: nothing is restored."
    common.show({"restored": [run.id for run in chosen]}, escape(text))


@app.command
def tag(
    *runs: str,
    add: _Tags = (),
    remove: _Tags = (),
    common: Common = _NO_COMMON,
) -> None:
    """Add tags to runs, or remove them.

    `eyetune runs --filter tags=TAG` lists the runs with a tag.

    For example:

        eyetune runs tag 3f2a 77b0 --add new-lamp
        eyetune runs tag 3f2a --remove new-lamp

    Parameters
    ----------
    runs
        Runs: ids, beginnings of ids, names, or latest.
    add
        A tag to add: letters, digits and . _ : / + -, without blanks. May be repeated.
    remove
        A tag to remove. May be repeated.
    """
    from eyetune.records.annotations import checked_tags
    from eyetune.report.console import escape_lines

    if not runs or not (add or remove):
        raise UsageError(
            "Nothing to tag is named.",
            expected="runs, and --add or --remove",
            fix="eyetune runs tag RUN --add TAG",
        )
    workspace = common.open_workspace()
    chosen = [workspace.runs.find(reference) for reference in runs]
    tags = {run.id: checked_tags({*run.tags, *add} - {*remove}) for run in chosen}
    for run_id, tags_of_run in tags.items():
        workspace.runs.annotate(run_id, tags=tags_of_run)
    lines = [f"{run.label}: {', '.join(tags[run.id]) or 'no tags'}" for run in chosen]
    common.show({"tags": tags}, escape_lines("\n".join(lines)))


@app.command
def note(run: str, text: str, /, *, common: Common = _NO_COMMON) -> None:
    """Write a note on a run, in place of an earlier one.

    `eyetune show` shows it.

    For example:

        eyetune runs note 3f2a "The first one with the new lamp."
        eyetune runs note 3f2a ""

    Parameters
    ----------
    run
        The run: an id, the beginning of an id, a name, or latest.
    text
        The note; "" removes it.
    """
    from eyetune.report.console import escape_lines

    workspace = common.open_workspace()
    chosen = workspace.runs.find(run)
    workspace.runs.annotate(chosen.id, note=text)
    before = f" Its note was: {chosen.note}" if chosen.note else ""
    done = f"{chosen.label} has {'this' if text.strip() else 'no'} note now.{before}"
    value = {"run": chosen.id, "note": text.strip(), "before": chosen.note}
    common.show(value, escape_lines(done))


def _choose(
    workspace: Workspace,
    lab: str | None,
    study: str | None,
    conditions: Sequence[str],
    *,
    deleted: bool,
) -> list[RunRecord]:
    """Return the runs of a lab or a study that meet conditions, oldest first."""
    from eyetune.records import query, trash

    if lab is not None:
        lab_id = trash.maker_id(workspace, "lab", lab)
        runs = trash.runs_of_lab(workspace, lab_id, deleted=deleted)
    elif study is not None:
        study_id = trash.maker_id(workspace, "study", study)
        runs = trash.runs_of_study(workspace, study_id, deleted=deleted)
    else:
        runs = workspace.runs.all(deleted=deleted)
    return query.choose(runs, conditions)


def _check_choice(
    runs: Sequence[str], lab: str | None, study: str | None, conditions: Sequence[str], verb: str
) -> None:
    is_chosen = lab is not None or study is not None or bool(conditions)
    if not runs and not is_chosen:
        raise UsageError(
            f"No run to {verb} is named.",
            expected="runs, or --lab, --study or --filter",
            fix=f"eyetune runs {verb} RUN",
        )
    if runs and is_chosen:
        raise UsageError(
            "Runs are either named, or chosen by --lab, --study and --filter.",
            received=", ".join(runs),
            fix="Use two commands.",
        )
    if lab is not None and study is not None:
        raise UsageError("No run belongs to a lab and to a study.", fix="Use two commands.")


def _summary(runs: Sequence[RunRecord]) -> str:
    """Return how many runs there are, with the first of them."""
    labels = ", ".join(run.label for run in runs[:_MAX_NAMED])
    if len(runs) == 1:
        return f"run {labels}"
    more = ", ..." if len(runs) > _MAX_NAMED else ""
    return f"{len(runs):,} runs ({labels}{more})"
