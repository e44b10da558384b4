"""`eyetune import`: the results of other tools, as records of the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from eyetune.cli.common import Common, command_group

app = command_group("import", "Import the results of other tools.")
_NO_COMMON = Common()


@app.command(name="keras-tuner")
def keras_tuner(
    directory: Path,
    /,
    *,
    name: Annotated[str, Parameter(show_default="the name of the folder")] = "",
    objective: Annotated[
        tuple[str, ...], Parameter(negative="", metavar="NAME:MIN|MAX", show_default=False)
    ] = (),
    common: Common = _NO_COMMON,
) -> None:
    """Import a project folder of KerasTuner as a study.

    The study holds its trials, their values and their scores. The folder is not changed, and its
    networks stay where they are. A trial that Hyperband promoted becomes a further rung of the
    trial that it continues.

    For example:

        eyetune import keras-tuner my_dir/my_project
        eyetune import keras-tuner untitled_project --name first --json

    Parameters
    ----------
    directory
        The folder that contains oracle.json: directory/project_name of the search.
    name
        Name of the study.
    objective
        Objective of the search, such as val_auc:max, if the scores do not show it; repeatable.
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
