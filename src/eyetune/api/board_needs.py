"""What a network needs of a board, compared with what the board has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eyetune.analysis.trial_results import fps_text, int8_text, latency_text

if TYPE_CHECKING:
    from eyetune.api.fit_check import FitCheck


@dataclass(frozen=True)
class Need:
    """A resource that a network needs.

    Attributes:
        name: The resource.
        text: How much of it the network needs.
        share: The same as a share of what the board has; None if nothing limits it.
        may_exceed: Whether the network fits even if the share exceeds 1: internal RAM, when the
            arena lies in external RAM.
    """

    name: str
    text: str
    share: float | None = None
    may_exceed: bool = False


def board_needs(check: FitCheck) -> list[Need]:
    """Return what a network needs of a board; lower bounds where its needs are not fully known."""
    needs, time = check.footprint, check.latency
    rows = _memory(check)
    rows.append(Need("arena by part", _arena_text(check)))
    rows.append(Need("time per image", _time_text(check)))
    if time is not None:
        fps = fps_text(time.milliseconds, time.error_milliseconds)
        rows.append(Need("frames per second", fps))
    if check.int8 is not None:
        images = f"{check.int8.num_images:,} validation images, {check.int8.interpreter}"
        rows.append(Need("int8 accuracy", f"{int8_text(check.int8)}, {images}"))
    kinds = ", ".join(f"{kind} {macs:,}" for kind, macs in needs.macs_by_kind.items())
    by_kind = f" ({kinds})" if kinds else ""
    rows.append(Need("multiply-accumulates", f"{needs.macs:,} MACs{by_kind}"))
    rows.append(Need("parameters", f"{needs.parameters:,}"))
    return rows


def _memory(check: FitCheck) -> list[Need]:
    """Return the needs of flash and RAM."""
    board, needs = check.board, check.footprint
    arena_bytes, in_psram = needs.arena_bytes_on(board), needs.arena_in_psram(board)
    unit = "bytes for the arena"
    rows = [_limited("flash", needs.flash_bytes, board.max_model_bytes, "bytes")]
    if board.psram_bytes:
        internal = _limited("internal RAM", arena_bytes, board.arena_bytes, unit)
        rows.append(replace(internal, may_exceed=in_psram))
        if in_psram:
            rows.append(_limited("external RAM", arena_bytes, board.max_arena_bytes, unit))
    else:
        rows.append(_limited("RAM", arena_bytes, board.max_arena_bytes, unit))
    if not check.uncertainty:
        return rows
    return [replace(row, name=f"{row.name}, at least") for row in rows]


def _limited(name: str, needed: int, available: int, unit: str) -> Need:
    share = needed / available
    return Need(name, f"{needed:,} of {available:,} {unit} ({share:.0%})", share)


def _arena_text(check: FitCheck) -> str:
    """Return the parts of the tensor arena, and where their sizes come from."""
    arena = check.footprint.arena_on(check.board)
    how = "measured" if arena.is_measured else "computed"
    text = f"{how}: {arena.tensors_bytes:,} tensors, {arena.interpreter_bytes:,} interpreter"
    if not arena.scratch_bytes:
        return text
    separator = "; computed:" if arena.is_measured else ","
    return f"{text}{separator} {arena.scratch_bytes:,} ESP-NN"


def _time_text(check: FitCheck) -> str:
    time = check.latency
    if check.uncertainty:
        return "unknown"
    if time is None:
        return "unknown: the board has no cost model"
    text = latency_text(time.milliseconds, time.error_milliseconds)
    in_psram = check.footprint.arena_in_psram(check.board)
    return f"{text}, slower with the arena in external RAM" if in_psram else text
