"""What was tried before an export, drawn with the limits of the board."""

from __future__ import annotations

from typing import Any

import numpy as np

from eyetune.report.figures.export_figures import tried_networks
from eyetune.report.figures.picture import svg_bytes

BOARD = {
    "title": "Tiny $",
    "partition_bytes": 300 * 1024,
    "firmware_bytes": 100 * 1024,
    "arena_bytes": 64 * 1024,
}


def network(
    label: str, flash_bytes: float, arena_bytes: float | None, latency_ms: float | None = None
) -> dict[str, Any]:
    """Return a network as in a manifest."""
    return {
        "label": label,
        "accuracy": 0.7,
        "flash_bytes": flash_bytes,
        "arena_bytes": arena_bytes,
        "latency_ms": latency_ms,
        "exported": label == "exported",
    }


def test_tried_networks_are_drawn_with_the_limits() -> None:
    tried = [network("exported", 50_000, 20_000), network("other", 900_000, 90_000)]
    picture = tried_networks(tried, BOARD)
    assert len(picture.axes) == 2
    for axes, limit in zip(picture.axes, (200, 64), strict=True):
        low, high = axes.get_xlim()
        assert low < limit < high
        (line,) = axes.lines
        assert np.unique(line.get_xdata()).tolist() == [limit]
    text = svg_bytes(picture).decode()
    for part in ("board: 200 KiB", "board: 64 KiB", "Tiny $", "exported"):
        assert part in text, part


def test_tried_networks_are_drawn_with_the_limits_of_the_search() -> None:
    tried = [network("exported", 50_000, 20_000, 90), network("other", 60_000, 25_000, 120)]
    picture = tried_networks(tried, BOARD, {"flash_bytes": 100 * 1024, "latency_ms": 200})
    flash, arena, latency = picture.axes
    assert [np.unique(line.get_xdata()).item() for line in flash.lines] == [200, 100]
    assert len(arena.lines) == 1
    assert [np.unique(line.get_xdata()).item() for line in latency.lines] == [200]
    for axes in picture.axes:
        low, high = axes.get_xlim()
        points = np.concatenate([np.asarray(part.get_offsets()) for part in axes.collections])
        assert all(low < x < high for x in points[:, 0])
    assert "search: 200 ms" in svg_bytes(picture).decode()
    assert not tried_networks(tried, BOARD).axes[2].lines


def test_tried_networks_without_arenas_have_one_panel() -> None:
    tried = [network("exported", 50_000, 20_000), network("other", 900, None)]
    assert len(tried_networks(tried, BOARD).axes) == 1


def test_tried_networks_without_any_is_a_message() -> None:
    assert "Nothing" in svg_bytes(tried_networks([], BOARD)).decode()
