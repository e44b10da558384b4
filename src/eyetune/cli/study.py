"""`eyetune study` and `eyetune studies`: what became of searches."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from eyetune.cli.common import Common, command_group, say
from eyetune.errors import UsageError

app = command_group("studies", "List and delete studies.")
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
        Of the study, its id or the beginning of it; by default the latest.
    trial
        Show one trial alone, with its whole error where it failed.
    browse
        Open the report in the browser.
    """
    import eyetune
    from eyetune.cli.study_tables import study_tables, trial_table
    from eyetune.records.study import summary

    found = eyetune.open_study(name, workspace=common.open_workspace())
    if trial is not None:
        if not 0 <= trial < len(found.trials):
            raise UsageError(
                f"Study {found.name} has no trial {trial}.",
                expected=f"0 to {len(found.trials) - 1}",
                received=trial,
            )
        one = found.trials[trial]
        common.show(
            dict(summary(one, found.record.settings.objectives)), *trial_table(found.record, one)
        )
        return
    paths = []
    if found.trials:
        found.save_plots()
        paths = [found.report(), found.folder / "plots"]
    if browse and paths:
        import webbrowser

        webbrowser.open(paths[0].resolve().as_uri())
    common.show(
        found.to_json(),
        *study_tables(found.record, found.trials, found.importances, found.warnings, paths),
    )


@app.default
def list_studies(*, common: Common = _NO_COMMON) -> None:
    """List the studies of the workspace.

    For example:

        eyetune studies
    """
    from eyetune.cli.study_tables import studies_table

    workspace = common.open_workspace()
    records, counts = workspace.studies.all(), workspace.studies.count_trials()
    value = {
        "workspace": str(workspace.folder),
        "studies": [
            {
                "study": one.name,
                "id": one.id,
                "state": str(one.state),
                "created_at": one.created_at.isoformat(timespec="seconds"),
                "configurations": counts.get(one.id, 0),
                "seconds": round(one.seconds, 3),
                "ending": one.ending,
            }
            for one in records
        ],
    }
    common.show(value, studies_table(records, counts))


@app.command
def delete(*names: str, common: Common = _NO_COMMON) -> None:
    """Delete studies.

    The runs of their trials stay; `eyetune runs delete` removes those.

    For example:

        eyetune studies delete first

    Parameters
    ----------
    names
        Of studies, their ids or the beginnings of those.
    """
    if not names:
        raise UsageError("There is no study to delete.", fix="eyetune studies delete NAME")
    workspace = common.open_workspace()
    chosen = [workspace.studies.find(name) for name in names]
    for one in chosen:
        workspace.studies.delete(one.id)
    say("The runs of their trials are still there: eyetune runs")
    common.show(
        {"deleted": [one.name for one in chosen]},
        f"Deleted {', '.join(one.name for one in chosen)}",
    )
