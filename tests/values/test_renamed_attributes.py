"""Earlier names of attributes and arguments."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from eyetune.analysis.comparison import Candidate, Difference
from eyetune.api.export import Export
from eyetune.api.fit_check import FitCheck, fit_check
from eyetune.device.boards.profiles import load_board
from eyetune.device.estimate.footprint import Footprint
from eyetune.device.export.export_folder import Manifest
from eyetune.device.export.verify import Verification
from eyetune.errors import ArgumentTypeError, EyetuneError
from eyetune.values.renamed_attributes import accept_earlier_names


@accept_earlier_names(breadth="width")
def area(*, width: int = 1, height: int = 1) -> int:
    return width * height


def test_earlier_name_of_an_argument_is_accepted() -> None:
    arguments: dict[str, Any] = {"breadth": 2, "height": 3}
    assert area(**arguments) == area(width=2, height=3) == 6
    assert list(inspect.signature(area).parameters) == ["width", "height"]


def test_argument_under_both_names_is_refused() -> None:
    arguments: dict[str, Any] = {"breadth": 2, "width": 2}
    with pytest.raises(ArgumentTypeError):
        area(**arguments)


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (Candidate, ["multiply_adds"]),
        (Difference, ["multiply_adds", "words"]),
        (Export, ["lost"]),
        (FitCheck, ["costliest", "what"]),
        (Footprint, ["multiply_adds", "multiply_adds_by_kind"]),
        (Manifest, ["lost", "multiply_adds"]),
        (Verification, ["lost"]),
    ],
)
def test_renamed_attributes_keep_their_earlier_names(owner: type, names: list[str]) -> None:
    for name in names:
        assert isinstance(getattr(owner, name), property)


def test_boards_and_errors_keep_earlier_attributes() -> None:
    board = load_board("esp-eye")
    values: Any = (board.largest_model_bytes, board.largest_arena_bytes)
    assert values == (board.max_model_bytes, board.max_arena_bytes)
    assert EyetuneError("No board.").what == "No board."


def test_fit_check_accepts_its_earlier_argument() -> None:
    arguments: dict[str, Any] = {"what": "resnet8"}
    check = fit_check(**arguments)
    assert (check.what, check.costliest) == (check.label, check.bottleneck)
    assert check.footprint.multiply_adds == check.footprint.macs
