"""Options of a study are checked before its images are loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import eyetune as et
from eyetune.errors import SourceError, UsageError


@pytest.mark.parametrize(
    "options",
    [
        {"board": "no-such-board"},
        {"sampler": "no-such-sampler"},
        {"scheduler": "no-such-scheduler"},
        {"constraints": ["parameters ! 3"]},
    ],
)
def test_options_are_checked_before_images_load(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        et.tune(None, "no-such-data", workspace=tmp_path, **options)
    assert not isinstance(caught.value, SourceError)
