"""Names with formulas, markup, control characters and line breaks are drawn as they are."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from eyetune.report.figures.picture import Picture, new_picture, svg_bytes
from eyetune.report.figures.run_figures import confusion_matrix, curves, mistakes
from eyetune.values.history import Epoch

NAME = "a[/]b $\\frac$ {x \x1b[31m\u202ec\nd"
HISTORY = (Epoch(1, 1.0, 0.5, 1.1, 0.5, 0.001, 2.0, 500.0),)
PROBABILITIES = np.array([[0.25, 0.75]], np.float32)
IMAGES = np.zeros((1, 4, 4, 3), np.uint8)


def unchecked_picture() -> Picture:
    """Return a picture with a text that nothing has cleaned."""
    picture = new_picture(3, 1)
    picture.text(0, 0, "a\x1b[31m\u202ec")
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        lambda: confusion_matrix(np.eye(2, dtype=np.int64), [NAME, "dog"], title=NAME),
        lambda: mistakes(IMAGES, [0], PROBABILITIES, [NAME, NAME], title=NAME),
        lambda: curves({NAME: HISTORY, "b": HISTORY}),
        unchecked_picture,
    ],
)
def test_figure_shows_hostile_names(picture: object) -> None:
    assert callable(picture)
    content = svg_bytes(picture()).decode("utf-8")
    assert not {"\x1b", "\u202e"} & set(content)
    texts = "".join(ElementTree.fromstring(content).itertext())
    assert "\\x1b" in texts
