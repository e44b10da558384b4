"""`eyetune import`: what other tools have done, as our records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from eyetune.cli.common import Common

app = App(
    name="import",
    help="Read what other tools have done into the workspace.",
    help_format="plaintext",
)
_NO_COMMON = Common()


@app.command(name="keras-tuner")
def keras_tuner(
    directory: Path,
    /,
    *,
    name: str = "",
    objective: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    common: Common = _NO_COMMON,
) -> None:
    """Read a project folder of KerasTuner as a study: its trials, their values and their scores.

    Nothing in the folder is changed, and its networks stay where they are. A trial that Hyperband
    promoted becomes a further rung of the trial that it goes on with.

    For example:

    eyetune import keras-tuner my_dir/my_project

    eyetune import keras-tuner untitled_project --name first --json

    Parameters
    ----------
    directory
        The folder with oracle.json: directory/project_name of the search.
    name
        What to call the study; by default the name of the folder.
    objective
        What it searched for, where that cannot be told from its scores, such as val_auc:max; may be
        repeated.
    """
    from eyetune.cli.study_tables import study_tables
    from eyetune.compat.keras_tuner.importing import import_keras_tuner

    study = import_keras_tuner(
        directory, name=name, objective=objective or None, workspace=common.open_workspace()
    )
    common.show(
        study.to_json(),
        *study_tables(study.record, study.trials, study.importances, study.warnings, ()),
    )
