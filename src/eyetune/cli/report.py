"""`eyetune report`: one HTML file about a lab or about runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from eyetune.cli.common import Common, check_output_file

_NO_COMMON = Common()


def report(
    *references: str,
    output: Annotated[
        Path | None,
        Parameter(
            metavar="FILE",
            show_default="report.html in the lab's folder, or reports/ in the workspace",
        ),
    ] = None,
    browse: Annotated[bool, Parameter(name="--open", negative="")] = False,
    common: Common = _NO_COMMON,
) -> None:
    """Write one HTML file about a lab or about runs.

    The file contains all its pictures and opens anywhere.

    For example:

        eyetune report --open
        eyetune report 3f2a 77b0 --output runs.html

    Parameters
    ----------
    references
        A lab, or one or several runs: ids, beginnings of ids, or names of runs. Default: the latest
        lab, or the latest run if there is no lab.
    output
        File for the report (HTML).
    browse
        Open the report in the browser.
    """
    check_output_file(output)
    from eyetune.api.report import write_report
    from eyetune.report.console import escape

    written = write_report(*references, output=output, workspace=common.open_workspace())
    if browse:
        import webbrowser

        webbrowser.open(written.path.resolve().as_uri())
    value = {
        "report": str(written.path),
        "lab": written.lab.id if written.lab else None,
        "runs": [run.id for run in written.runs],
    }
    common.show(value, escape(str(written.path)))
