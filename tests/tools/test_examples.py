"""Commands of pages are found, run and shown with their output."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.scripts import load_script

examples = load_script("examples")
PAGE = """Text.

```console
$ echo one \\
    two
old output
$ echo three > three.txt
```

<!-- first 2 lines -->
```console
$ cat three.txt; seq 9
```
"""


def test_commands_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert examples.commands(page) == [
        "echo one two",
        "echo three > three.txt",
        "cat three.txt; seq 9",
    ]


def test_output_is_written_below_its_command(tmp_path: Path) -> None:
    shown = examples.with_output(PAGE, tmp_path)
    assert "    two\none two\n$ echo three" in shown
    assert "$ cat three.txt; seq 9\nthree\n1\n...\n```" in shown
    assert "old output" not in shown
    (tmp_path / "three.txt").unlink()
    assert examples.with_output(shown, tmp_path) == shown


def test_command_that_fails_ends_it(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="status 3"):
        examples.with_output("```console\n$ exit 3\n```\n", tmp_path)
