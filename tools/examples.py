"""The commands that pages of the documentation show, with their output.

A block of a page that begins with ```console holds commands after "$ ", each with the output below
it. They are run in the order of the page, in a folder that contains a link to `tools` only:

    python tools/examples.py docs/start.md     # runs them, and writes their output into the page

A comment <!-- file: NAME --> above a block of any language writes it into a file before that.
Another one limits the output of commands: <!-- first 12 lines -->. Tests run all of these commands,
too, and require that they succeed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = (*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md")
COLUMNS = "100"
_BLOCK = re.compile(r"(?:<!-- first (\d+) lines -->\n)?```console\n(.*?)```\n", re.S)
_FILE = re.compile(r"<!-- file: ([\w.-]+) -->\n```\w+\n(.*?)```\n", re.S)
_PROMPT = "$ "


def commands(page: Path) -> list[str]:
    """Return the commands of a page, in order, each with its continuation lines joined."""
    text = page.read_text(encoding="utf-8")
    return [command for block in _BLOCK.finditer(text) for command in _commands(block[2])]


def write_files(text: str, folder: Path) -> None:
    """Write the files that a page shows into a folder."""
    for name, content in _FILE.findall(text):
        (folder / name).write_text(content, encoding="utf-8")


def _commands(block: str) -> Iterator[str]:
    lines = iter(block.splitlines())
    for line in lines:
        if line.startswith(_PROMPT):
            command = line.removeprefix(_PROMPT)
            while command.endswith("\\"):
                command = command.removesuffix("\\").rstrip() + " " + next(lines).strip()
            yield command


def _shown(block: str) -> Iterator[str]:
    """Yield the commands of a block as they are shown, with their prompts and line breaks."""
    lines = iter(block.splitlines())
    for line in lines:
        if line.startswith(_PROMPT):
            shown = [line]
            while shown[-1].endswith("\\"):
                shown.append(next(lines))
            yield "\n".join(shown)


def with_output(text: str, folder: Path) -> str:
    """Return the text of a page with the output of its commands.

    Args:
        text: The text of the page.
        folder: An empty folder to run them in.
    """

    def run_block(match: re.Match[str]) -> str:
        limit = int(match[1]) if match[1] else None
        parts = []
        for command, shown in zip(_commands(match[2]), _shown(match[2]), strict=True):
            print(f"$ {command}", flush=True)
            output = output_of(command, folder).splitlines()
            if limit is not None and len(output) > limit:
                output = [*output[:limit], "..."]
            parts.append("\n".join([shown, *output]))
        comment = f"<!-- first {limit} lines -->\n" if limit is not None else ""
        body = "\n".join(parts)
        return f"{comment}```console\n{body}\n```\n"

    write_files(text, folder)
    return _BLOCK.sub(run_block, text)


def output_of(command: str, folder: Path) -> str:
    """Return what a command of a page prints on standard output.

    Args:
        command: The command, for a shell.
        folder: The folder to run it in, whose path is replaced by a dot.

    Raises:
        SystemExit: It fails.
    """
    environment = {**os.environ, "COLUMNS": COLUMNS, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("EYETUNE_WORKSPACE", None)
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{command}\nended with status {done.returncode}:\n{done.stderr}")
    lines = [line.rstrip() for line in done.stdout.replace(str(folder), ".").splitlines()]
    return "\n".join(lines).strip("\n")


def main() -> None:
    """Run the commands of the pages that are named, and write their output into them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="+", type=Path, help="pages to write the output into")
    parser.add_argument("--folder", type=Path, help="run them here, and keep what they write")
    arguments = parser.parse_args()
    for page in arguments.pages:
        with tempfile.TemporaryDirectory() as temporary:
            folder = (arguments.folder or Path(temporary)).resolve()
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "tools").symlink_to(ROOT / "tools")
            text = page.read_text(encoding="utf-8")
            page.write_text(with_output(text, folder), encoding="utf-8")


if __name__ == "__main__":
    main()
