"""`eyetune boards` and `eyetune fit-check`: what boards there are, and whether a network fits one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich import box
from rich.markup import escape
from rich.table import Table

from eyetune.cli.common import Common, say

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.api.fit_check import FitCheck
    from eyetune.device.boards.profiles import Board

_NO_COMMON = Common()
_BAR_WIDTH = 40  # characters


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
        A board to show whole, or the path of a .toml file that describes one.
    """
    from eyetune.device.boards.profiles import boards as all_boards
    from eyetune.device.boards.profiles import load_board

    chosen = all_boards() if name is None else (load_board(name),)
    value = {"boards": [_board_value(one) for one in chosen]}
    common.show(value, *([_boards_table(chosen)] if name is None else _board_shown(chosen[0])))


def fit_check(
    what: str = "lab",
    /,
    *,
    board: str = "esp-eye",
    unsafe: Annotated[bool, Parameter(negative="")] = False,
    common: Common = _NO_COMMON,
) -> int:
    """Check whether a network fits a board, before training it.

    It checks flash, memory, time per image and missing operators. The exit status is 1 where the
    network does not fit. Nothing is trained or converted: the size of the int8 network and its
    memory on the board are predicted from its layers, or read from a .tflite file.

    For example:

        eyetune fit-check recipe.toml --board esp-eye
        eyetune fit-check latest --board esp32-s3-eye
        eyetune fit-check resnet8 --board nucleo-l4r5zi --json
        eyetune fit-check network.keras

    Parameters
    ----------
    what
        A recipe (.toml), a Keras network (.keras), a converted one (.tflite), a known network such
        as lab or resnet8, or a run: its id, the beginning of that, its name, or latest.
    board
        A name of `eyetune boards`, or the path of a .toml file that describes one.
    unsafe
        Let a .keras file run the code that it brings along. Such code can do anything that you can:
        only for files of people whom you trust.
    """
    from eyetune.api.fit_check import fit_check as check

    if unsafe:
        say("Code inside the .keras file may run, with all that you may do.")
    found = check(what, board, workspace=common.workspace, unsafe=unsafe)
    common.show(found.to_json(), *_fit_shown(found))
    return 0 if found.fits else 1


def _board_value(board: Board) -> dict[str, Any]:
    sizes = {
        "largest_model_bytes": board.max_model_bytes,
        "largest_arena_bytes": board.max_arena_bytes,
    }
    return {**board.model_dump(mode="json"), **sizes}


def _boards_table(boards: tuple[Board, ...]) -> Table:
    table = Table(box=box.SIMPLE)
    for name in ("board", "chip"):
        table.add_column(name, no_wrap=True)
    for name in ("clock", "largest model", "arena in RAM", "external RAM"):
        table.add_column(name, justify="right")
    for name in ("camera", "firmware"):
        table.add_column(name)
    for one in boards:
        table.add_row(
            escape(one.name),
            one.chip,
            f"{one.clock_hz / 1e6:,.0f} MHz",
            _size(one.max_model_bytes),
            _size(one.arena_bytes),
            _size(one.psram_bytes) if one.psram_bytes else "none",
            "yes" if one.camera else "no",
            "yes" if one.camera and one.chip else "the bare network",
        )
    return table


def _board_shown(board: Board) -> list[RenderableType]:
    """Show all values of a board, with what each of them means."""
    table = Table(show_header=False, box=box.SIMPLE)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(style="dim", overflow="fold")
    for name, field in type(board).model_fields.items():
        value = getattr(board, name)
        if name not in ("camera", "cost", "quirks", "name", "title"):
            words = (
                f"{value:,}"
                if isinstance(value, int) and not isinstance(value, bool)
                else str(value)
            )
            table.add_row(name, escape(words), field.description)
    for name in ("camera", "cost"):
        part = getattr(board, name)
        words = "none" if part is None else ", ".join(f"{key} {value}" for key, value in part)
        table.add_row(name, escape(words), type(board).model_fields[name].description)
    shown: list[RenderableType] = [
        f"[bold]{escape(board.title)}[/bold] ({escape(board.name)})",
        table,
    ]
    return shown + [f"  - {escape(quirk)}" for quirk in board.quirks]


def _fit_shown(found: FitCheck) -> list[RenderableType]:
    """Show limits against needs as bars, then what takes most, and what to do where it does not
    fit.
    """
    verdict = "[green]fits[/green]" if found.fits else "[red]does not fit[/red]"
    shown: list[RenderableType] = [
        f"[bold]{escape(found.what)}[/bold] {verdict} {escape(found.board.title)}"
    ]
    shown += [_bars(found), f"[bold]Costs most[/bold]  {escape(found.bottleneck.text)}"]
    if found.footprint.unknown:
        unknown = ", ".join(found.footprint.unknown)
        shown.append(f"[bold]Not known[/bold]   {escape(unknown)}: only its size was judged.")
    if found.fits:
        return shown
    shown += [
        "",
        "[bold]Why it does not fit[/bold]",
        *(f"  - {escape(reason)}" for reason in found.reasons),
    ]
    return [*shown, "[bold]What to do[/bold]", *(f"  - {escape(one)}" for one in found.advice)]


def _bars(found: FitCheck) -> Table:
    board, needs = found.board, found.footprint
    table = Table(show_header=False, box=box.SIMPLE)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("flash", *_limited(needs.flash_bytes, board.max_model_bytes, "bytes"))
    in_psram, arena_bytes = needs.arena_in_psram(board), needs.arena_bytes_on(board)
    if board.psram_bytes:
        beyond = "yellow" if in_psram else "red"  # there is external RAM for it
        table.add_row(
            "internal RAM", *_limited(arena_bytes, board.arena_bytes, "bytes for the arena", beyond)
        )
    if in_psram or not board.psram_bytes:
        name = "external RAM" if in_psram else "RAM"
        table.add_row(name, *_limited(arena_bytes, board.max_arena_bytes, "bytes for the arena"))
    time = found.latency
    words = (
        "not known for this board"
        if time is None
        else f"{time.milliseconds:,.0f} ± {time.error_milliseconds:,.0f} ms"
    )
    slower = ", slower with the arena in external RAM" if time and in_psram else ""
    table.add_row("time an image", "", f"{words}{slower}")
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in needs.macs_by_kind.items())
    table.add_row("multiply-adds", "", f"{needs.macs:,}{f' ({kinds})' if kinds else ''}")
    table.add_row("parameters", "", f"{needs.parameters:,}")
    return table


def _limited(needed: int, room: int, unit: str, beyond: str = "red") -> tuple[str, str]:
    """Return a bar of how much of the room is needed, and that in words."""
    share = needed / room
    filled = min(round(share * _BAR_WIDTH), _BAR_WIDTH) or 1
    color = "green" if share <= 1 else beyond
    bar = f"[{color}]{'█' * filled}[/{color}][dim]{'░' * (_BAR_WIDTH - filled)}[/dim]"
    return bar, f"{needed:,} of {room:,} {unit} ({share:.0%})"


def _size(number: int) -> str:
    return f"{number / 1024:,.0f} KiB"
