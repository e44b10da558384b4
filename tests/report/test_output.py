"""Files that a user asks for: whole, or an error that says what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from eyetune.errors import WorkspaceError
from eyetune.report.output import write_output


def test_write_output_creates_the_folder_and_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    for content in ("<p>ü</p>", b"<p>later</p>"):
        assert write_output(content, path) == path
        assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]


def test_write_output_reports_an_unwritable_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError) as caught:
        write_output("", tmp_path / "file" / "page.html")
    assert caught.value.received in (os.strerror(errno.ENOTDIR), os.strerror(errno.EEXIST))
    assert "--output" in (caught.value.fix or "")
