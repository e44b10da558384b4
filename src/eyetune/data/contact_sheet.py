"""A contact sheet: many small pictures side by side, each with lines of text below it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from eyetune.data.dataset import Images
from eyetune.data.preview import MARGIN, picture_font, to_picture
from eyetune.values.display import one_line

MAX_CELLS = 400
_COLUMNS = 6
_CELL_WIDTH = 168
_LINE_HEIGHT = 17
_HIGHLIGHT = (178, 24, 43)


@dataclass(frozen=True)
class Cell:
    """A picture on a contact sheet.

    Attributes:
        image: uint8 of shape (height, width, 1 or 3).
        lines: Lines of text below it; any characters.
        is_highlighted: Whether the lines have another color.
    """

    image: Images
    lines: tuple[str, ...]
    is_highlighted: bool = False


def contact_sheet(cells: Sequence[Cell]) -> Image.Image:
    """Draw pictures side by side in rows, the first 400 of them.

    Args:
        cells: At least one; their pictures have the same size.
    """
    cells = cells[:MAX_CELLS]
    font = picture_font()
    height, width = cells[0].image.shape[:2]
    scale = max(1, (_CELL_WIDTH - 2 * MARGIN) // width)
    shown_width, shown_height = width * scale, height * scale
    cell_width = max(_CELL_WIDTH, shown_width + 2 * MARGIN)
    num_lines = max(len(cell.lines) for cell in cells)
    cell_height = shown_height + num_lines * _LINE_HEIGHT + 3 * MARGIN
    num_columns = min(_COLUMNS, len(cells))
    num_rows = -(-len(cells) // num_columns)
    sheet = Image.new("RGB", (num_columns * cell_width, num_rows * cell_height), "white")
    draw = ImageDraw.Draw(sheet)
    for number, cell in enumerate(cells):
        left = number % num_columns * cell_width + MARGIN
        top = number // num_columns * cell_height + MARGIN
        sheet.paste(to_picture(cell.image, scale), (left, top))
        color = _HIGHLIGHT if cell.is_highlighted else "black"
        for index, line in enumerate(cell.lines):
            text = _shortened(one_line(line), font, cell_width - 2 * MARGIN)
            position = (left, top + shown_height + index * _LINE_HEIGHT + MARGIN // 2)
            draw.text(position, text, fill=color, font=font)
    return sheet


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Return the end of a text, as much as fits: that of a path is its name."""
    if font.getlength(text) <= width:
        return text
    first = bisect_left(
        range(len(text)), True, key=lambda at: font.getlength(f"…{text[at:]}") <= width
    )
    return f"…{text[first:]}"
