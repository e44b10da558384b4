"""How results look in a terminal: tables and lines from plain values, no work of their own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.analysis.comparison import Comparison
    from eyetune.analysis.metrics import Evaluation
    from eyetune.analysis.tta import TtaGain
    from eyetune.api.run import Prediction, Run
    from eyetune.api.shown import ShownRangeTest
    from eyetune.records import RunRecord
    from eyetune.techniques import Technique
    from eyetune.values.history import History
    from eyetune.values.network import Network

BARS = "▁▂▃▄▅▆▇█"
MAX_MATRIX_CLASSES = 20


def sparkline(values: Sequence[float]) -> str:
    """Draw a curve in one line, from the lowest value to the highest.

    For example:
        >>> sparkline([0.1, 0.2, 0.4, 0.8])
        '▁▂▄█'
    """
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(BARS[round((value - low) / span * (len(BARS) - 1))] for value in values)


def percent(share: float | None) -> str:
    """Return a share of 0 to 1 as a percentage, or that nobody has looked."""
    return "not looked at" if share is None else f"{share:.2%}"


def training_summary(run: Run) -> list[RenderableType]:
    """Show a run as its training ends: what it reached, its curve, the verdict, what next, where
    the files lie.
    """
    shown: list[RenderableType] = [run_table(run)]
    if run.record.results is None:
        return shown
    verdict = run.verdict
    shown += ["", f"[bold]Verdict[/bold] ({verdict.level}): {escape(verdict.text)}"]
    shown += _suggestions(run)
    shown += ["", f"Pictures: {escape(str(run.folder / 'plots'))}"]
    shown += [
        f"Look closer: eyetune evaluate {run.id}   eyetune show {run.id}   eyetune predict {run.id} IMAGE"
    ]
    return shown


def run_table(run: Run) -> Table:
    """Show a run in a table of two columns."""
    record, history = run.record, run.history
    rows = {
        "run": record.label,
        "state": f"{record.state}{f': {record.error}' if record.error else ''}",
        "data": f"{record.data.name}: {record.data.num_train:,} train, {record.data.num_validation:,} validation, "
        f"{record.data.num_test:,} test",
        **({"note": "; ".join(record.data.notes)} if record.data.notes else {}),
        "recipe": _changes(record),
        "parameters": f"{record.network.parameters:,} ({record.network.macs:,} multiply-adds an image)",
        "arithmetic": f"{record.precision}, seed {record.seed}",
        "epochs": f"{record.num_epochs_done} of {record.recipe.fit.total_epochs}",
        "time": f"{record.duration_seconds:,.1f} s, {record.images_per_second:,.0f} images/s",
    }
    if history:
        rows |= _curve_rows(history)
    if record.results:
        rows["validation accuracy"] = f"{record.results.validation_accuracy:.2%}"
        rows["test accuracy"] = percent(record.results.test_accuracy)
    table = Table(show_header=False, box=box.SIMPLE)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, escape(value))
    return table


def _changes(record: RunRecord) -> str:
    from eyetune.recipe.changes import changes_from_default

    texts = [change.text for change in changes_from_default(record.recipe)]
    return ", ".join(texts) or "the lab's"


def _curve_rows(history: History) -> dict[str, str]:
    curves = {
        "accuracy": ([epoch.accuracy for epoch in history], "{:.1%}"),
        "val. accuracy": ([epoch.val_accuracy for epoch in history], "{:.1%}"),
    }
    return {
        name: f"{sparkline(values)}  {form.format(values[0])} to {form.format(values[-1])}"
        for name, (values, form) in curves.items()
    }


def _suggestions(run: Run) -> list[RenderableType]:
    lines: list[RenderableType] = (
        ["", "[bold]To try next[/bold]"] if run.verdict.suggestions else []
    )
    for one in run.verdict.suggestions:
        lines.append(f"  {one.technique}: {escape(one.reason)}")
        lines.append(f"    eyetune train {run.id} {escape(one.command)}")
    return lines


def network_table(network: Network) -> Table:
    """Show the layers of a network with their shapes and costs, and the totals."""
    table = Table(box=box.SIMPLE, show_footer=True)
    table.add_column("layer", "total", overflow="fold")
    table.add_column("settings")
    table.add_column("output shape")
    table.add_column("parameters", f"{network.parameters:,}", justify="right")
    table.add_column("multiply-adds", f"{network.macs:,}", justify="right")
    table.add_column("activation bytes (int8)", f"{network.activation_bytes:,}", justify="right")
    table.add_row("image", "", _shape(network.input_shape), "", "", "")
    for layer in network.layers:
        table.add_row(
            f"{layer.kind} [dim]{escape(layer.name)}[/dim]",
            layer.settings,
            _shape(layer.output_shape),
            f"{layer.parameters:,}",
            f"{layer.macs:,}",
            f"{layer.activation_bytes:,}",
        )
    return table


def evaluation_tables(run: Run, split: str, result: Evaluation) -> list[RenderableType]:
    """Show accuracy, calibration, accuracy by class, confusion matrix and, for test, the verdict."""
    low, high = result.accuracy_interval
    names = run.record.data.class_names
    shown: list[RenderableType] = [
        f"{escape(run.record.label)} on {result.num_images:,} {split} images",
        f"accuracy {result.accuracy:.2%} (95% interval {low:.2%} to {high:.2%}), loss {result.loss:.4f}, "
        f"expected calibration error {result.calibration_error:.2%}",
        _class_table(names, result),
    ]
    if len(names) <= MAX_MATRIX_CLASSES:
        shown.append(_confusion_table(names, result))
    if split == "test":
        shown.append(f"[bold]Verdict[/bold] ({run.verdict.level}): {escape(run.verdict.text)}")
    return shown


def tta_lines(run: Run, split: str, gain: TtaGain) -> list[RenderableType]:
    """Show what test-time augmentation gains, beside the plain accuracy."""
    low, high = gain.averaged.accuracy_interval
    points = 100 * gain.difference
    points_low, points_high = (100 * bound for bound in gain.difference_interval)
    macs = run.record.network.macs
    lines = [
        "",
        "[bold]With test-time augmentation[/bold] (mean of the probabilities for each image and "
        "its mirror image):",
        f"  accuracy {gain.averaged.accuracy:.2%} (95% interval {low:.2%} to {high:.2%})",
        f"  {points:+.2f} points (95% interval {points_low:+.1f} to {points_high:+.1f}): "
        f"{gain.finding}",
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


def comparison_tables(comparison: Comparison) -> list[RenderableType]:
    """Show how candidates compare with a baseline, the best first."""
    baseline, differences = comparison.baseline, comparison.differences
    table = Table(box=box.SIMPLE)
    table.add_column("", overflow="fold")
    for name in (
        "accuracy",
        "points",
        "95% interval",
        "p",
        "",
        "at equal epochs",
        "at equal time",
        "time",
    ):
        table.add_column(name, justify="right", no_wrap=not name.startswith("at"))
    table.add_column("weights", justify="right", no_wrap=True)
    table.add_column("MACs", justify="right", no_wrap=True)
    for one in sorted(differences, key=lambda one: -one.difference):
        low, high = one.interval
        spread = f" ± {one.seed_deviation:.2%}" if one.seed_deviation is not None else ""
        finding = "[dim]not sure[/dim]"
        if one.certain:
            finding = f"[{'green' if one.difference > 0 else 'red'}]{one.words}[/]"
        table.add_row(
            escape(one.label),
            f"{one.accuracy:.2%}{spread}",
            f"{100 * one.difference:+.2f}",
            f"{100 * low:+.1f} to {100 * high:+.1f}",
            f"{one.p_value:.4f}",
            finding,
            f"{100 * one.at_equal_epochs:+.2f}",
            f"{100 * one.at_equal_seconds:+.2f}",
            f"{one.seconds:,.0f} s",
            f"{one.parameters / 1e3:,.1f} k",
            f"{one.macs / 1e6:,.2f} M",
        )
    spread = (
        f" ± {baseline.seed_deviation:.2%} over seeds"
        if baseline.seed_deviation is not None
        else ""
    )
    first = f"baseline {baseline.label}: {baseline.accuracy:.2%}{spread}, {baseline.seconds:,.0f} s"
    return [
        escape(first),
        "points: of validation accuracy; p: corrected for all comparisons (Holm); MACs: multiply-adds an image",
        table,
    ]


def range_test_tables(
    test: ShownRangeTest, schedule: str, command: str | None
) -> list[RenderableType]:
    """Show what a range test found, its curve in one line and the command that uses it."""
    table = Table(show_header=False, box=box.SIMPLE)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in test.rows().items():
        table.add_row(name, escape(value))
    if len(test.rates):
        table.add_row("loss", _curve_in_brief(test))
    shown: list[RenderableType] = [escape(test.title), table]
    if schedule != "constant":
        largest = "; the suggestion is for its largest rate" if command else ""
        shown.append(f"The schedule {schedule} was set aside for the test{largest}.")
    return [*shown, "Use it:", escape(command)] if command else shown


def _curve_in_brief(test: ShownRangeTest) -> str:
    """Draw the running average in one line, cut off where it is far above the loss at the start."""
    averages = test.smoothed[:: math.ceil(len(test.smoothed) / 50)]
    low = float(averages.min())
    start = float(averages[: int(averages.argmin()) + 1].max())
    return sparkline([min(float(value), start + (start - low) / 2) for value in averages])


def _class_table(names: Sequence[str], result: Evaluation) -> Table:
    table = Table("class", "accuracy", "", "images", "most often taken for", box=box.SIMPLE)
    for label, name in enumerate(names):
        row, share = result.confusion[label], result.class_accuracy[label]
        others = row.copy()
        others[label] = 0
        rival = f"{names[int(others.argmax())]} ({others.max()})" if others.any() else ""
        known = share == share  # noqa: PLR0124 (NaN, for a class without images, does not equal itself)
        bar = "█" * round(20 * share) if known else ""
        table.add_row(
            escape(name), f"{share:.1%}" if known else "", bar, f"{row.sum():,}", escape(rival)
        )
    return table


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


def prediction_table(predictions: Iterable[Prediction]) -> Table:
    """Show the likeliest classes of each image."""
    table = Table("image", "likeliest class", "then", box=box.SIMPLE)
    for one in predictions:
        first, *others = (f"{escape(name)} {share:.1%}" for name, share in one.classes)
        table.add_row(escape(one.image), first, ", ".join(others))
    return table


def runs_table(runs: Sequence[RunRecord], folder: Path) -> RenderableType:
    """Show runs, one a line."""
    if not runs:
        return f"No runs in {escape(str(folder))}. Begin with: eyetune train --data digits"
    table = Table(box=box.SIMPLE)
    for name, justify in (
        ("run", "left"), ("name", "left"), ("state", "left"), ("data", "left"), ("recipe", "left"),
        ("epochs", "right"), ("parameters", "right"), ("validation", "right"), ("test", "right"), ("time", "right"),
    ):  # fmt: skip
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name == "run")  # type: ignore[arg-type]
    for run in runs:
        results = run.results
        table.add_row(
            run.id,
            escape(run.name),
            str(run.state),
            escape(run.data.name),
            escape(_changes(run)),
            f"{run.num_epochs_done}/{run.recipe.fit.total_epochs}",
            f"{run.network.parameters:,}",
            f"{results.validation_accuracy:.2%}" if results else "",
            percent(results.test_accuracy) if results else "",
            f"{run.duration_seconds:,.0f} s",
        )
    return table


def techniques_table(techniques: Sequence[Technique]) -> list[RenderableType]:
    """Show techniques, one a line, by group."""
    table = Table("technique", "values worth trying", "in short", box=box.SIMPLE)
    group = None
    for one in techniques:
        if one.group != group:
            table.add_row(f"[bold]{escape(one.group)}[/bold]", "", "")
            group = one.group
        short = one.why.partition(". ")[0].rstrip(".")
        table.add_row(
            f"  {escape(one.name)}", escape(", ".join(map(_word, one.values))), escape(short)
        )
    return [
        table,
        "One in full: eyetune techniques NAME   Try one: eyetune train --technique NAME=VALUE",
    ]


def technique_text(one: Technique) -> list[RenderableType]:
    """Explain one technique."""
    commands = [f"  eyetune train --technique {one.name}={_word(value)}" for value in one.values]
    lines = [f"[bold]{escape(one.name)}[/bold] ({escape(one.group)})", "", escape(one.why), ""]
    lines += [f"[bold]When it hurts:[/bold] {escape(one.hurts)}", ""]
    lines += [f"[bold]It needs:[/bold] {escape(one.needs)}", ""] if one.needs else []
    lines += ["[bold]Try:[/bold]", *commands]
    return [*lines, *(["", escape(one.link)] if one.link else [])]


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def dataset_tables(facts: Mapping[str, Any], picture: Path) -> list[RenderableType]:
    """Show what a dataset is made of."""
    shown: list[RenderableType] = [
        f"[bold]{escape(facts['name'])}[/bold] from {escape(facts['source'])}"
    ]
    shown += [f"note: {escape(note)}" for note in facts["notes"]]
    splits = Table("split", "images", "type", "values", "mean", "labels", "type", box=box.SIMPLE)
    for name, split in facts["splits"].items():
        values = f"{split['smallest_value']} to {split['largest_value']}"
        splits.add_row(
            name,
            _shape(split["images"]),
            split["images_dtype"],
            values,
            f"{split['mean_value']:.1f}",
            _shape(split["labels"]),
            split["labels_dtype"],
        )
    classes = Table(
        "label", "class", *facts["splits"], box=box.SIMPLE, title="images of each class"
    )
    for label, name in enumerate(facts["classes"]):
        counts = [f"{split['class_counts'][label]:,}" for split in facts["splits"].values()]
        classes.add_row(str(label), escape(name), *counts)
    first = Table(
        "label", "class", "one-hot row", box=box.SIMPLE, title="the first training labels"
    )
    for label, name, row in zip(
        facts["first_labels"], facts["first_names"], facts["first_one_hot"], strict=True
    ):
        shortened = row if len(row) <= MAX_MATRIX_CLASSES else [*row[:8], "...", *row[-2:]]
        first.add_row(str(label), escape(name), escape(" ".join(str(value) for value in shortened)))
    return [*shown, splits, classes, first, f"Samples of each class: {escape(str(picture))}"]


def sources_tables(value: Mapping[str, Any]) -> list[RenderableType]:
    """Show the known data sets and the cache."""
    known = Table("name", "what it is", box=box.SIMPLE, title="known by name", title_justify="left")
    for name, words in value["known"].items():
        known.add_row(name, words)
    title = f"decoded in {value['cache']}"
    cached = Table(
        "name", "source", "size", box=box.SIMPLE, title=escape(title), title_justify="left"
    )
    for entry in value["cached"]:
        cached.add_row(
            escape(entry["name"]), escape(entry["source"]), f"{entry['size_bytes'] / 1e6:,.0f} MB"
        )
    also = "Also the path of a CIFAR archive, of a folder of images (a folder a class) or of an .npz file."
    return [known, also, cached] if value["cached"] else [known, also]


def _shape(shape: Iterable[int]) -> str:
    return " x ".join(f"{size:,}" for size in shape)
