"""Curves of running trainings below a notebook's cell, once `%load_ext eyetune` enables them."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eyetune.report.progress.notebook import in_notebook
from eyetune.values.history import Epoch

if TYPE_CHECKING:
    from eyetune.report.figures.picture import Picture

SECONDS_BETWEEN_PICTURES = 2.0  # drawing one takes a tenth of a second
_METRICS = {
    "val_accuracy": "validation accuracy",
    "val_loss": "validation loss",
    "accuracy": "training accuracy",
    "loss": "training loss",
}
_WIDTH, _HEIGHT = 8.0, 3.4  # inches

_is_enabled = False  # for the notebook of this process


def enable(*, is_enabled: bool = True) -> None:
    """Let trainings of this process draw their curves below the cell, or no longer."""
    global _is_enabled  # noqa: PLW0603 (an IPython extension has no other place for its state)
    _is_enabled = is_enabled


def live_curves(*, enabled: bool) -> LiveCurves | None:
    """Return curves below the running cell; None where there is no notebook, or none are wanted.

    Args:
        enabled: Whether progress is shown at all.
    """
    return LiveCurves() if enabled and _is_enabled and in_notebook() else None


class LiveCurves:
    """A picture below the running cell: the curve of each training, those that run in color.

    Args:
        clock: Returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._curves: dict[str, list[tuple[int, float]]] = {}
        self._labels: dict[str, str] = {}
        self._running: set[str] = set()
        self._metric = ""
        self._handle: Any = None
        self._drawn_at = -SECONDS_BETWEEN_PICTURES

    def begin(self, key: str, label: str) -> None:
        """Take note of a training that starts or continues."""
        self._labels[key] = label
        self._running.add(key)

    def on_epoch(self, key: str, epoch: Epoch) -> None:
        """Add an epoch to the curve of a training, and draw if the picture is not recent."""
        if not self._metric:
            self._metric = next((name for name in _METRICS if epoch.measures(name)), "")
        if not self._metric or not epoch.measures(self._metric):
            return
        self._running.add(key)
        self._curves.setdefault(key, []).append((epoch.epoch, epoch.value(self._metric)))
        if self._clock() - self._drawn_at >= SECONDS_BETWEEN_PICTURES:
            self._show()

    def end(self, key: str) -> None:
        """Take note that a training has ended or paused."""
        self._running.discard(key)

    def close(self) -> None:
        """Draw all curves for the last time."""
        self._running.clear()
        if self._curves:
            self._show()

    def picture(self) -> Picture:
        """Return the picture."""
        from eyetune.report.figures.colors import STRONG
        from eyetune.report.figures.picture import new_picture, plain
        from eyetune.report.figures.study_axes import count_epochs

        figure = new_picture(_WIDTH, _HEIGHT)
        axes = figure.subplots()
        best = self._best()
        running = [key for key in self._curves if key in self._running and key != best]
        for key, points in self._curves.items():
            if key == best:
                style: dict[str, Any] = {"color": STRONG[1], "linewidth": 2.4, "zorder": 3}
                style["label"] = plain(f"best so far: {self._labels.get(key, key)}")
            elif key in running:
                style = {"color": STRONG[0], "linewidth": 1.6, "zorder": 2}
                style["label"] = "running" if key == running[0] else None
            else:
                style = {"color": "0.7", "linewidth": 0.9, "zorder": 1}
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, **style)
        axes.set_xlabel("epoch")
        axes.set_ylabel(_METRICS[self._metric])
        count_epochs(axes)
        axes.grid(alpha=0.3)
        axes.spines[["right", "top"]].set_visible(False)
        if len(self._curves) > 1:
            axes.legend(fontsize=8, loc="best")
        return figure

    def _best(self) -> str:
        is_loss = self._metric.endswith("loss")

        def score(key: str) -> float:
            values = [value for _, value in self._curves[key]]
            return -min(values) if is_loss else max(values)

        return max(self._curves, key=score)

    def _show(self) -> None:
        module: Any = importlib.import_module("IPython.display")
        image = module.Image(data=self.picture()._repr_png_())
        if self._handle is None:
            self._handle = module.display(image, display_id=True)
        else:
            self._handle.update(image)
        self._drawn_at = self._clock()
