"""`eyetune study` shows a study; `eyetune studies` lists, controls, deletes and restores them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from eyetune.cli.common import Common, command_group, say
from eyetune.errors import UsageError

if TYPE_CHECKING:
    from eyetune.records.study import StudyRecord

app = command_group("studies")
_NO_COMMON = Common()


def study(
    name: str = "latest",
    /,
    *,
    trial: Annotated[int | None, Parameter(show_default=False)] = None,
    browse: Annotated[bool, Parameter(name="--open", negative="")] = False,
    common: Common = _NO_COMMON,
) -> None:
    """Show a study: its best trials, and its plots and report.

    The report holds the best value so far, learning curves, parallel coordinates, importances,
    slices and, with several objectives, the Pareto front.

    For example:

        eyetune study
        eyetune study first --open
        eyetune study first --trial 7

    Parameters
    ----------
    name
        Name of the study, its id, the beginning of its id, or `latest`.
    trial
        Show only this trial, with its whole error if it failed.
    browse
        Open the report in the browser.
    """
    import eyetune
    from eyetune.analysis.trial_results import trial_json
    from eyetune.cli.study_tables import best_tables, finding_tables, trial_table
    from eyetune.report.progress.training_progress import slow_step

    chosen = eyetune.open_study(name, workspace=common.open_workspace())
    if trial is not None:
        by_number = {record.number: record for record in chosen.trials}
        if trial not in by_number:
            raise UsageError(
                f"Study {chosen.name} has no trial {trial}.",
                expected=f"0 to {max(by_number)}" if by_number else "a study with trials",
                received=trial,
            )
        record = by_number[trial]
        value = trial_json(record, chosen.record.settings.objectives)
        common.show(value, *trial_table(chosen.record, record))
        return
    if not common.json:  # with many trials, the figures take seconds
        common.show({}, *best_tables(chosen.record, chosen.trials))
    with slow_step("Drawing the plots and writing the report ..."):
        paths = chosen.draw() if chosen.trials else []
    if browse and paths:
        import webbrowser

        webbrowser.open(paths[0].resolve().as_uri())
    common.show(
        chosen.to_json() if common.json else {},
        *finding_tables(chosen.record, chosen.trials, chosen.importances, chosen.warnings, paths),
    )


@app.default
def list_studies(
    *, deleted: Annotated[bool, Parameter(negative="")] = False, common: Common = _NO_COMMON
) -> None:
    """List, control, delete and restore studies.

    Studies are listed one per line, the newest first.

    For example:

        eyetune studies

    Parameters
    ----------
    deleted
        List the studies in the trash instead.
    """
    from eyetune.cli.list_tables import studies_table
    from eyetune.records.resolver import unrecorded_text
    from eyetune.report.console import escape

    workspace = common.open_workspace()
    studies = workspace.studies.all(deleted=deleted)[::-1]
    counts = workspace.studies.count_trials()
    rows = [_to_json(study, counts.get(study.id, 0)) for study in studies]
    unrecorded = 0 if studies else workspace.studies.unrecorded()
    value = {"workspace": str(workspace.folder), "studies": rows, "unrecorded": unrecorded}
    if studies:
        common.show(value, studies_table(studies, counts))
    elif deleted:
        common.show(value, "There are no studies in the trash.")
    elif unrecorded:
        common.show(value, escape(unrecorded_text(workspace.folder, "studies", unrecorded)))
        say(f"To check and repair it: eyetune doctor {workspace.folder}")
    else:
        common.show(value, escape(f"There are no studies in {workspace.folder}."))
        say("To begin one: eyetune tune --data digits")


def _to_json(study: StudyRecord, num_trials: int) -> dict[str, Any]:
    return {
        "study": study.name,
        "id": study.id,
        "state": str(study.state),
        "created_at": study.created_at.isoformat(timespec="seconds"),
        "configurations": num_trials,
        "seconds": round(study.seconds, 3),
        "ending": study.ending,
        "deleted_at": study.deleted_at and study.deleted_at.isoformat(timespec="seconds"),
    }


@app.command
def delete(
    *names: str,
    with_runs: Annotated[bool | None, Parameter(name="--runs", negative="--no-runs")] = None,
    purge: Annotated[bool, Parameter(negative="")] = False,
    yes: Annotated[bool, Parameter(negative="")] = False,
    common: Common = _NO_COMMON,
) -> int:
    """Move studies to the trash.

    `eyetune studies restore` brings them back. The command asks whether to delete the runs
    of their trials too.

    For example:

        eyetune studies delete first
        eyetune studies delete first --runs --purge --yes

    Parameters
    ----------
    names
        Studies: names, ids, beginnings of ids, or latest.
    with_runs
        Delete the runs of their trials too, or keep them. Default: ask.
    purge
        Delete the studies for good, also studies in the trash.
    yes
        Answer yes to all questions.
    """
    from eyetune.cli.trash import STUDIES, delete_makers, find

    if not names:
        raise UsageError("No study to delete is named.", fix="eyetune studies delete NAME")
    workspace = common.open_workspace()
    studies = [find(workspace.studies.find, name, also_deleted=purge) for name in names]
    return delete_makers(
        STUDIES,
        {study.id: study.name for study in studies},
        workspace,
        common,
        purge=purge,
        with_runs=with_runs,
        assume_yes=yes,
    )


@app.command
def restore(*names: str, common: Common = _NO_COMMON) -> None:
    """Bring studies back from the trash.

    The runs that were deleted together with them come back too.

    For example:

        eyetune studies restore first

    Parameters
    ----------
    names
        Studies: names, ids, or beginnings of ids.
    """
    from eyetune.cli.trash import STUDIES, restore_makers

    if not names:
        raise UsageError("No study to restore is named.", fix="eyetune studies restore NAME")
    workspace = common.open_workspace()
    studies = [workspace.studies.find(name, deleted=True) for name in names]
    restore_makers(STUDIES, {study.id: study.name for study in studies}, workspace, common)


@app.command
def pause(name: str = "latest", /, *, common: Common = _NO_COMMON) -> None:
    """Pause a study that another process is running, as Ctrl-C does there.

    `eyetune tune --resume --name NAME` continues it.

    For example:

        eyetune studies pause first

    Parameters
    ----------
    name
        Name of the study, its id, the beginning of its id, or `latest`.
    """
    import eyetune
    from eyetune.report.console import escape

    study = eyetune.open_study(name, workspace=common.open_workspace())
    study.pause()
    common.show({"study": study.name, "asked": "pause"}, f"{escape(study.name)} will pause.")


@app.command
def stop(name: str = "latest", /, *, common: Common = _NO_COMMON) -> None:
    """End a study that another process is running, with the results so far.

    Its best network is saved. A final training is left out; one that is running pauses.

    For example:

        eyetune studies stop first

    Parameters
    ----------
    name
        Name of the study, its id, the beginning of its id, or `latest`.
    """
    import eyetune
    from eyetune.report.console import escape

    study = eyetune.open_study(name, workspace=common.open_workspace())
    study.stop()
    common.show({"study": study.name, "asked": "stop"}, f"{escape(study.name)} will end.")


@app.command
def enqueue(
    name: str = "latest",
    /,
    *,
    set: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),  # noqa: A002
    common: Common = _NO_COMMON,
) -> None:
    """Let a study try values of your own next.

    It may be paused, or running in another process. The trial counts as one of the study's trials.
    Hyperparameters that are not set have their defaults.

    For example:

        eyetune studies enqueue first --set optimizer.learning_rate=0.003
        eyetune studies enqueue first --set model.width=0.5 --set fit.batch_size=64

    Parameters
    ----------
    name
        Name of the study, its id, the beginning of its id, or `latest`.
    set
        Value of a hyperparameter, as NAME=VALUE. May be repeated.
    """
    import eyetune
    from eyetune.recipe import parse_edits
    from eyetune.report.console import escape

    study = eyetune.open_study(name, workspace=common.open_workspace())
    values = study.enqueue_trial(parse_edits(set))
    text = ", ".join(f"{key}={value}" for key, value in values.items())
    common.show(
        {"study": study.name, "enqueued": values},
        escape(f"{study.name} will try {text}."),
    )
