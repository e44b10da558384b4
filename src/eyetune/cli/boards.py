"""`eyetune boards` and `eyetune fit-check`: the known boards, and whether a network fits one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich import box
from rich.table import Table

from eyetune.cli.common import Common, say
from eyetune.errors import UsageError
from eyetune.report.console import escape, escape_lines

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.api.board_needs import Need
    from eyetune.api.fit_check import FitCheck
    from eyetune.device.boards.profiles import Board

_NO_COMMON = Common()
_BAR_WIDTH = 20  # characters
_STATUSES = {"fits": 0, "cannot tell": 3, "does not fit": 1}  # exit status by verdict, best first
_COLORS = {"fits": "green", "does not fit": "red", "cannot tell": "yellow"}  # by verdict


def boards(name: str | None = None, /, *, common: Common = _NO_COMMON) -> None:
    """List the known boards, or show one in full.

    A board is a file of values: memory, speed, camera and known problems. To use your own, give
    its path, here and in --board.

    For example:

        eyetune boards
        eyetune boards esp-eye
        eyetune boards my-board.toml --json

    Parameters
    ----------
    name
        A board to show in full: its name, or the path of a .toml file that describes one.
    """
    from eyetune.device.boards.profiles import boards as all_boards
    from eyetune.device.boards.profiles import load_board

    if name is None:
        listed = all_boards()
        common.show(
            {"boards": _board_values(listed)},
            _boards_table(listed),
            "Model: largest model. RAM: largest arena in internal RAM. PSRAM: external RAM.",
        )
    else:
        board = load_board(name)
        common.show({"boards": _board_values((board,))}, *_board_lines(board))


def fit_check(
    network: str = "lab",
    /,
    *,
    board: str | None = None,
    all_boards: Annotated[bool, Parameter(negative="")] = False,
    unsafe: Annotated[bool, Parameter(negative="")] = False,
    common: Common = _NO_COMMON,
) -> int:
    """Check whether a network fits a board, before training it.

    It checks flash, memory, time per image and unsupported operators. The exit status is 0 if the
    network fits, 1 if it does not, and 3 if that cannot be told. Nothing is trained: the size of
    the int8 network and its memory on the board are computed from its layers, or read from a
    .tflite file. A network with layers that eyetune does not know is converted and measured.

    For example:

        eyetune fit-check recipe.toml --board esp-eye
        eyetune fit-check latest --board esp32-s3-eye
        eyetune fit-check resnet8 --board nucleo-l4r5zi --json
        eyetune fit-check network.keras
        eyetune fit-check network.tflite --all-boards

    Parameters
    ----------
    network
        A recipe (.toml), a Keras model (.keras), a converted one (.tflite), a known network such
        as lab or resnet8, or a run: its id, the beginning of the id, its name, or latest.
    board
        A name from `eyetune boards`, or the path of a .toml file that describes a board. Default:
        esp-eye.
    all_boards
        Check all boards, in a table. The exit status is then 0 if the network fits at least one,
        1 if it is too large for all of them, and 3 if it fits none but cannot be judged for some.
    unsafe
        Let a .keras file run the code that it contains. The code can do anything that you can, so
        use this only if you trust the author of the file.
    """
    from eyetune.api.fit_check import fit_check as check
    from eyetune.api.fit_check import fit_checks
    from eyetune.device.boards.profiles import DEFAULT_BOARD

    if all_boards and board is not None:
        raise UsageError(
            "--board and --all-boards exclude each other.",
            received=f"--board {board} --all-boards",
            fix="Leave one of them out.",
        )
    if unsafe:
        say("Code inside the .keras file may run, with all your permissions.")
    if all_boards:
        checks = fit_checks(network, workspace=common.workspace, unsafe=unsafe)
        value = {"label": checks[0].label, "boards": [item.to_json() for item in checks]}
        common.show(value, *_matrix_lines(checks))
        verdicts = {item.verdict for item in checks}
        return next(status for verdict, status in _STATUSES.items() if verdict in verdicts)
    board = board or DEFAULT_BOARD
    result = check(network, board, workspace=common.workspace, unsafe=unsafe)
    common.show(result.to_json(), *_fit_lines(result))
    return _STATUSES[result.verdict]


def _board_values(boards: tuple[Board, ...]) -> list[dict[str, Any]]:
    values = []
    for board in boards:
        sizes = {
            "largest_model_bytes": board.max_model_bytes,
            "largest_arena_bytes": board.max_arena_bytes,
        }
        values.append({**board.model_dump(mode="json"), **sizes})
    return values


def _boards_table(boards: tuple[Board, ...]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("board", no_wrap=True)
    for name, unit in (("clock", "MHz"), ("model", "KiB"), ("RAM", "KiB"), ("PSRAM", "KiB")):
        table.add_column(f"{name}\n{unit}", justify="right", no_wrap=True)
    for name in ("camera", "firmware"):
        table.add_column(name, no_wrap=True)
    for board in boards:
        has_project = board.camera is not None and bool(board.chip)
        table.add_row(
            escape(board.name),
            f"{board.clock_hz / 1e6:,.0f}",
            _kibibytes(board.max_model_bytes),
            _kibibytes(board.arena_bytes),
            _kibibytes(board.psram_bytes) if board.psram_bytes else "none",
            "yes" if board.camera else "no",
            "complete" if has_project else "C array",
        )
    return table


def _board_lines(board: Board) -> list[RenderableType]:
    """Return all values of a board, each with its description."""
    table = Table(show_header=False, box=box.SIMPLE)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(style="dim", overflow="fold")
    fields = type(board).model_fields
    for name, text in board.summary.rows.items():
        table.add_row(name, escape(text), fields[name].description)
    lines: list[RenderableType] = [
        f"[bold]{escape(board.title)}[/bold] ({escape(board.name)})",
        table,
    ]
    return lines + [f"  - {escape(quirk)}" for quirk in board.quirks]


def _fit_lines(check: FitCheck) -> list[RenderableType]:
    """Return the needs of a network beside the limits of a board, and what to do."""
    lines: list[RenderableType] = [
        f"[bold {_COLORS[check.verdict]}]{escape(check.headline)}[/]",
        _needs_table(check),
    ]
    if check.bottleneck is not None:
        lines.append(f"[bold]Bottleneck[/bold]  {escape(check.bottleneck.text)}")
    if check.uncertainty:
        lines += [
            "[bold]Why it cannot be told[/bold]",
            f"  - {escape_lines(check.uncertainty)}",
        ]
    if not check.reasons:
        return lines
    lines += ["", "[bold]Why it does not fit[/bold]"]
    lines += [f"  - {escape_lines(reason)}" for reason in check.reasons]
    lines.append("[bold]What to do[/bold]")
    lines += [f"  - {escape_lines(sentence)}" for sentence in check.advice]
    return lines


def _matrix_lines(checks: tuple[FitCheck, ...]) -> list[RenderableType]:
    """Return a table of the boards: the verdict, and the share of each that the network takes."""
    table = Table(box=box.SIMPLE, pad_edge=False, collapse_padding=True)
    table.add_column("board", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for heading in ("flash", "arena\nKiB", "of RAM"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("RAM", no_wrap=True)
    table.add_column("time, ms", justify="right", no_wrap=True)
    for check in checks:
        board, needs = check.board, check.footprint
        arena_bytes = needs.arena_bytes_on(board)
        is_external = needs.arena_in_psram(board)
        available = board.max_arena_bytes if is_external else board.arena_bytes
        time = check.latency
        table.add_row(
            escape(board.name),
            f"[{_COLORS[check.verdict]}]{check.verdict}[/]",
            f"{needs.flash_bytes / board.max_model_bytes:.0%}",
            _kibibytes(arena_bytes),
            f"{arena_bytes / available:.0%}",
            "external" if is_external else "internal",
            f"{time.milliseconds:,.0f} ± {time.error_milliseconds:,.0f}" if time else "unknown",
        )
    first = checks[0]
    lines: list[RenderableType] = [f"[bold]{escape(first.label)}[/bold]", table]
    if first.uncertainty:
        lines.append(f"The values are lower bounds. {escape_lines(first.uncertainty)}")
    names = [board.name for board in (check.board for check in checks if not check.fits)]
    if names:
        lines.append(f"Reasons and advice: eyetune fit-check NETWORK --board {escape(names[0])}")
    return lines


def _needs_table(check: FitCheck) -> Table:
    from eyetune.api.board_needs import board_needs

    table = Table(show_header=False, box=box.SIMPLE)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for need in board_needs(check):
        table.add_row(need.name, _bar(need), need.text)
    return table


def _bar(need: Need) -> str:
    """Return a bar of how much of what is available is needed; "" where nothing limits it."""
    if need.share is None:
        return ""
    filled = min(round(need.share * _BAR_WIDTH), _BAR_WIDTH) or 1
    beyond = "yellow" if need.may_exceed else "red"
    color = "green" if need.share <= 1 else beyond
    return f"[{color}]{'█' * filled}[/{color}][dim]{'░' * (_BAR_WIDTH - filled)}[/dim]"


def _kibibytes(size: int) -> str:
    return f"{size / 1024:,.0f}"
