"""The progress of trainings: bars in a terminal, a line below a notebook's cell, or plain lines."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from eyetune.report.console import SafeConsole, escape
from eyetune.report.progress.live_curves import live_curves
from eyetune.report.progress.notebook import CellOutput, in_notebook
from eyetune.values.display import lines
from eyetune.values.history import Epoch
from eyetune.values.history import Progress as Position
from eyetune.values.progress import OnProgress


def epoch_line(epoch: Epoch, num_epochs: int) -> str:
    """Return one epoch in one line.

    Example:
        >>> line = epoch_line(Epoch(1, 1.5, 0.45, 1.3, 0.53, 0.001, 9.9, 4321.0), 10)
        >>> line.split("  ")[:4]
        ['epoch', '1/10', 'loss 1.500', 'accuracy 45.0%']
    """
    width = len(str(num_epochs))
    parts = [f"epoch {epoch.epoch:{width}}/{num_epochs}", *_metrics(epoch.loss, epoch.accuracy)]
    if epoch.val_loss is not None:
        loss, *accuracy = _metrics(epoch.val_loss, epoch.val_accuracy)
        parts += [f"validation {loss}", *accuracy]
    speed = f"{epoch.images_per_second:,.0f} images/s"
    return "  ".join([*parts, f"{epoch.duration_seconds:.1f} s", speed])


def _metrics(loss: float | None, accuracy: float | None) -> list[str]:
    texts = ["loss not reported" if loss is None else f"loss {loss:.3f}"]
    return texts if accuracy is None else [*texts, f"accuracy {accuracy:.1%}"]


def progress_line(position: Position) -> str:
    """Return how far an epoch is in one line.

    Example:
        >>> progress_line(Position(1, 10, 3200, 8000, 1.5, 0.45, 4321.0))
        'epoch 1/10  3,200 of 8,000 images  loss 1.500  accuracy 45.0%  4,321 images/s'
    """
    return "  ".join(
        [
            f"epoch {position.epoch}/{position.num_epochs}",
            f"{position.images:,} of {position.num_images:,} images",
            *_metrics(position.loss, position.accuracy),
            f"{position.images_per_second:,.0f} images/s",
        ]
    )


def print_note(text: str, *, enabled: bool = True) -> None:
    """Print a line about a step that takes longer than a second."""
    if enabled:  # a notebook shows standard error as if something were wrong
        print(lines(text), file=sys.stdout if in_notebook() else sys.stderr, flush=True)


@contextmanager
def slow_step(
    text: str, *, enabled: bool = True, after_seconds: float = 1.0
) -> Iterator[Callable[[], None]]:
    """Print a line about a step, if it takes longer than a second.

    Args:
        text: The line.
        enabled: Whether to print anything.
        after_seconds: Seconds after which the line is printed, 0 or more.

    Yields:
        A function to call when another line has been printed instead.
    """
    timer = threading.Timer(after_seconds, print_note, [text], {"enabled": enabled})
    timer.daemon = True
    timer.start()
    try:
        yield timer.cancel
    finally:
        timer.cancel()


def decoding_bar(*, enabled: bool = True) -> AbstractContextManager[OnProgress]:
    """Show a bar while image files are decoded (see `counting_bar`)."""
    return counting_bar("decoding images", enabled=enabled)


@contextmanager
def counting_bar(
    label: str, *, enabled: bool = True
) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar while items are processed, in a terminal only.

    Args:
        label: What is being done.
        enabled: Whether to show anything.

    Yields:
        A function to call with the number of processed items and the number of all items (None:
        not known).
    """
    console = SafeConsole(file=sys.stderr, force_jupyter=False)
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = enabled and console.is_terminal and not in_notebook()
    with Progress(*columns, console=console, disable=not shown, transient=True) as bar:
        task = bar.add_task("", total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


@contextmanager
def step_bar(
    num_steps: int, heading: str, *, enabled: bool = True
) -> Iterator[Callable[[int, float, float], None]]:
    """Show the steps of a learning-rate range test.

    A terminal shows a bar, a notebook a line below the cell, everything else ten lines.

    Args:
        num_steps: Number of planned steps.
        heading: What is being done; it is shown first.
        enabled: Whether to show anything.

    Yields:
        A function to call after each step with its number from 1, its learning rate and its loss.
    """
    cell = CellOutput() if enabled and in_notebook() else None
    console = SafeConsole(
        file=sys.stderr, quiet=not enabled or cell is not None, force_jupyter=False
    )
    if cell:
        cell.note(heading)
    console.print(heading, highlight=False, markup=False, soft_wrap=True)
    columns = (
        TextColumn("step"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
    )
    hidden = console.quiet or not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as bar:
        task = bar.add_task("", total=num_steps)

        def on_step(step: int, rate: float, loss: float) -> None:
            figures = f"rate {rate:.1e}  loss {loss:.3f}"
            bar.update(task, completed=step, description=figures)
            line = f"step {step:{len(str(num_steps))}}/{num_steps}  {figures}"
            if cell:
                cell.passing(line)
            if hidden and step % max(1, num_steps // 10) == 0:
                console.print(line, highlight=False, soft_wrap=True)

        try:
            yield on_step
        finally:
            if cell:
                cell.close()


class TrainingDisplay:
    """Shows a training; a context manager.

    Args:
        num_epochs: Maximum number of epochs.
        enabled: Whether to show anything.
    """

    def __init__(self, num_epochs: int, *, enabled: bool = True) -> None:
        self._num_epochs = num_epochs
        self._cell = CellOutput() if enabled and in_notebook() else None
        self._curves = live_curves(enabled=enabled)
        # A notebook shows standard error as if something were wrong.
        enabled = enabled and self._cell is None
        self._console = SafeConsole(file=sys.stderr, quiet=not enabled, force_jupyter=False)
        self._task: TaskID | None = None
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[num_epochs]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]:,.0f} images/s"),
            TextColumn("{task.fields[metrics]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not enabled or not self._console.is_terminal,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        if self._cell:
            self._cell.close()
        if self._curves:
            self._curves.close()

    def note(self, message: str) -> None:
        """Print a line about the training as a whole."""
        if self._cell:
            self._cell.note(message)
        self._console.print(message, highlight=False, markup=False, soft_wrap=True)

    def on_progress(self, position: Position) -> None:
        """Move the bar. It spans all epochs, so the time left is that of the whole training."""
        fields: dict[str, Any] = {
            "epoch": position.epoch,
            "num_epochs": position.num_epochs,
            "pace": position.images_per_second,
            "metrics": "  ".join(_metrics(position.loss, position.accuracy)),
        }
        if self._cell:
            self._cell.passing(progress_line(position))
        done = (position.epoch - 1) * position.num_images + position.images
        if self._task is None:
            self._task = self._bar.add_task(
                "", total=self._num_epochs * position.num_images, completed=done, **fields
            )
        else:
            self._bar.update(self._task, completed=done, **fields)

    def on_epoch(self, epoch: Epoch) -> None:
        """Print the epoch's line above the bar."""
        if self._curves:
            self._curves.on_epoch("", epoch)
        if self._cell:
            self._cell.line(epoch_line(epoch, self._num_epochs))
        self._console.print(epoch_line(epoch, self._num_epochs), highlight=False, soft_wrap=True)


class WorkersDisplay:
    """Shows many trainings at once; a context manager.

    A terminal shows a bar for all of them and a row for each that is running. Elsewhere there is a
    line for each training that ends.

    Args:
        enabled: Whether to show anything.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        lines_only = (
            {"file": sys.stdout, "force_terminal": False} if in_notebook() else {"file": sys.stderr}
        )
        self._console = SafeConsole(quiet=not enabled, force_jupyter=False, **lines_only)
        self._bar = Progress(
            TextColumn(
                "{task.description}",
                table_column=Column(max_width=48, no_wrap=True, overflow="ellipsis"),
            ),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not enabled or not self._console.is_terminal,
            transient=True,
        )
        self._all = self._bar.add_task("all trainings", total=0, status="")
        self._rows: dict[str, TaskID] = {}
        self._expected = self._ended = 0
        self._curves = live_curves(enabled=enabled)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        if self._curves:
            self._curves.close()

    def note(self, message: str) -> None:
        """Print a line about the trainings as a whole."""
        self._console.print(message, highlight=False, markup=False, soft_wrap=True)

    def expect(self, num_trainings: int, num_found: int = 0) -> None:
        """Announce how many more trainings there will be, and how many are already recorded."""
        if num_trainings and num_found:
            total = num_trainings + num_found
            verb = "is" if num_found == 1 else "are"
            self.note(f"{num_found} of {total} trainings {verb} already recorded")
        self._expected += num_trainings
        self._bar.update(self._all, total=self._expected)

    def begin(self, key: str, label: str, num_epochs: int) -> None:
        """Show a training that starts, under a key of its own."""
        if self._curves:
            self._curves.begin(key, label)
        self._rows[key] = self._bar.add_task(
            f"  {escape(label)}", total=num_epochs, status="epochs"
        )

    def on_progress_log(self, key: str, entry: Epoch | Position) -> None:
        """Move a training's row."""
        if self._curves and isinstance(entry, Epoch):
            self._curves.on_epoch(key, entry)
        if key not in self._rows:
            return
        if isinstance(entry, Epoch):
            status = "epochs"
            if entry.val_accuracy is not None:
                status += f", {entry.val_accuracy:.1%} on validation"
            self._bar.update(self._rows[key], completed=entry.epoch, status=status)
        else:
            status = f"epochs, {entry.images_per_second:,.0f} images/s"
            self._bar.update(self._rows[key], completed=entry.epoch - 1, status=status)

    def end(self, key: str, message: str) -> None:
        """Remove a training's row and print a line about how it ended."""
        if self._curves:
            self._curves.end(key)
        if key in self._rows:
            self._bar.remove_task(self._rows.pop(key))
        self._ended += 1
        self._bar.update(self._all, completed=self._ended)
        width = len(str(self._expected))
        self.note(f"[{self._ended:{width}}/{self._expected}] {message}")
