"""The check of the site finds links that lead nowhere, and what comes from the internet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.scripts import load_script

check_site = load_script("check_site")


def problems(folder: Path, body: str) -> list[str]:
    (folder / "other").mkdir(exist_ok=True)
    (folder / "index.html").write_text(f"<html><body>{body}</body></html>")
    (folder / "other" / "page.html").write_text('<h1 id="top"><a href="../index.html">up</a></h1>')
    (folder / "picture.png").write_bytes(b"")
    return list(check_site.problems(folder))


@pytest.mark.parametrize(
    "body",
    [
        '<a href="other/page.html#top">',
        '<a href="https://example.org/"><img src="picture.png">',
        '<img src="data:image/png;base64,AAAA"><a id="here" href="#here">',
    ],
)
def test_sound_pages_have_no_problem(tmp_path: Path, body: str) -> None:
    assert problems(tmp_path, body) == []


@pytest.mark.parametrize(
    "body",
    [
        '<a href="missing.html">',
        '<a href="other/page.html#nothing">',
        '<a href="#nothing">',
        '<img src="missing.png">',
        '<script src="https://example.org/a.js"></script>',
        '<link rel="stylesheet" href="//example.org/a.css">',
    ],
)
def test_faults_are_found(tmp_path: Path, body: str) -> None:
    (problem,) = problems(tmp_path, body)
    assert problem.startswith("index.html")


def test_empty_site_is_a_problem(tmp_path: Path) -> None:
    assert len(list(check_site.problems(tmp_path))) == 1
