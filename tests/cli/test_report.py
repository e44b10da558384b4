"""`eyetune report`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Terminal


def test_report_writes_a_page_and_opens_it_on_request(
    eyetune: Terminal, at: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    path = tmp_path / "page.html"
    value = eyetune.json("report", "trained", "--output", path, *at)
    assert (value["report"], value["lab"], len(value["runs"])) == (str(path), None, 1)
    assert not opened
    assert eyetune("report", "trained", "--output", path, "--open", *at) == 0
    assert eyetune.output.strip() == str(path)
    assert opened == [path.as_uri()]
    assert "Run trained" in path.read_text(encoding="utf-8")
