"""Model functions from elsewhere: nothing of them runs before their user has trusted them."""

from __future__ import annotations

import json
import py_compile
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import eyetune
from eyetune.errors import EyetuneError, FunctionError, UntrustedFunctionError
from eyetune.models.model_function import keep, load, require
from eyetune.models.model_function.files import ORIGIN
from eyetune.models.model_function.trust import Review, reviewing
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.tuning.executors.executor import pack, unpack, work
from eyetune.tuning.references import resolve

SOURCE = """
from pathlib import Path
Path({mark!r}).touch()
{imports}

def build_model(hp):
    return {value}
"""


class Reviewer:
    """Someone who looks at functions, and gives some answers in turn."""

    def __init__(self, *answers: bool) -> None:
        self._answers = list(answers)
        self.reviews: list[Review] = []

    def __call__(self, review: Review) -> bool:
        self.reviews.append(review)
        return self._answers.pop(0)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """Return the path of a file that exists once the foreign code has run."""
    return tmp_path / "it-ran"


@pytest.fixture
def file(tmp_path: Path, mark: Path) -> Path:
    """Return a file of someone else."""
    return write(tmp_path / "theirs", mark)


@pytest.fixture(autouse=True)
def own_imports() -> Iterator[None]:
    """Forget what was imported, and from where."""
    names, paths, finders = set(sys.modules), list(sys.path), list(sys.meta_path)
    yield
    sys.path[:], sys.meta_path[:] = paths, finders
    for name in set(sys.modules) - names:
        if name.startswith(("helpers", "tools")):
            del sys.modules[name]


def write(folder: Path, mark: Path, *, imports: str = "", value: str = "3") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "model.py"
    path.write_text(SOURCE.format(mark=str(mark), imports=imports, value=value))
    return path


def refused(function: str | Path, mark: Path) -> None:
    """Check that a function is refused everywhere, without being run."""
    for check in (require, load):
        with pytest.raises(UntrustedFunctionError):
            check(str(function))
    assert not mark.exists()


def result(function: str | Path) -> Any:
    return load(str(function)).hypermodel.build(None)


def test_function_of_a_recipe_file_is_refused(
    file: Path, mark: Path, tmp_path: Path, workspace: Path
) -> None:
    (tmp_path / "recipe.toml").write_text(f"[model]\nfunction = '{file}'\n")
    recipe = Recipe.load(tmp_path / "recipe.toml")
    with pytest.raises(UntrustedFunctionError):
        resolve(recipe, Workspace(workspace))
    refused(recipe.model.function, mark)
    refused(recipe.with_({"fit.epochs": 2}).model.function, mark)
    refused(Recipe.make(recipe.model_dump()).model.function, mark)


def test_pickle_of_a_recipe_file_is_refused(tmp_path: Path, mark: Path) -> None:
    class Attack:
        def __reduce__(self) -> Any:
            return Path.touch, (mark,)

    import cloudpickle

    path = tmp_path / "x.pickle"
    path.write_bytes(cloudpickle.dumps((Attack(), {})))
    reviewer = Reviewer(False, False)
    with reviewing(reviewer):
        refused(path, mark)
    (shown,) = reviewer.reviews[-1].texts.values()
    assert "touch" in shown
    assert mark.name in shown


def test_function_named_in_python_is_trusted(file: Path, mark: Path, workspace: Path) -> None:
    refused(file, mark)
    recipe = Recipe().with_(model=f"{file}:build_model")
    kept = resolve(recipe, Workspace(workspace)).model.function
    assert result(kept) == 3
    assert mark.exists()
    # From now on it is in the list, wherever it is named.
    require(str(file))


def test_kept_function_is_trusted_until_it_changes(file: Path, mark: Path, workspace: Path) -> None:
    kept = keep(f"{file}:build_model", workspace / "functions")
    require(kept)
    copy = Path(kept.rpartition(":")[0])
    content = copy.read_text()
    copy.write_text(content + "# changed\n")
    refused(kept, mark)
    copy.write_text(content)
    require(kept)
    (copy.parent / "arguments.pickle").write_bytes(b"anything")
    refused(kept, mark)
    (copy.parent / "arguments.pickle").unlink()
    origin = {"folder": str(workspace)}
    (copy.parent / ORIGIN).write_text(json.dumps(origin))
    refused(kept, mark)


def test_keep_repairs_a_planted_copy(file: Path, workspace: Path) -> None:
    kept = keep(file, workspace / "functions")
    copy = Path(kept.rpartition(":")[0])
    copy.write_text("raise SystemExit('planted')")
    assert keep(file, workspace / "functions") == kept
    assert result(kept) == 3


def test_trusted_function_runs_wherever_it_is(file: Path, mark: Path, tmp_path: Path) -> None:
    refused(file, mark)
    eyetune.trust_function(file)
    moved = write(tmp_path / "moved", mark)
    assert result(moved) == 3
    moved.write_text(moved.read_text().replace("3", "4"))
    with pytest.raises(UntrustedFunctionError):
        require(str(moved))


def test_review_decides_about_a_function(file: Path, mark: Path) -> None:
    reviewer = Reviewer(False, True)
    with reviewing(reviewer):
        with pytest.raises(UntrustedFunctionError):
            require(str(file))
        assert not mark.exists()
        require(str(file))
        require(str(file))
    assert reviewer.reviews[1].texts == {str(file): file.read_text()}
    assert len(reviewer.reviews) == 2
    assert result(file) == 3


def test_reviewed_function_imports_what_was_reviewed(tmp_path: Path, mark: Path) -> None:
    folder = tmp_path / "theirs"
    imports = "import helpers_one\nfrom helpers_two.inner import SIX"
    file = write(folder, mark, imports=imports, value="(helpers_one.FIVE, SIX)")
    (folder / "helpers_one.py").write_text("FIVE = 5")
    (folder / "helpers_two").mkdir()
    (folder / "helpers_two" / "inner.py").write_text("from .deep import SIX")
    (folder / "helpers_two" / "deep.py").write_text("SIX = 6")
    reviewer = Reviewer(True)
    with reviewing(reviewer):
        require(str(file))
    names = {Path(path).name for path in reviewer.reviews[0].texts}
    assert names == {"model.py", "helpers_one.py", "inner.py", "deep.py"}
    (folder / "helpers_one.py").write_text("FIVE = 55")
    refused(file, mark)
    (folder / "helpers_one.py").write_text("FIVE = 5")
    assert result(file) == (5, 6)
    assert str(folder) not in sys.path


@pytest.mark.parametrize("name", ["helpers_hidden", "helpers_shown.hidden"])
def test_reviewed_function_imports_nothing_else(tmp_path: Path, mark: Path, name: str) -> None:
    folder = tmp_path / "theirs"
    file = write(folder, mark, imports=f"import helpers_shown\n__import__('{name}')")
    (folder / "helpers_hidden.py").write_text("raise SystemExit('hidden')")
    (folder / "helpers_shown").mkdir()
    (folder / "helpers_shown" / "__init__.py").touch()
    (folder / "helpers_shown" / "hidden.py").write_text("raise SystemExit('hidden')")
    eyetune.trust_function(file)
    with pytest.raises(FunctionError, match="ModuleNotFoundError"):
        load(str(file))


def test_compiled_file_is_never_used(file: Path, mark: Path, tmp_path: Path) -> None:
    planted = write(tmp_path / "planted", mark, value="'planted'")
    cache = file.parent / "__pycache__" / f"model.{sys.implementation.cache_tag}.pyc"
    py_compile.compile(
        str(planted),
        cfile=str(cache),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    eyetune.trust_function(file)
    assert result(file) == 3
    kept = keep(file, tmp_path / "functions")
    assert result(kept) == 3


def test_source_is_shown_in_the_encoding_that_it_declares(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_bytes(
        b"# -*- coding: utf-7 -*-\n# harmless +AAo-import os\ndef build_model(hp): ...\n"
    )
    reviewer = Reviewer(True)
    with reviewing(reviewer):
        require(str(path))
    assert "import os" in reviewer.reviews[0].texts[str(path)].splitlines()


def test_damaged_origin_is_an_error(file: Path) -> None:
    for text in ("", "[]", "{}", '{"folder": 3}'):
        (file.parent / ORIGIN).write_text(text)
        with pytest.raises(EyetuneError):
            require(str(file))


def test_worker_trusts_what_its_coordinator_trusts(
    file: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = keep(file, workspace / "functions")
    job = pack(require, (kept,))
    monkeypatch.setenv("EYETUNE_TRUSTED_FUNCTIONS", str(tmp_path / "of another machine"))
    monkeypatch.setattr("eyetune.models.trusted._granted", set())
    with pytest.raises(UntrustedFunctionError):
        require(kept)
    assert unpack(work(job, None, lambda _: None)).modules is None
