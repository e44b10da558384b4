"""`eyetune shrink`: a smaller network from a trained one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from eyetune.cli.common import INTERRUPTED, Common, say
from eyetune.cli.tracker_flags import TrackerFlags, TrackerOptions
from eyetune.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.api.shrink import Shrunk

_NO_COMMON = Common()
_NO_TRACKERS = TrackerFlags()


def shrink(  # noqa: PLR0913 (options)
    run: str | None = None,
    /,
    *,
    to: Annotated[str | None, Parameter(metavar="BYTES", show_default="no limit")] = None,
    arena: Annotated[str | None, Parameter(metavar="BYTES", show_default="no limit")] = None,
    latency: Annotated[str | None, Parameter(metavar="TIME", show_default="no limit")] = None,
    macs: Annotated[str | None, Parameter(metavar="COUNT", show_default="no limit")] = None,
    constraint: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    fps: Annotated[float | None, Parameter(show_default="no limit")] = None,
    board: Annotated[str | None, Parameter(show_default="no board")] = None,
    epochs: Annotated[int | None, Parameter(show_default="as many as the run has")] = None,
    seed: int = 0,
    name: str = "",
    resume: Annotated[str | None, Parameter(metavar="NAME", show_default=False)] = None,
    threads: Annotated[int, Parameter(show_default="one per core")] = 0,
    trackers: TrackerOptions = _NO_TRACKERS,
    common: Common = _NO_COMMON,
) -> int:
    """Make the network of a run smaller until it meets your limits.

    In each step, the channels that matter least are removed, and the rest is trained further with
    the run as its teacher. The result is a run like any other. Costs are predicted as by
    `eyetune fit-check`; in the last step, all limits hold for the converted network. Ctrl-C keeps
    all complete epochs.

    For example:

        eyetune shrink latest --to 98k
        eyetune shrink camera --latency 200ms --arena 64KiB --board esp-eye
        eyetune shrink camera --macs 6M --epochs 20 --name camera-half
        eyetune shrink --resume camera-half

    Parameters
    ----------
    run
        Run of a network of blocks: its id, the beginning of the id, its name, or `latest`.
    to
        Maximum size of the int8 network in flash, for example 98k (98,000 bytes) or 96KiB (98,304).
    arena
        Maximum size of the tensor arena, for example 64k (64,000 bytes) or 64KiB (65,536).
    latency
        Maximum time per image on the board as predicted, for example 200ms; requires --board.
    macs
        Maximum number of multiply-accumulates per image, for example 6M.
    constraint
        Another limit, such as "parameters < 50k"; repeat the option for several limits.
    fps
        Frames per second that the network must reach on the board, as predicted.
    board
        A name from `eyetune boards`, or the path of a .toml file that describes a board. Its memory
        is a limit, too.
    epochs
        Epochs of all steps together; the last step takes at least half.
    seed
        Random seed.
    name
        Name of the result.
    resume
        Continue an interrupted command: the name of its result, or `latest`.
    threads
        Number of threads.
    """
    limits = {"flash_bytes": to, "arena_bytes": arena, "latency_ms": latency, "macs": macs}
    constraints = (
        *(f"{cost} <= {limit}" for cost, limit in limits.items() if limit is not None),
        *constraint,
    )
    if resume is not None and (run is not None or constraints or fps or board or epochs or name):
        raise UsageError(
            "A resumed command keeps its run, limits, epochs and name.",
            expected="--resume NAME without a run and without other options",
            received="both",
            fix="Leave out the other options, or leave out --resume.",
        )
    if resume is None and run is None:
        raise UsageError(
            "There is no run to make smaller.",
            expected="its id, the beginning of the id, its name, or latest",
            fix="eyetune shrink latest --to 98k",
        )
    import eyetune
    from eyetune.cli.run_tables import training_summary

    workspace = common.open_workspace()
    opened = trackers.open()
    try:
        if resume is not None:
            result = eyetune.resume_shrink(resume, workspace=workspace, trackers=opened)
        else:
            result = eyetune.shrink(
                str(run),
                constraints,
                board=board,
                fps=fps,
                epochs=epochs,
                seed=seed,
                name=name,
                workspace=workspace,
                threads=threads,
                trackers=opened,
            )
    except KeyboardInterrupt:
        begun = [record.name for record in workspace.shrinks.all() if not record.is_over]
        to_continue = resume or (begun[-1] if begun else "")
        text = "Interrupted before the first step."
        if to_continue:
            text = (
                "Interrupted. All complete epochs are recorded. "
                f"To continue: eyetune shrink --resume {to_continue}"
            )
        say(text)
        return INTERRUPTED
    common.show(result.to_json(), *_summary(result), *training_summary(result.run))
    return 0


def _summary(result: Shrunk) -> list[RenderableType]:
    """Return a table of the costs and the accuracy before and now, with the limits."""
    from rich import box
    from rich.table import Table

    from eyetune.api.shrink_limits import cost_changes
    from eyetune.report.console import escape

    table = Table("", box=box.SIMPLE)
    for column in ("before", "now", "limit"):
        table.add_column(column, justify="right")
    for change in cost_changes(result.record):
        table.add_row(change.name, change.before, change.now, change.limit)
    accuracies = (run.validation_accuracy for run in (result.parent, result.run))
    table.add_row("validation accuracy in float", *(f"{share:.2%}" for share in accuracies), "")
    return [f"[bold]Made from {escape(result.parent.record.label)}[/bold]", table]
