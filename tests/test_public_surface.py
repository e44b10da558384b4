"""The public interface: complete, sorted, documented, and cheap to import."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import eyetune
from eyetune.values.summary import Summarized

HEAVY = ("keras", "tensorflow", "matplotlib", "numpy", "pydantic", "sqlalchemy", "rich")
# Names whose documentation needs no example of its own, and why.
WITHOUT_EXAMPLE = {
    "BayesianOptimization": "the example of Hyperband shows every drop-in tuner",
    "DataCheck": "returned by data_check, whose example shows it",
    "Deployment": "returned by deploy, whose example shows it",
    "Export": "returned by export, whose example shows it",
    "FitCheck": "returned by fit_check, whose example shows it",
    "GridSearch": "the example of Hyperband shows every drop-in tuner",
    "RandomSearch": "the example of Hyperband shows every drop-in tuner",
    "Run": "returned by train, whose example shows it",
    "Shrunk": "returned by shrink, whose example shows it",
    "Split": "a part of Dataset, whose example shows it",
    "Tracked": "given to a Tracker, whose example shows it",
    "TrackedEnd": "given to a Tracker, whose example shows it",
    "errors": "a module: its documentation is the tree of errors",
    "techniques": "a module: its functions have examples",
}
PACKAGES = [
    module.name for module in pkgutil.walk_packages(eyetune.__path__, "eyetune.") if module.ispkg
]


def imported_for_type_checkers() -> set[str]:
    """Return the names that `eyetune/__init__.py` imports under TYPE_CHECKING."""
    tree = ast.parse(Path(eyetune.__file__).read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("eyetune"):
            names |= {alias.name for alias in node.names}
    return names


def test_all_is_sorted_and_without_repetition() -> None:
    assert list(eyetune.__all__) == sorted(set(eyetune.__all__))


def test_dir_shows_the_public_names_and_no_others() -> None:
    assert set(dir(eyetune)) == {*eyetune.__all__, "__version__"}


def test_type_checkers_see_the_public_names() -> None:
    assert imported_for_type_checkers() == set(eyetune.__all__)


@pytest.mark.parametrize("name", eyetune.__all__)
def test_public_name_is_documented_with_an_example(name: str) -> None:
    documentation = inspect.getdoc(getattr(eyetune, name)) or ""
    assert documentation
    assert ">>>" in documentation or name in WITHOUT_EXAMPLE


def test_public_results_show_themselves_in_a_notebook() -> None:
    public = [getattr(eyetune, name) for name in eyetune.__all__]
    results = [each for each in public if isinstance(each, type) and hasattr(each, "to_json")]
    assert {eyetune.FitCheck, eyetune.Run, eyetune.Study} <= set(results)
    assert [each for each in results if not hasattr(each, "_repr_html_")] == []


def test_no_result_has_the_repr_of_a_dataclass_or_model() -> None:
    for package in ("api", "analysis", "device"):
        for module in pkgutil.walk_packages([f"{eyetune.__path__[0]}/{package}"]):
            if not module.ispkg:
                importlib.import_module(f"eyetune.{package}.{module.name}")
    assert Summarized.__subclasses__()
    for result in Summarized.__subclasses__():
        if result.__module__.startswith("eyetune."):
            assert result.__repr__ is Summarized.__repr__, result
            assert result.__str__ is Summarized.__str__, result


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        _ = eyetune.no_such_name


def test_star_import_gives_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from eyetune import *", names)
    assert set(eyetune.__all__) <= set(names)


def test_import_loads_nothing_heavy() -> None:
    script = f"import sys, eyetune; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", PACKAGES)
def test_package_states_what_it_exports(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__doc__
    exported = getattr(package, "__all__", [])
    assert list(exported) == [item for item in exported if hasattr(package, item)]
    leaked = [
        item
        for item, value in vars(package).items()
        if not item.startswith("_")
        and item not in exported
        and item != "annotations"
        and not isinstance(value, ModuleType)
    ]
    assert leaked == []
