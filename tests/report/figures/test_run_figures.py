"""Tests of the figures of runs."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from PIL import Image

from eyetune.analysis.learning_rates import judge, rising_rates
from eyetune.errors import WorkspaceError
from eyetune.report.figures import picture, run_figures
from eyetune.testing.datasets import tiny_images
from eyetune.values.history import Epoch, History

NAMES = ("cat", "dog", "owl")
CONFUSION = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]])


def history(count: int, start: float) -> History:
    return tuple(
        Epoch(
            number,
            2 - start,
            start,
            3 - start - number / 10,
            start + number / 100,
            0.001,
            1.0,
            100.0,
        )
        for number in range(1, count + 1)
    )


FIRST, SECOND = history(5, 0.5), history(3, 0.7)


def points(axes: Axes, index: int) -> list[tuple[float, float]]:
    x, y = axes.lines[index].get_data()
    return list(zip(np.asarray(x).tolist(), np.asarray(y).tolist(), strict=True))


def texts_of(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def legend_of(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def svg_text(path: Path) -> str:
    return "\n".join(text for text in ElementTree.parse(path).getroot().itertext() if text.strip())


@pytest.mark.parametrize(
    ("panel", "train", "validation"), [(0, "accuracy", "val_accuracy"), (1, "loss", "val_loss")]
)
def test_curves_training_dashed_validation_solid(panel: int, train: str, validation: str) -> None:
    axes = run_figures.curves({"one": FIRST, "two": SECOND}).axes[panel]
    assert len(axes.lines) == 4
    for number, epochs in enumerate((FIRST, SECOND)):
        dashed, solid = 2 * number, 2 * number + 1
        assert points(axes, dashed) == [(epoch.epoch, getattr(epoch, train)) for epoch in epochs]
        assert points(axes, solid) == [
            (epoch.epoch, getattr(epoch, validation)) for epoch in epochs
        ]
        assert axes.lines[dashed].get_linestyle() == "--"
        assert axes.lines[solid].get_linestyle() == "-"
        assert axes.lines[dashed].get_color() == axes.lines[solid].get_color()
    assert axes.lines[0].get_color() != axes.lines[2].get_color()


def test_curves_legend_names_runs_and_styles() -> None:
    several = run_figures.curves({"one": FIRST, "two": SECOND}, title="Two runs")
    assert legend_of(several.axes[0]) == ["one", "two", "training", "validation"]
    assert several.get_suptitle() == "Two runs"
    single = run_figures.curves({"one": FIRST})
    assert legend_of(single.axes[0]) == ["training", "validation"]
    assert single.get_suptitle() == ""


def test_curves_without_a_reported_training_loss() -> None:
    epochs = tuple(replace(epoch, loss=None, accuracy=None) for epoch in FIRST)
    accuracy, loss = run_figures.curves({"one": epochs}).axes
    assert (points(accuracy, 0), len(points(accuracy, 1))) == ([], 5)
    assert (points(loss, 0), len(points(loss, 1))) == ([], 5)
    assert legend_of(accuracy)[0] != "training"


def test_curves_axis_labels() -> None:
    accuracy, loss = run_figures.curves({"one": FIRST}).axes
    assert (accuracy.get_ylabel(), loss.get_ylabel()) == ("accuracy", "loss (cross-entropy)")
    assert accuracy.get_xlabel() == loss.get_xlabel() == "epoch"


@pytest.mark.parametrize(("count", "marker"), [(1, "o"), (2, "None")])
def test_curves_single_epoch_is_a_dot(count: int, marker: str) -> None:
    line = run_figures.curves({"one": history(count, 0.5)}).axes[0].lines[1]
    assert line.get_marker() == marker


def test_confusion_matrix_colors_shares_and_prints_counts() -> None:
    axes = run_figures.confusion_matrix(CONFUSION, NAMES, title="Test").axes[0]
    shares = np.asarray(axes.images[0].get_array())
    assert shares == pytest.approx(np.array([[0.8, 0.2, 0], [0.1, 0.9, 0], [0, 0, 0]]))
    assert axes.images[0].get_clim() == (0, 1)
    assert texts_of(axes) == ["8", "2", "0", "1", "9", "0", "0", "0", "0"]
    assert [text.get_position() for text in axes.texts][:3] == [(0, 0), (1, 0), (2, 0)]
    assert [label.get_text() for label in axes.get_xticklabels()] == list(NAMES)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(NAMES)
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("predicted", "true", "Test")


def test_confusion_matrix_text_contrasts_with_cell() -> None:
    axes = run_figures.confusion_matrix(CONFUSION, NAMES).axes[0]
    assert [to_hex(text.get_color()) for text in axes.texts[:2]] == ["#ffffff", "#000000"]


@pytest.mark.parametrize(("count", "numbers"), [(20, 400), (21, 0)])
def test_confusion_matrix_many_classes_without_counts(count: int, numbers: int) -> None:
    names = [f"class {number}" for number in range(count)]
    axes = run_figures.confusion_matrix(np.eye(count, dtype=np.int64), names).axes[0]
    assert len(axes.texts) == numbers


def test_confusion_matrix_hundred_classes_label_every_second() -> None:
    names = [f"class {number}" for number in range(100)]
    axes = run_figures.confusion_matrix(np.eye(100, dtype=np.int64), names).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == names[::2]


def test_mistakes_show_image_classes_and_confidence() -> None:
    images, _ = tiny_images(2, 2, size=8)
    probabilities = np.array([[0.1, 0.9, 0.0], [0.6, 0.0, 0.4]], np.float32)
    figure = run_figures.mistakes(images, [0, 2], probabilities, NAMES)
    drawn = [axes for axes in figure.axes if axes.images]
    assert len(drawn) == 2
    for axes, image in zip(drawn, images, strict=True):
        assert np.array_equal(np.asarray(axes.images[0].get_array()), image)
    assert [axes.get_title() for axes in drawn] == [
        "cat\ntaken for dog\n90% confident",
        "owl\ntaken for cat\n60% confident",
    ]
    assert figure.get_suptitle() == "The most confident mistakes"


@pytest.mark.parametrize(("count", "panels"), [(1, 1), (6, 6), (7, 12), (18, 18)])
def test_mistakes_rows_of_six(count: int, panels: int) -> None:
    images, _ = tiny_images(count, 1, size=8)
    figure = run_figures.mistakes(images, [0] * count, np.full((count, 2), 0.5, np.float32), NAMES)
    assert len(figure.axes) == panels
    assert sum(bool(axes.images) for axes in figure.axes) == count


def test_mistakes_gray_images() -> None:
    images = tiny_images(1, 1, size=8)[0][..., :1]
    axes = run_figures.mistakes(images, [0], np.array([[0, 1]], np.float32), NAMES).axes[0]
    assert axes.images[0].get_cmap().name == "gray"
    assert np.array_equal(np.asarray(axes.images[0].get_array()), images[0, ..., 0])


def test_mistakes_none() -> None:
    images = np.zeros((0, 8, 8, 3), np.uint8)
    figure = run_figures.mistakes(images, [], np.zeros((0, 3), np.float32), NAMES)
    assert figure.get_suptitle() == "No mistakes"


def judged(*losses: float) -> Any:
    return judge(rising_rates(1e-5, 10.0, 100), losses, 100)


def test_range_test_marks_suggestion_and_usable_range() -> None:
    test = judged(*np.linspace(2.3, 1.8, 60), *np.geomspace(1.8, 1000, 30))
    axes = run_figures.range_test(test, title="$5").axes[0]
    raw, average, mark = axes.lines
    assert axes.get_xscale() == "log"
    assert np.array_equal(raw.get_ydata(), test.losses)
    assert np.array_equal(average.get_xdata(), test.rates)
    assert (raw.get_alpha() or 1.0) < 0.5 < average.get_linewidth()
    assert np.asarray(mark.get_xdata())[0] == test.suggestion
    (span,) = axes.patches
    assert isinstance(span, Rectangle)
    assert (span.get_x(), span.get_x() + span.get_width()) == pytest.approx(test.usable)
    low, high = axes.get_ylim()
    assert low < 1.8
    assert 2.3 < high < 4  # the losses after the divergence do not flatten the curve
    assert axes.get_title() == r"\$5"


@pytest.mark.parametrize("losses", [[], [2.3], [2.3] * 100])
def test_range_test_without_a_fall_has_no_marks(losses: list[float]) -> None:
    axes = run_figures.range_test(judged(*losses)).axes[0]
    assert len(axes.lines) == 2
    assert not axes.patches


def test_save_svg_keeps_text(tmp_path: Path) -> None:
    figure = run_figures.confusion_matrix(CONFUSION, ("cat", "a & b", "<owl>"), title="Ümlaut")
    (path,) = picture.save(figure, tmp_path, "confusion", ["svg"])
    lines = svg_text(path).splitlines()
    for text in ("cat", "a & b", "<owl>", "Ümlaut", "predicted", "8"):
        assert text in [line.strip() for line in lines]


def test_save_png_size(tmp_path: Path) -> None:
    figure = run_figures.curves({"one": FIRST})
    (path,) = picture.save(figure, tmp_path, "curves", ["png"])
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.size == pytest.approx(tuple(figure.get_size_inches() * 144), rel=0.05)
        colors = image.convert("RGB").getcolors(2**24)
        assert colors is not None
        assert len(colors) > 10


def test_save_all_formats_into_a_new_folder(tmp_path: Path) -> None:
    paths = picture.save(run_figures.curves({"one": FIRST}), tmp_path / "new" / "folder", "curves")
    assert [path.name for path in paths] == ["curves.png", "curves.svg"]
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "curves.png",
        "curves.svg",
    ]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_save_is_deterministic(kind: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        picture.save(run_figures.curves({"run": FIRST}), tmp_path, name, [kind])
    assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()


def test_save_failure_raises_workspace_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError) as caught:
        picture.save(run_figures.curves({"one": FIRST}), tmp_path / "file" / "folder", "curves")
    assert caught.value.received == os.strerror(errno.ENOTDIR)
    assert "--output" in (caught.value.fix or "")


def draw_names(name: str) -> Any:
    images, _ = tiny_images(1, 1, size=8)
    return {
        "curves": run_figures.curves({name: FIRST, "b": SECOND}, title=name),
        "confusion": run_figures.confusion_matrix(CONFUSION[:2, :2], [name, "b"], title=name),
        "mistakes": run_figures.mistakes(
            images, [0], np.array([[0.1, 0.9]], np.float32), [name, "b"], title=name
        ),
    }


@pytest.mark.parametrize(
    "name", ["$^$", "$5 and $6", r"a\b", "100%", "x_1", "{a}", "café", "a & b", "<b>"]
)
def test_special_characters_are_drawn_literally(name: str, tmp_path: Path) -> None:
    for kind, figure in draw_names(name).items():
        (path,) = picture.save(figure, tmp_path, kind, ["svg"])
        assert name in svg_text(path)


def test_picture_shows_itself_as_png() -> None:
    content = run_figures.curves({"one": FIRST})._repr_png_()
    assert content.startswith(b"\x89PNG")
