"""Write docs/reference/commands.md: the help of all commands, as one page of the site."""

from __future__ import annotations

from pathlib import Path

from eyetune.cli.main import app

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "commands.md"
_TITLE = "# Commands, all options\n\nThis is what `eyetune COMMAND --help` shows.\n"


def command_reference() -> str:
    """Return the help of all commands in Markdown."""
    text = app.generate_docs(recursive=True)
    _, _, body = text.partition("## Table of Contents")
    return f"{_TITLE}\n## Contents\n{body or text}"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(command_reference(), encoding="utf-8")
