"""What a network needs of a board, beside what the board has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyetune.analysis.trial_results import fps_text, int8_text, latency_text

if TYPE_CHECKING:
    from eyetune.api.fit_check import FitCheck


@dataclass(frozen=True)
class Need:
    """One of the needs of a network.

    Attributes:
        name: What is needed.
        text: How much of it.
        share: That, as a share of what the board has; None if nothing limits it.
        is_limit: Whether the network does not fit if the share exceeds 1. Internal RAM is no limit
            where there is external RAM.
    """

    name: str
    text: str
    share: float | None = None
    is_limit: bool = True


def board_needs(check: FitCheck) -> list[Need]:
    """Return what a network needs of a board; lower bounds where the needs cannot be told."""
    board, needs = check.board, check.footprint
    least = ", at least" if check.uncertainty else ""
    arena_bytes = needs.arena_bytes_on(board)
    found = [_limited(f"flash{least}", needs.flash_bytes, board.max_model_bytes, "bytes")]
    of_arena = "bytes for the arena"
    if not board.psram_bytes:
        found.append(_limited(f"RAM{least}", arena_bytes, board.max_arena_bytes, of_arena))
    else:
        in_psram = needs.arena_in_psram(board)
        internal = _limited(
            f"internal RAM{least}", arena_bytes, board.arena_bytes, of_arena, is_limit=not in_psram
        )
        found.append(internal)
        if in_psram:
            external = _limited(
                f"external RAM{least}", arena_bytes, board.max_arena_bytes, of_arena
            )
            found.append(external)
    found.append(Need("arena by part", _arena_text(check)))
    found.append(Need("time per image", _time_text(check)))
    time = check.latency
    if time is not None:
        fps = fps_text(time.milliseconds, time.error_milliseconds)
        found.append(Need("frames per second", fps))
    if check.int8 is not None:
        images = f"{check.int8.num_images:,} validation images, {check.int8.interpreter}"
        found.append(Need("int8 accuracy", f"{int8_text(check.int8)}, {images}"))
    kinds = ", ".join(f"{kind} {macs:,}" for kind, macs in needs.macs_by_kind.items())
    by_kind = f" ({kinds})" if kinds else ""
    found.append(Need("multiply-accumulates", f"{needs.macs:,} MACs{by_kind}"))
    found.append(Need("parameters", f"{needs.parameters:,}"))
    return found


def _limited(name: str, needed: int, available: int, unit: str, *, is_limit: bool = True) -> Need:
    share = needed / available
    return Need(name, f"{needed:,} of {available:,} {unit} ({share:.0%})", share, is_limit)


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
