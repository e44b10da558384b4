from __future__ import annotations

import jinja2
import pytest

from eyetune.errors import DataError
from eyetune.recipe import Recipe
from eyetune.report.figures.run_figures import curves
from eyetune.report.pages.page import drawing, embedded, render
from eyetune.report.pages.tables import change_rows, marked_lines
from eyetune.values.history import Epoch

HISTORY = tuple(Epoch(number, 1.0, 0.5, 1.0, 0.5, 0.001, 1.0, 100.0) for number in (1, 2))


def test_drawings_of_a_page_share_no_id() -> None:
    one, two = (drawing(curves({"a": HISTORY}), name, "Curves.") for name in ("one", "two"))
    assert 'clip-path="url(#one-' in one.svg
    assert one.svg.replace("one-", "two-") == two.svg
    for part in ("<metadata", "<style", "<?xml", "<!DOCTYPE", "xmlns"):
        assert part not in one.svg
    assert 'aria-label="Curves."' in one.svg
    assert one.width == pytest.approx(11 * 72, rel=0.05)
    assert not one.tall


def test_embedded_picture_runs_and_loads_nothing() -> None:
    parts = [
        "<script>alert(1)</script>",
        "<foreignObject><b xmlns='http://www.w3.org/1999/xhtml'>x</b></foreignObject>",
        "<a href='javascript:alert(1)'><text>link</text></a>",
        "<set attributeName='href' to='javascript:alert(1)'/>",
        "<path onclick='alert(1)' d='M 0 0' style='fill: url(http://a.example/)'/>",
        "<path style='fill: \\75rl(http://a.example/)'/>",
        "<image href='http://a.example/x.png'/><use href='#own'/>",
        "<text>kept</text>",
    ]
    head = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9' onload='alert(1)'>"
    svg = embedded(f"{head}{''.join(parts)}</svg>".encode(), "theirs", "Theirs.").svg
    for text in ("alert", "script", "http:", "foreignObject", "<set", "<a"):
        assert text not in svg
    assert "<text>kept</text>" in svg
    assert 'href="#theirs-own"' in svg


@pytest.mark.parametrize(
    "content", [b"", b"<svg/>", b"<svg viewBox='0 0 1'/>", b"<svg viewBox=''/>"]
)
def test_embedded_refuses_what_is_no_picture(content: bytes) -> None:
    with pytest.raises(DataError):
        embedded(content, "theirs", "Theirs.")


def test_a_value_that_a_template_needs_must_be_there() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("lab_summary", {})


def test_change_rows_hold_path_old_and_new_value() -> None:
    rows = change_rows(Recipe(), Recipe().with_({"augment.flip": True, "optimizer.clip_norm": 1.5}))
    assert [[cell.text for cell in row.cells] for row in rows] == [
        ["augment.flip", "false", "true"],
        ["optimizer.clip_norm", "0.0", "1.5"],
    ]


def test_lines_that_moved_are_marked_where_they_differ() -> None:
    assert marked_lines("a\nb\nc", "a\nc\nd") == [("a", False), ("b", True), ("c", False)]
    assert marked_lines("", "a") == []


def test_embedded_picture_of_elements_thousands_deep_is_refused() -> None:
    depth = 5_000
    content = f'<svg viewBox="0 0 1 1">{"<g>" * depth}{"</g>" * depth}</svg>'
    with pytest.raises(DataError):
        embedded(content.encode(), "one", "Curves.")
