"""What else was tried before an export, with the limits of the board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eyetune.report.figures.picture import message_picture, new_picture, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eyetune.report.figures.picture import Picture

_KIBIBYTE = 1024


def tried_networks(tried: Sequence[Mapping[str, Any]], board: Mapping[str, Any]) -> Picture:
    """Draw accuracy against flash and tensor arena, with the limits of the board.

    Args:
        tried: Networks with their label, accuracy, flash_bytes, arena_bytes and exported, as in the
            manifest of an export.
        board: The board, as in the manifest of an export.
    """
    if not tried:
        return message_picture("Nothing else was tried.")
    limits = {
        "flash_bytes": ("flash, KiB", board["partition_bytes"] - board["firmware_bytes"]),
        "arena_bytes": ("tensor arena, KiB", board["arena_bytes"]),
    }
    known = [name for name in limits if sum(bool(network[name]) for network in tried) > 1]
    figure = new_picture(5.2 * len(known) + 0.4, 4.2)
    panels = figure.subplots(1, len(known), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, known, strict=True):
        label, limit = limits[name]
        _draw(axes, [network for network in tried if network[name]], name, limit / _KIBIBYTE)
        axes.set_xlabel(label)
    panels[0].set_ylabel("validation accuracy")
    panels[0].yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    panels[0].legend(fontsize="small", loc="best")
    figure.suptitle(plain(f"What was tried, and the limits of {board['title']}"))
    return figure


def _draw(axes: Axes, tried: Sequence[Mapping[str, Any]], name: str, limit: float) -> None:
    styles: tuple[tuple[bool, dict[str, Any]], ...] = (
        (False, {"marker": "o", "color": "0.45", "s": 28, "label": "tried"}),
        (True, {"marker": "*", "color": "C1", "s": 190, "label": "exported", "zorder": 3}),
    )
    for exported, style in styles:
        shown = [network for network in tried if network["exported"] is exported]
        axes.scatter(
            [network[name] / _KIBIBYTE for network in shown],
            [network["accuracy"] for network in shown],
            **style,
        )
    axes.set_xscale("log")
    axes.axvline(limit, color="C3", linestyle="--", label="limit of the board")
    low, high = axes.get_xlim()
    high = max(high, 1.6 * limit)
    axes.axvspan(limit, high, color="C3", alpha=0.08, linewidth=0)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.4g}")
    axes.text(
        limit,
        0.02,
        f" limit {limit:,.0f} KiB ",
        transform=axes.get_xaxis_transform(),
        ha="right",
        color="C3",
        fontsize="small",
        rotation=90,
        va="bottom",
    )
    axes.grid(alpha=0.3)
