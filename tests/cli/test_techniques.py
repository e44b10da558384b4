"""`eyetune techniques`."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyetune.techniques import registry
from tests.cli.conftest import Terminal


def test_techniques_are_listed_and_explained(eyetune: Terminal) -> None:
    assert eyetune("techniques") == 0
    assert "label-smoothing" in eyetune.output
    assert eyetune("techniques", "mixup") == 0
    for text in ("eyetune train --technique mixup=0.2", "arxiv.org"):
        assert text in eyetune.output


def test_techniques_include_those_of_a_file(
    eyetune: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    path = tmp_path / "mine.py"
    path.write_text(
        "from eyetune.techniques import technique\n"
        "@technique('big', values=(9,), why='', hurts='')\n"
        "def big(recipe, value):\n    return recipe.with_({'model.blocks.0.kernel_size': value})\n"
    )
    (own,) = eyetune.json("techniques", "big", "--file", path)["techniques"]
    assert own["values"] == [9]
