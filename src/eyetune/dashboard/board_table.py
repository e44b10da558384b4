"""What a network needs of each board, as a table with bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from eyetune.dashboard.layout import Text, plain_table


def share_bar(share: float, text: str) -> None:
    """Show how much of something is taken, as a bar and as a text.

    Args:
        share: 0 to 1, or more if it is too much.
        text: The same in words.
    """
    color = "var(--q-negative)" if share > 1 else "var(--accent)"
    track = "width: 5rem; height: 0.5rem; border-radius: 3px; background: rgba(128, 140, 150, 0.3)"
    with ui.element("div").classes("row items-center no-wrap gap-2"):
        with ui.element("div").style(track).props("aria-hidden=true"):
            filled = f"width: {100 * min(1.0, share):.0f}%; height: 100%; background: {color}"
            ui.element("div").style(f"{filled}; border-radius: 3px")
        label = Text(text, "span").classes("text-no-wrap")
        if share > 1:
            label.classes("text-negative")


def show_boards(boards: Sequence[Mapping[str, Any]]) -> None:
    """Show what a network needs of each board, as `eyetune fit-check --json` returns it."""
    header = ["board", "verdict", "RAM for its arena", "flash", "time per image"]
    plain_table(
        header, list(map(_board_cells, boards)), label="what the network needs of each board"
    )


def _board_cells(board: Mapping[str, Any]) -> list[str | Callable[[], object]]:
    limit = "largest_arena_bytes" if board["arena_in_psram"] else "largest_internal_arena_bytes"
    where = ", external" if board["arena_in_psram"] else ""
    least = "at least " if board["uncertainty"] else ""
    arena, flash = (
        (board[needed], max(1, board[available]))
        for needed, available in (
            ("arena_bytes", limit),
            ("flash_bytes", "largest_model_bytes"),
        )
    )
    time, error = board["latency_ms"], board["latency_error_ms"]
    return [
        lambda: Text(board["board"], "span").classes("text-no-wrap"),
        lambda: Text(board["verdict"], "span").classes("" if board["fits"] else "text-negative"),
        lambda: share_bar(arena[0] / arena[1], f"{least}{_kibibytes(arena)}{where}"),
        lambda: share_bar(flash[0] / flash[1], f"{least}{_kibibytes(flash)}"),
        f"{time:,.0f} ± {error:,.0f} ms" if time else "unknown",
    ]


def _kibibytes(pair: tuple[int, int]) -> str:
    needed, available = (size / 1024 for size in pair)
    return f"{needed:,.0f} of {available:,.0f} KiB ({needed / available:.0%})"
