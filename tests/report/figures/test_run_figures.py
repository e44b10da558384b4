from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
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


def points(axes: Axes, place: int) -> list[tuple[float, float]]:
    x, y = axes.lines[place].get_data()
    return list(zip(np.asarray(x).tolist(), np.asarray(y).tolist(), strict=True))


def words_of(axes: Axes) -> list[str]:
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
def test_curves_hold_the_figures_of_each_epoch_training_dashed_and_validation_solid(
    panel: int, train: str, validation: str
):
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


def test_the_legend_names_the_runs_and_the_two_styles():
    several = run_figures.curves({"one": FIRST, "two": SECOND}, title="Two runs")
    assert legend_of(several.axes[0]) == ["one", "two", "training", "validation"]
    assert several.get_suptitle() == "Two runs"
    single = run_figures.curves({"one": FIRST})
    assert legend_of(single.axes[0]) == ["training", "validation"]
    assert single.get_suptitle() == ""


def test_the_panels_are_labelled():
    accuracy, loss = run_figures.curves({"one": FIRST}).axes
    assert (accuracy.get_ylabel(), loss.get_ylabel()) == ("accuracy", "loss (cross-entropy)")
    assert accuracy.get_xlabel() == loss.get_xlabel() == "epoch"


@pytest.mark.parametrize(("count", "marker"), [(1, "o"), (2, "None")])
def test_a_single_epoch_is_a_dot_since_it_makes_no_line(count: int, marker: str):
    line = run_figures.curves({"one": history(count, 0.5)}).axes[0].lines[1]
    assert line.get_marker() == marker


def test_a_confusion_matrix_shows_shares_of_rows_as_colours_and_counts_as_numbers():
    axes = run_figures.confusion_matrix(CONFUSION, NAMES, title="Test").axes[0]
    shares = axes.images[0].get_array()
    assert np.allclose(shares, [[0.8, 0.2, 0], [0.1, 0.9, 0], [0, 0, 0]])
    assert axes.images[0].get_clim() == (0, 1)
    assert words_of(axes) == ["8", "2", "0", "1", "9", "0", "0", "0", "0"]
    assert [text.get_position() for text in axes.texts][:3] == [(0, 0), (1, 0), (2, 0)]
    assert [label.get_text() for label in axes.get_xticklabels()] == list(NAMES)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(NAMES)
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("predicted", "true", "Test")


def test_numbers_can_be_read_on_dark_and_on_light_cells():
    axes = run_figures.confusion_matrix(CONFUSION, NAMES).axes[0]
    assert [to_hex(text.get_color()) for text in axes.texts[:2]] == ["#ffffff", "#000000"]


@pytest.mark.parametrize(("count", "numbers"), [(20, 400), (21, 0)])
def test_many_classes_are_shown_in_colours_only(count: int, numbers: int):
    names = [f"class {number}" for number in range(count)]
    axes = run_figures.confusion_matrix(np.eye(count, dtype=np.int64), names).axes[0]
    assert len(axes.texts) == numbers


def test_a_hundred_classes_name_every_second_row():
    names = [f"class {number}" for number in range(100)]
    axes = run_figures.confusion_matrix(np.eye(100, dtype=np.int64), names).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == names[::2]


def test_mistakes_show_each_image_with_its_class_the_taken_one_and_the_confidence():
    images, _ = tiny_images(2, 2, size=8)
    probabilities = np.array([[0.1, 0.9, 0.0], [0.6, 0.0, 0.4]], np.float32)
    figure = run_figures.mistakes(images, [0, 2], probabilities, NAMES)
    drawn = [axes for axes in figure.axes if axes.images]
    assert len(drawn) == 2
    for axes, image in zip(drawn, images, strict=True):
        assert np.array_equal(axes.images[0].get_array(), image)
    assert [axes.get_title() for axes in drawn] == [
        "cat\ntaken for dog\n90% sure",
        "owl\ntaken for cat\n60% sure",
    ]
    assert figure.get_suptitle() == "The most confident mistakes"


@pytest.mark.parametrize(("count", "panels"), [(1, 1), (6, 6), (7, 12), (18, 18)])
def test_mistakes_are_set_in_rows_of_six(count: int, panels: int):
    images, _ = tiny_images(count, 1, size=8)
    figure = run_figures.mistakes(images, [0] * count, np.full((count, 2), 0.5, np.float32), NAMES)
    assert len(figure.axes) == panels
    assert sum(bool(axes.images) for axes in figure.axes) == count


def test_grey_mistakes_are_drawn_in_grey():
    images = tiny_images(1, 1, size=8)[0][..., :1]
    axes = run_figures.mistakes(images, [0], np.array([[0, 1]], np.float32), NAMES).axes[0]
    assert axes.images[0].get_cmap().name == "gray"
    assert np.array_equal(axes.images[0].get_array(), images[0, ..., 0])


def test_no_mistakes_are_told_in_words():
    images = np.zeros((0, 8, 8, 3), np.uint8)
    figure = run_figures.mistakes(images, [], np.zeros((0, 3), np.float32), NAMES)
    assert figure.get_suptitle() == "No mistakes"


def judged(*losses: float) -> Any:
    return judge(rising_rates(1e-5, 10.0, 100), losses, 100)


def test_a_range_test_marks_the_suggestion_and_the_usable_range():
    test = judged(*np.linspace(2.3, 1.8, 60), *np.geomspace(1.8, 1000, 30))
    axes = run_figures.range_test(test, title="$5").axes[0]
    raw, average, mark = axes.lines
    assert axes.get_xscale() == "log"
    assert np.array_equal(raw.get_ydata(), test.losses)
    assert np.array_equal(average.get_xdata(), test.rates)
    assert raw.get_alpha() < 0.5 < average.get_linewidth()
    assert mark.get_xdata()[0] == test.suggestion
    (span,) = axes.patches
    assert (span.get_x(), span.get_x() + span.get_width()) == pytest.approx(test.usable)
    low, high = axes.get_ylim()
    assert (low < 1.8, 2.3 < high < 4) == (
        True,
        True,
    )  # what comes after the fall leaves the picture instead of flattening it
    assert axes.get_title() == r"\$5"


@pytest.mark.parametrize("losses", [[], [2.3], [2.3] * 100])
def test_a_range_test_without_a_fall_is_drawn_unmarked(losses: list[float]):
    axes = run_figures.range_test(judged(*losses)).axes[0]
    assert len(axes.lines) == 2
    assert not axes.patches


def test_a_saved_svg_is_well_formed_and_its_text_is_text(tmp_path: Path):
    figure = run_figures.confusion_matrix(CONFUSION, ("cat", "a & b", "<owl>"), title="Ümlaut")
    (path,) = picture.save(figure, tmp_path, "confusion", ["svg"])
    lines = svg_text(path).splitlines()
    for word in ("cat", "a & b", "<owl>", "Ümlaut", "predicted", "8"):
        assert word in [line.strip() for line in lines]


def test_a_saved_png_has_the_size_of_the_figure_less_its_margins(tmp_path: Path):
    figure = run_figures.curves({"one": FIRST})
    (path,) = picture.save(figure, tmp_path, "curves", ["png"])
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.size == pytest.approx(tuple(figure.get_size_inches() * 144), rel=0.05)
        assert len(image.convert("RGB").getcolors(2**24)) > 10


def test_all_formats_are_saved_into_a_new_folder(tmp_path: Path):
    paths = picture.save(run_figures.curves({"one": FIRST}), tmp_path / "new" / "folder", "curves")
    assert [path.name for path in paths] == ["curves.png", "curves.svg"]
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "curves.png",
        "curves.svg",
    ]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_same_figure_gives_the_same_file(kind: str, tmp_path: Path):
    for name in ("one", "two"):
        picture.save(run_figures.curves({"run": FIRST}), tmp_path, name, [kind])
    assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()


def test_a_figure_that_cannot_be_written_is_told(tmp_path: Path):
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
def test_odd_names_are_drawn_as_they_are(name: str, tmp_path: Path):
    for kind, figure in draw_names(name).items():
        (path,) = picture.save(figure, tmp_path, kind, ["svg"])
        assert name in svg_text(path)


def test_a_notebook_gets_a_png():
    content = run_figures.curves({"one": FIRST})._repr_png_()
    assert content.startswith(b"\x89PNG")
