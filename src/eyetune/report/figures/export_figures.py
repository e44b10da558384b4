"""What else was tried before an export, with the limits of the board and of the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from eyetune.report.figures.picture import message_picture, new_picture, plain
from eyetune.report.figures.study_axes import style_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eyetune.report.figures.picture import Picture

_KIBIBYTE = 1024
_LOG_FROM = 8  # times the smallest value: from here on, the axis is logarithmic
_POWERS_FROM = 100  # from here on, only powers of ten have labels
_MARGIN = 0.08  # on both sides of an axis, as a share of its length


class _Cost(NamedTuple):
    """A cost of a network, on the horizontal axis of a panel.

    Attributes:
        name: Its key in the manifest.
        label: The label of the axis.
        unit: The unit of the axis.
        divisor: The size of this unit, in the unit of the manifest.
    """

    name: str
    label: str
    unit: str
    divisor: float


_COSTS = (
    _Cost("flash_bytes", "flash", "KiB", _KIBIBYTE),
    _Cost("arena_bytes", "tensor arena", "KiB", _KIBIBYTE),
    _Cost("latency_ms", "predicted time per image", "ms", 1),
)


def tried_networks(
    tried: Sequence[Mapping[str, Any]],
    board: Mapping[str, Any],
    search_limits: Mapping[str, float] | None = None,
) -> Picture:
    """Draw accuracy against flash, tensor arena and time, each where several networks have it.

    Args:
        tried: Networks with their label, accuracy, flash_bytes, arena_bytes, latency_ms and
            exported, as in the manifest of an export.
        board: The board, as in the manifest of an export.
        search_limits: The limits of the search on these costs, by name. Default: none.
    """
    if not tried:
        return message_picture("Nothing else was tried.")
    board_limits = {
        "flash_bytes": board["partition_bytes"] - board["firmware_bytes"],
        "arena_bytes": board["arena_bytes"],
    }
    known = [cost for cost in _COSTS if sum(bool(network[cost.name]) for network in tried) > 1]
    figure = new_picture(4.6 * len(known) + 0.4, 4.2)
    panels = figure.subplots(1, len(known), sharey=True, squeeze=False)[0]
    for axes, cost in zip(panels, known, strict=True):
        limits = {
            "board": board_limits.get(cost.name),
            "search": (search_limits or {}).get(cost.name),
        }
        _draw(axes, [network for network in tried if network[cost.name]], cost, limits)
    panels[0].set_ylabel("validation accuracy")
    panels[0].yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g}%")
    panels[0].legend(fontsize="small", loc="best")
    figure.suptitle(plain(f"What was tried, and the limits of {board['title']}"))
    return figure


def _draw(
    axes: Axes,
    tried: Sequence[Mapping[str, Any]],
    cost: _Cost,
    limits: Mapping[str, float | None],
) -> None:
    """Draw the networks in a panel, with limits by what they are of; None where there is none."""
    from matplotlib.ticker import LogLocator

    styles: tuple[tuple[bool, dict[str, Any]], ...] = (
        (False, {"marker": "o", "color": "0.45", "s": 28, "label": "tried"}),
        (True, {"marker": "*", "color": "C1", "s": 190, "label": "exported", "zorder": 3}),
    )
    for exported, style in styles:
        shown = [network for network in tried if network["exported"] is exported]
        axes.scatter(
            [network[cost.name] / cost.divisor for network in shown],
            [network["accuracy"] for network in shown],
            **style,
        )
    values = [network[cost.name] / cost.divisor for network in tried]
    drawn = {name: limit / cost.divisor for name, limit in limits.items() if limit is not None}
    for name, limit in drawn.items():
        axes.axvline(limit, color="C3", linestyle="--" if name == "board" else ":")
        axes.text(
            limit,
            0.02,
            f" {name}: {limit:,.0f} {cost.unit} ",
            transform=axes.get_xaxis_transform(),
            ha="right",
            color="C3",
            fontsize="small",
            rotation=90,
            va="bottom",
        )
    low, high = min(*values, *drawn.values()), max(*values, *drawn.values())
    if high > _LOG_FROM * low:
        axes.set_xscale("log")
        style_log(axes.xaxis)
        if high > _POWERS_FROM * low:
            axes.xaxis.set_major_locator(LogLocator())
        margin = (high / low) ** _MARGIN
        low, high = low / margin, high * margin
    else:
        margin = _MARGIN * ((high - low) or high)
        low, high = low - margin, high + margin
    if drawn:
        axes.axvspan(min(drawn.values()), high, color="C3", alpha=0.08, linewidth=0)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.4g}")
    axes.set_xlabel(f"{cost.label}, {cost.unit}")
    axes.grid(alpha=0.3)
