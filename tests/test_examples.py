"""What the pages of the documentation show can be done: their Python and their commands run."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from eyetune.cli.main import run
from eyetune.techniques import registry
from eyetune.testing.datasets import write_cifar10
from eyetune.tuning.executors import InProcessExecutor
from tests.tools.scripts import load_script

ROOT = Path(__file__).parent.parent
examples = load_script("examples")
LESSON = ROOT / "docs" / "lesson.md"  # tests/test_notebook.py executes it
OWN_PHOTOS = ROOT / "docs" / "own-photos.md"  # has a test of its own
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
# A test of its own runs this example, or a comment says why it is not run.
_PYTHON = re.compile(r"(?:<!-- (.*?) -->\n)?```python\n(.*?)```", re.S)
_TESTED = "tests/test_docs.py"
_NOT_RUN = "not run: "
_FILE = "file: "  # `examples.write_files` writes it


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def python_examples(page: Path) -> list[str]:
    """Return the Python of a page that is run here."""
    found = _PYTHON.findall(page.read_text(encoding="utf-8"))
    return [code for about, code in found if not about.startswith((_TESTED, _NOT_RUN, _FILE))]


def has_examples(page: Path) -> bool:
    if page in (LESSON, OWN_PHOTOS):
        return False
    return bool(python_examples(page) or examples.commands(page))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("EYETUNE_WORKSPACE")
    registry.techniques()  # the catalog is registered before, and what pages add is forgotten
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    # Most of the time of such short studies is the start of their workers.
    monkeypatch.setattr("eyetune.api.tune.make_executor", lambda *_, **__: InProcessExecutor())
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:workers=0")  # what this process costs
@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("page", [page for page in PAGES if has_examples(page)], ids=name_of)
def test_examples_of_a_page_run(page: Path, folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "example"}
    examples.write_files(page.read_text(encoding="utf-8"), folder)
    for code in python_examples(page):
        exec(compile(code, name_of(page), "exec"), names)
    for command in examples.commands(page):
        assert run_command(command) == 0, command


# On OWN_PHOTOS: a search that ends soon by itself, however busy the machine is.
SHORTER = {"--time 4m": "--space narrow.toml --max-epochs 2", "--seeds 3": "--seeds 1"}
NARROW = '["optimizer.learning_rate"]\nvalues = [1e-3, 3e-3]\n'
IMAGES_PER_BATCH = 300  # of an archive with enough images of each class for the photos


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:workers=0")
@pytest.mark.skipif(shutil.which("gcc") is None, reason="the page compiles C: install gcc")
@pytest.mark.usefixtures("no_pictures")
def test_commands_of_own_photos_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way from photos to the board, in less time, with pictures of noise and a color."""
    monkeypatch.setenv("EYETUNE_DATA", str(folder))
    monkeypatch.setattr("eyetune.tuning.final_training.MAX_FINAL_EPOCHS", 3)
    (folder / "narrow.toml").write_text(NARROW)
    write_cifar10(folder, images_per_batch=IMAGES_PER_BATCH)
    (folder / "tools").symlink_to(ROOT / "tools")
    examples.write_files(OWN_PHOTOS.read_text(encoding="utf-8"), folder)
    commands = examples.commands(OWN_PHOTOS)
    assert not [option for option in SHORTER if option not in " ".join(commands)]
    outputs: dict[str, list[str]] = {}
    for command in commands:
        shorter = command
        for shown, run_here in SHORTER.items():
            shorter = shorter.replace(shown, run_here)
        if shorter.startswith("eyetune"):  # here, where libraries are loaded
            whole = shorter.partition("|")[0].replace("2>&1", "")
            assert run_command(whole) == 0, shorter
        else:
            outputs.setdefault(command, []).append(examples.output_of(shorter, folder))
    assert outputs["./self-test"] == [
        "self-test: PASS",
        "self-test: FAIL: red and blue are exchanged",
    ]
    assert (folder / "sheet.png").stat().st_size > 10_000


def run_command(command: str) -> int:
    """Run a command of eyetune in this process, and return its exit status; ignore others."""
    words = shlex.split(command)
    target: Path | None = None
    if ">" in words:
        target = Path(words[words.index(">") + 1])
        words = words[: words.index(">")]
    if words[0] != "eyetune":
        return 0
    if target is None or str(target) == os.devnull:
        return run(words[1:])
    with target.open("w") as stream, contextlib.redirect_stdout(stream):
        return run(words[1:])
