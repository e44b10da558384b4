"""Installed packages add techniques and boards by entry points; one that fails disables nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eyetune.device.boards.profiles import boards, load_board
from eyetune.errors import EyetuneWarning, UsageError
from eyetune.recipe import Recipe
from eyetune.techniques import registry

BOARD = Path(__file__).parent.parent / "src/eyetune/device/boards/esp32-cam.toml"
TECHNIQUES = """
from eyetune.techniques import technique

@technique("lamp", values=(64, 128), why="It is bright.", hurts="It costs energy.")
def lamp(recipe, value):
    return recipe.with_({"model.blocks.0.filters": value})
"""


def install(folder: Path, name: str, entry_points: str, files: dict[str, str]) -> None:
    """Write a package with its metadata, as an installer does."""
    for path, text in {
        f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{name}-1.0.dist-info/entry_points.txt": entry_points,
        **files,
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder of installed packages; what they add is forgotten afterwards."""
    registry.techniques()  # registers the catalog, which is imported once
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    forget()
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "lamps"]:
        del sys.modules[name]
    monkeypatch.undo()
    forget()


def forget() -> None:
    importlib.invalidate_caches()
    boards.cache_clear()
    registry._load_catalog.cache_clear()


def test_technique_of_a_plugin_is_listed_and_applied(folder: Path) -> None:
    entry_points = "[eyetune.techniques]\nlamps = lamps.techniques\n"
    files = {"lamps/__init__.py": "", "lamps/techniques.py": TECHNIQUES}
    install(folder, "lamps", entry_points, files)
    lamp = registry.find("lamp")
    assert lamp == registry.techniques()[-1]
    assert (lamp.plugin, lamp.file) == ("lamps", "")
    assert lamp.apply(Recipe(), 128).model.blocks[0].filters == 128


def test_board_of_a_plugin_is_known_by_its_name(folder: Path) -> None:
    text = BOARD.read_text().replace('name = "esp32-cam"', 'name = "lamp-board"')
    install(
        folder,
        "lamps",
        "[eyetune.boards]\nlamps = lamps\n",
        {"lamps/__init__.py": "", "lamps/lamp-board.toml": text},
    )
    assert "lamp-board" in [board.name for board in boards()]
    same = load_board("lamp-board").model_copy(update={"name": "esp32-cam"})
    assert same == load_board("esp32-cam")


@pytest.mark.parametrize(
    ("group", "content"),
    [
        ("eyetune.techniques", "raise RuntimeError('broken')"),
        ("eyetune.techniques", TECHNIQUES.replace('"lamp"', '"flip"')),
        ("eyetune.boards", "raise RuntimeError('broken')"),
    ],
)
def test_plugin_that_fails_is_left_out_with_a_warning(
    folder: Path, group: str, content: str
) -> None:
    install(folder, "lamps", f"[{group}]\nlamps = lamps\n", {"lamps/__init__.py": content})
    use = boards if group == "eyetune.boards" else registry.techniques
    with pytest.warns(EyetuneWarning, match=r"plug-in lamps .* of lamps"):
        use()
    assert [technique.name for technique in registry.techniques()].count("flip") == 1
    assert load_board("esp-eye") in boards()


def test_board_with_a_known_name_is_left_out(folder: Path) -> None:
    files = {"lamps/__init__.py": "", "lamps/other.toml": BOARD.read_text()}
    install(folder, "lamps", "[eyetune.boards]\nlamps = lamps\n", files)
    with pytest.warns(EyetuneWarning, match="already a board"):
        known = boards()
    assert [board.name for board in known].count("esp32-cam") == 1
    with pytest.raises(UsageError):
        load_board("lamp-board")
