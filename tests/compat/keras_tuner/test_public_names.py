"""`eyetune.compat.keras_tuner` offers the public names of the installed KerasTuner."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from types import ModuleType

import pytest

import eyetune.compat.keras_tuner as ours
from eyetune.errors import UsageError


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


def public_modules() -> Iterator[ModuleType]:
    """Yield the public modules of the installed KerasTuner."""
    waiting = [importlib.import_module("keras_tuner")]
    while waiting:
        module = waiting.pop(0)
        yield module
        for name, value in vars(module).items():
            if isinstance(value, ModuleType) and not name.startswith("_") and name != "src":
                waiting.append(value)


def test_modules_have_the_names_of_keras_tuner() -> None:
    num_modules = 0
    for module in public_modules():
        suffix = module.__name__.removeprefix("keras_tuner")
        mine = importlib.import_module(f"eyetune.compat.keras_tuner{suffix}")
        names = {name for name in vars(module) if not name.startswith("_") and name != "src"}
        assert names <= set(dir(mine))
        assert all(getattr(mine, name) for name in names)
        num_modules += 1
    assert num_modules == 13


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        _ = ours.no_such_name
    with pytest.raises(AttributeError):
        _ = ours.engine.no_such_module
    assert ours.__version__ == metadata.version("keras-tuner") == "1.4.8"


def test_base_tuner_is_refused_at_use() -> None:
    with pytest.raises(UsageError) as caught:
        ours.engine.base_tuner.BaseTuner()
    assert "Tuner" in (caught.value.fix or "")
