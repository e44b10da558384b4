"""Contact sheets."""

from __future__ import annotations

import numpy as np
import pytest

from eyetune.data.contact_sheet import MAX_CELLS, Cell, contact_sheet


def cell(value: int, size: int = 24, *, is_highlighted: bool = False) -> Cell:
    image = np.full((size, size, 1), value, np.uint8)
    return Cell(image, ("a long name of a file.jpg" * 4, "\x1b[31m cat"), is_highlighted)


@pytest.mark.parametrize("number", [1, 6, 7, MAX_CELLS + 5])
def test_contact_sheet_shows_each_picture_in_rows_of_six(number: int) -> None:
    sheet = np.asarray(contact_sheet([cell(17 + index % 50) for index in range(number)]))
    shown = min(number, MAX_CELLS)
    rows = -(-shown // 6)
    height, width = sheet.shape[0] // rows, sheet.shape[1] // min(6, shown)
    for index in range(shown):
        part = sheet[index // 6 * height :, index % 6 * width :][:height, :width]
        assert (part == 17 + index % 50).sum() > 100 * 100


def test_contact_sheet_highlights_lines_in_another_color() -> None:
    plain, highlighted = contact_sheet([cell(0)]), contact_sheet([cell(0, is_highlighted=True)])
    assert plain.size == highlighted.size
    assert (178, 24, 43) in {color for _, color in highlighted.getcolors(1 << 24) or ()}
    assert (178, 24, 43) not in {color for _, color in plain.getcolors(1 << 24) or ()}


def test_contact_sheet_takes_large_pictures() -> None:
    assert contact_sheet([cell(0, 224)]).width >= 224
