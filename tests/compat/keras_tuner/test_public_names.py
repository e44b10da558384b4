"""`eyetune.compat.keras_tuner` offers the public names of the installed KerasTuner.

docs/keras-tuner.md says what eyetune does with each of them. After a change, write its tables:
`python tools/keras_tuner_api.py`.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import subprocess
import sys
from importlib import metadata
from inspect import Parameter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import eyetune.compat.keras_tuner as ours
from eyetune.compat.keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle
from eyetune.compat.keras_tuner.tuners import Tuner
from eyetune.errors import UsageError

SCRIPT = Path(__file__).parents[3] / "tools" / "keras_tuner_api.py"


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("keras_tuner_api", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


api = load_script()


def test_import_loads_no_keras() -> None:
    """Tuners and oracles load none either, until they need it."""
    script = (
        "import sys, eyetune.compat.keras_tuner as keras_tuner\n"
        "keras_tuner.RandomSearch, keras_tuner.oracles.HyperbandOracle, keras_tuner.__version__\n"
        "print(*[name for name in ('keras', 'tensorflow', 'keras_tuner') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_modules_have_the_names_of_keras_tuner() -> None:
    for module in api.public_modules():
        suffix = module.__name__.removeprefix("keras_tuner")
        mine = importlib.import_module(f"{api.OURS}{suffix}")
        names = {name for name in vars(module) if not name.startswith("_") and name != "src"}
        assert names <= set(dir(mine))
        for name in names:
            assert getattr(mine, name)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        _ = ours.no_such_name
    with pytest.raises(AttributeError):
        _ = ours.engine.no_such_module
    assert ours.__version__ == metadata.version("keras-tuner") == "1.4.8"


def test_each_class_and_function_has_a_verdict() -> None:
    assert list(api.public_objects()) == sorted(api.OBJECTS, key=str.lower)


def test_each_argument_has_a_verdict() -> None:
    arguments = api.constructor_arguments((*api.TUNERS, *api.ORACLES))
    assert set(api.ARGUMENTS) == set(arguments)


def test_each_attribute_and_method_has_a_verdict() -> None:
    assert list(api.TUNER_MEMBERS) == api.members(api.TUNERS)
    assert list(api.ORACLE_MEMBERS) == api.members(api.ORACLES[1:])


@pytest.mark.parametrize(("name", "verdict"), api.OBJECTS.items())
def test_verdict_on_a_class_or_function_is_true(name: str, verdict: Any) -> None:
    theirs, aliases = api.public_objects()[name]
    mine = api.our_object(name)
    assert all(api.our_object(alias) is mine for alias in aliases)
    assert (mine is theirs) == verdict.is_passed_on
    assert bool(verdict.text) or verdict.status == "works"
    if verdict.status == "refused":
        with pytest.raises(UsageError) as caught:
            mine("anything")
        assert caught.value.fix


def named(function: Any) -> list[str]:
    kinds = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind in kinds]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *((Tuner, name) for name in api.TUNER_MEMBERS),
        *((BayesianOptimizationOracle, name) for name in api.ORACLE_MEMBERS),
    ],
)
def test_members_take_the_arguments_of_keras_tuner(kind: type, name: str) -> None:
    theirs = getattr(api.public_objects()[_name_in_keras_tuner(kind)][0], name, None)
    if inspect.isfunction(theirs):
        names = named(theirs)
        assert named(getattr(kind, name))[: len(names)] == names


def _name_in_keras_tuner(kind: type) -> str:
    return kind.__name__ if kind is Tuner else f"oracles.{kind.__name__}"


@pytest.mark.parametrize("name", api.ORACLE_MEMBERS)
def test_oracles_have_the_members_that_are_not_refused(name: str) -> None:
    kinds = [kind for kind in (BayesianOptimizationOracle, HyperbandOracle) if hasattr(kind, name)]
    assert kinds
    value = inspect.getattr_static(kinds[0], name)
    if isinstance(value, property) and api.ORACLE_MEMBERS[name].status == "refused":
        with pytest.raises(UsageError) as caught:
            getattr(kinds[0]("val_loss"), name)
        assert caught.value.fix


def test_tuners_have_the_members(tmp_path: Path) -> None:
    tuner = ours.RandomSearch(lambda hp: hp, "val_loss", directory=tmp_path)
    missing = [
        name for name in api.TUNER_MEMBERS if name not in vars(tuner) and name not in dir(tuner)
    ]
    assert missing == []


def test_document_has_the_tables() -> None:
    text = api.DOCUMENT.read_text(encoding="utf-8")
    assert text == api.with_tables(text)
