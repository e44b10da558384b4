"""Execute the lesson, and write it with all its output into docs/lesson.md.

    EYETUNE_DATA=FOLDER make lesson

The executed notebook is kept in build/lesson.ipynb; if it exists, it is only written into the page.
The lesson needs CIFAR-10 and takes half an hour on two cores. The values that it reads from
environment variables make it shorter.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

from pictures import with_few_colors

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "notebooks" / "lab.ipynb"
PAGE = ROOT / "docs" / "lesson.md"
PICTURES = "images/lesson"  # beside the page
CELL_SECONDS = 3600
ALTERNATIVE_TEXT = "what the code above draws"
INTRODUCTION = """\
*This page is the notebook `notebooks/lab.ipynb` with the output of one execution, written by \
`tools/make_lesson.py`. To work through it: `make notebook`.*
"""
_EMBEDDED = re.compile(r"data:image/png;base64,([\w+/=]+)")


def executed(folder: Path) -> Any:
    """Execute the lesson in a folder and return the notebook with its output."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    resources = {"metadata": {"path": str(folder)}}
    os.environ["EYETUNE_WORKSPACE"] = str(folder / "eyetune-workspace")
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources=resources,
        on_cell_start=lambda cell, **_: print(cell.id, file=sys.stderr, flush=True),
    )
    client.execute()
    return notebook


def page(notebook: Any) -> tuple[str, dict[str, bytes]]:
    """Return the text of the page, and its pictures by their paths from the page.

    Args:
        notebook: The executed notebook.
    """
    introduction = nbformat.v4.new_markdown_cell(INTRODUCTION)  # type: ignore[no-untyped-call]
    notebook.cells.insert(1, introduction)
    own = _without_embedded_pictures(notebook)
    names = {"output_files_dir": PICTURES, "unique_key": "lesson"}
    exporter: Any = MarkdownExporter  # nbconvert has no types, and may not be installed
    text, resources = exporter().from_notebook_node(notebook, names)
    text = text.replace("](../docs/", "](").replace("![png](", f"![{ALTERNATIVE_TEXT}](")
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return "\n".join([*lines, ""]), {**own, **resources["outputs"]}


def _without_embedded_pictures(notebook: Any) -> dict[str, bytes]:
    """Replace the pictures inside of HTML by files, and return these by their paths."""
    files: dict[str, bytes] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):

            def to_file(match: re.Match[str], cell_id: str = cell.id) -> str:
                path = f"{PICTURES}/{cell_id}-{len(files)}.png"
                files[path] = base64.b64decode(match[1])
                return path

            data = output.get("data", {})
            if "text/html" in data:
                data["text/html"] = _EMBEDDED.sub(to_file, data["text/html"])
    return files


def main() -> None:
    """Execute the lesson unless that was done before, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--notebook", type=Path, required=True, help="the executed notebook")
    path = parser.parse_args().notebook
    if not path.exists():
        with tempfile.TemporaryDirectory() as folder:
            notebook = executed(Path(folder))
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    text, pictures = page(nbformat.read(path, as_version=4))  # type: ignore[no-untyped-call]
    shutil.rmtree(PAGE.parent / PICTURES, ignore_errors=True)
    (PAGE.parent / PICTURES).mkdir(parents=True)
    for name, content in pictures.items():
        (PAGE.parent / name).write_bytes(with_few_colors(content))
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
