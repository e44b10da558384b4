"""How runs and networks look in a terminal, from 80 columns on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from eyetune.cli.tables import MAX_MATRIX_CLASSES, key_value_table, percent, shape_text, sparkline
from eyetune.report.console import escape, escape_lines

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.analysis.class_metrics import Share
    from eyetune.analysis.metrics import Evaluation
    from eyetune.analysis.tta import TtaGain
    from eyetune.api.run import Run
    from eyetune.records import RunRecord
    from eyetune.values.network import Network


def training_summary(run: Run) -> list[RenderableType]:
    """Return what to print when a training ends: results, verdict, suggestions and paths."""
    parts: list[RenderableType] = [run_table(run)]
    if run.record.results is None:
        return parts
    if run.has_verdict:
        parts += _verdict_lines(run)
    before = run.record.continued_from
    parts += [
        "",
        "[bold]To inspect the run[/bold]",
        f"    eyetune evaluate {run.id}",
        *([f"    eyetune compare {before} {run.id}"] if before else []),
        f"    eyetune show {run.id}",
        f"    eyetune predict {run.id} IMAGE",
        f"Pictures: {escape(str(run.folder / 'plots'))}",
    ]
    return parts


def _verdict_lines(run: Run) -> list[RenderableType]:
    verdict = run.verdict
    lines: list[RenderableType] = [verdict_line(run)]
    if verdict.suggestions:
        lines += ["", "[bold]What to try next[/bold]"]
    for suggestion in verdict.suggestions:
        lines.append(f"  {escape(suggestion.technique)}: {escape(suggestion.reason)}")
        lines.append(f"    eyetune train {run.id} {escape(suggestion.command)}")
    return lines


def run_table(run: Run) -> Table:
    """Return a table of a run: its data, recipe, cost and results."""
    record = run.record
    data = record.data
    network = record.network
    state = str(record.state).lower()
    rows = {
        "run": record.label,
        "state": f"{state}: {record.error}" if record.error else state,
        "data": ": ".join(filter(None, [data.name, data.sizes_text])),
    }
    if record.tags:
        rows["tags"] = ", ".join(record.tags)
    if record.note:
        rows["note"] = record.note
    if data.notes:
        rows["about the data"] = "; ".join(data.notes)
    rows |= {
        **_origin(record),
        "parameters": f"{network.parameters:,}",
        f"MACs per {data.noun}": f"{network.macs:,}",
        "precision": record.precision,
        **({"seed": str(record.seed)} if record.own_recipe else {}),
        "epochs": f"{record.num_epochs_done} of {record.num_epochs_planned}",
        "time": ", ".join(filter(None, [f"{record.duration_seconds:,.1f} s", record.speed_text])),
    }
    if len(run.history) > 1:
        last = run.history[-1]
        is_share = last.measures("accuracy") or last.measures("val_accuracy")
        metrics = ("accuracy", "val_accuracy") if is_share else ("loss", "val_loss")
        for name, metric in zip(("training curve", "validation curve"), metrics, strict=True):
            values = [epoch.value(metric) for epoch in run.history if epoch.measures(metric)]
            if values:
                rows[name] = _curve(values, is_share=is_share)
            elif not metric.startswith("val_"):
                rows[name] = f"{metric} not reported"
    if record.results:
        is_seen = " (of images that it was trained on)" if record.trained_on_validation else ""
        shown = record.results.validation_rows
        rows |= {name: f"{text}{is_seen}" for name, text in shown.items()}
        if record.data.has_images:
            rows["test accuracy"] = percent(record.results.test_accuracy)
    return key_value_table(rows)


def _origin(record: RunRecord) -> dict[str, str]:
    """Return what a run was made with: recipe or `fit`, another run, callbacks of the user."""
    name = "recipe" if record.own_recipe else "recorded from"
    rows = {name: record.differences or "the lab's"}
    if record.continued_from:
        rows["continues"] = f"run {record.continued_from}"
    if record.callbacks:
        rows["callbacks"] = ", ".join(text.partition("(")[0] for text in record.callbacks)
    return rows


def _curve(values: Sequence[float], *, is_share: bool) -> str:
    ends = (values[0], values[-1])
    first, last = (f"{value:.1%}" if is_share else f"{value:.4g}" for value in ends)
    return f"{sparkline(values)}  {first} to {last}"


def network_table(network: Network, noun: str = "image") -> Table:
    """Return a table of the layers of a network with their shapes and costs, and the totals.

    Args:
        network: The network.
        noun: What its input is called: image or sample.
    """
    narrow = (0, 1, 0, 0)  # padding: the six columns must fit 80 characters
    table = Table(box=box.SIMPLE, show_footer=True, padding=narrow, pad_edge=False)
    table.add_column("layer", "total", overflow="fold")
    table.add_column("settings")
    table.add_column("output", no_wrap=True)
    table.add_column("parameters", f"{network.parameters:,}", justify="right", no_wrap=True)
    table.add_column("MACs", f"{network.macs:,}", justify="right", no_wrap=True)
    bytes_text = f"{network.activation_bytes:,}"
    table.add_column("int8 bytes", bytes_text, justify="right", no_wrap=True)
    table.add_row(noun, "", shape_text(network.input_shape), "", "", "")
    for layer in network.layers:
        table.add_row(
            f"{escape(layer.kind)} [dim]{escape(layer.name)}[/dim]",
            escape(layer.settings),
            shape_text(layer.output_shape),
            f"{layer.parameters:,}",
            f"{layer.macs:,}",
            f"{layer.activation_bytes:,}",
        )
    table.caption = f"MACs: multiply-accumulates per {noun}; int8 bytes: of the layer's output"
    table.caption_justify = "left"
    return table


def evaluation_tables(
    label: str, names: Sequence[str], split: str, result: Evaluation, noun: str = "image"
) -> list[RenderableType]:
    """Return the tables of an evaluation.

    Args:
        label: What was evaluated.
        names: Names of the classes, in the order of the labels.
        split: The split that it was evaluated on.
        result: The evaluation.
        noun: What a row of the data is called: image or sample.
    """
    low, high = result.accuracy_interval
    parts: list[RenderableType] = [
        f"{escape(label)} on {result.num_images:,} {split} {noun}s",
        f"accuracy {result.accuracy:.2%} (95% interval {low:.2%} to {high:.2%}), "
        f"loss {result.loss:.4f}, expected calibration error {result.calibration_error:.2%}",
        f"balanced accuracy {result.balanced_accuracy.text(digits=2)}",
        _class_table(names, result, noun),
    ]
    if len(names) <= MAX_MATRIX_CLASSES:
        parts.append(_confusion_table(names, result))
    return parts


def verdict_line(run: Run) -> str:
    """Return the verdict on a run."""
    return f"[bold]Verdict[/bold] ({run.verdict.level}): {escape_lines(run.verdict.text)}"


def _class_table(names: Sequence[str], result: Evaluation, noun: str) -> Table:
    narrow = (0, 1, 0, 0)  # padding: the six columns must fit 80 characters
    table = Table(box=box.SIMPLE, padding=narrow, pad_edge=False)
    table.add_column("class", overflow="fold")
    for heading in ("recall", "precision", "F1"):
        table.add_column(heading, no_wrap=True)
    table.add_column(f"{noun}s", justify="right", no_wrap=True)
    table.add_column("most often taken for", overflow="fold")
    for label, name in enumerate(names):
        metrics = result.by_class[label]
        mistakes = result.confusion[label].copy()
        mistakes[label] = 0
        rival = ""
        if mistakes.any():
            rival = f"{names[int(mistakes.argmax())]} ({mistakes.max()})"
        table.add_row(
            escape(name),
            _interval_text(metrics.recall),
            _interval_text(metrics.precision),
            _interval_text(metrics.f1),
            f"{metrics.num_images:,}",
            escape(rival),
        )
    table.caption = "in percent, with 95% intervals; the recall of a class is its accuracy"
    table.caption_justify = "left"
    return table


def _interval_text(share: Share) -> str:
    """Return a share in percent, with its interval dimmed; "" if it is not known."""
    if not share.is_known:
        return ""
    low, high = 100 * share.low, 100 * share.high
    return f"{100 * share.value:.1f} [dim]{low:.0f}-{high:.0f}[/dim]"


def _confusion_table(names: Sequence[str], result: Evaluation) -> Table:
    table = Table(
        box=box.SIMPLE, title="true class by row, predicted class by column", title_justify="left"
    )
    table.add_column("")
    for name in names:
        table.add_column(escape(name), justify="right", no_wrap=True)
    for label, name in enumerate(names):
        cells = [str(count) if count else "[dim]·[/dim]" for count in result.confusion[label]]
        cells[label] = f"[bold]{result.confusion[label, label]}[/bold]"
        table.add_row(escape(name), *cells)
    return table


def tta_lines(run: Run, split: str, gain: TtaGain) -> list[RenderableType]:
    """Show what test-time augmentation gains, beside the plain accuracy."""
    low, high = gain.averaged.accuracy_interval
    macs = run.record.network.macs
    lines = [
        "",
        "[bold]With test-time augmentation[/bold] (mean of the probabilities for each image and "
        "its mirror image):",
        f"  accuracy {gain.averaged.accuracy:.2%} (95% interval {low:.2%} to {high:.2%})",
        f"  {gain.summary.rows['difference']}",
        "  On a board it doubles the multiply-accumulates (MACs) per image: "
        f"{2 * macs:,} instead of {macs:,}.",
    ]
    if gain.hint:
        lines.append(f"  {gain.hint}")
    if split == "test":
        lines.append(
            "  Decide on validation images whether to use it: "
            f"eyetune evaluate {run.id} --split validation --tta"
        )
    return [*lines]
