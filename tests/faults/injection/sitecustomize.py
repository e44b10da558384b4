"""Injects faults into a process: Python imports this module at its start, from PYTHONPATH.

The environment variable EYETUNE_FAULTS holds a JSON object:

    {
      "skip": ["eyetune.api.tune:draw"],
      "set": {"eyetune.tuning.final_training:MAX_FINAL_EPOCHS": 3},
      "faults": [
        {"at": "eyetune.training.checkpoint:save", "when": "after", "nth": 2, "min_epochs": 1,
         "signal": 9, "marker": "/tmp/x/1"}
      ]
    }

A function that is skipped does nothing. A fault sends a signal to the process that calls a function
for the n-th time: `before` it runs, `after` it has returned, or `half`: the file or folder that it
yields, whose name contains `file`, has been written, cut in half, and not yet renamed. Calls with
nothing to write do not count, nor those before the database in EYETUNE_FAULTS_DATABASE holds
`min_epochs` epochs. A fault happens once: its marker is a file that is created just before, with
the number of epochs then.

Functions are patched when their module has been executed, before others import them from it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.abc
import importlib.util
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

VARIABLE = "EYETUNE_FAULTS"
DATABASE = "EYETUNE_FAULTS_DATABASE"
SECONDS_TO_DIE = 60.0

Patch = Callable[[ModuleType], None]


class PatchingFinder(importlib.abc.MetaPathFinder):
    """Patches modules right after they have been executed."""

    def __init__(self, patches: dict[str, list[Patch]]) -> None:
        self._patches = patches
        self._active: set[str] = set()

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 (of the interface)
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname not in self._patches or fullname in self._active:
            return None
        self._active.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._active.discard(fullname)
        if spec is None or spec.loader is None:
            return None
        loader = spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            for patch in self._patches[fullname]:
                patch(module)

        loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install(faults: dict[str, Any]) -> None:
    """Patch what a JSON object names, as its modules are imported."""
    patches: dict[str, list[Patch]] = {}
    for place in faults.get("skip", []):
        add(patches, place, lambda _: lambda *_arguments, **_named: None)
    for place, value in faults.get("set", {}).items():
        add(patches, place, functools.partial(replaced, value))
    for fault in faults.get("faults", []):
        add(patches, fault["at"], functools.partial(with_fault, fault))
    sys.meta_path.insert(0, PatchingFinder(patches))


def add(patches: dict[str, list[Patch]], place: str, change: Callable[[Any], Any]) -> None:
    """Let a place, `module:name` or `module:Class.name`, be changed when its module is there."""
    module_name, _, path = place.partition(":")
    *owners, name = path.split(".")

    def patch(module: ModuleType) -> None:
        owner: Any = module
        for part in owners:
            owner = getattr(owner, part)
        setattr(owner, name, change(getattr(owner, name)))

    patches.setdefault(module_name, []).append(patch)


def replaced(value: Any, _: Any) -> Any:
    """Return a value in place of another one."""
    return value


def with_fault(fault: dict[str, Any], function: Any) -> Any:
    """Return a function with a fault in it."""
    calls = 0

    def is_due(*arguments: Any) -> bool:
        nonlocal calls
        last = arguments[-1] if arguments else None
        has_nothing = isinstance(last, list | tuple) and not last
        if has_nothing or calls > fault["nth"] or num_epochs() < fault["min_epochs"]:
            return False
        calls += 1
        return calls == int(fault["nth"])

    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        due = is_due(*arguments)
        if due and fault["when"] == "before":
            strike(fault)
        value = function(*arguments, **named)
        if due and fault["when"] == "after":
            strike(fault)
        return value

    @contextlib.contextmanager
    def yielded(*arguments: Any, **named: Any) -> Iterator[Any]:
        with function(*arguments, **named) as path:
            due = fault.get("file", "") in path.name and is_due()
            yield path
            if due:
                strike(fault, lambda: cut_in_half(path))

    return yielded if fault["when"] == "half" else called


def cut_in_half(path: Any) -> None:
    """Cut a file in half, unless it is a link to a whole one."""
    if path.is_file() and path.stat().st_nlink == 1:
        os.truncate(path, path.stat().st_size // 2)


def strike(fault: dict[str, Any], before: Callable[[], None] = lambda: None) -> None:
    """Do what comes before the signal, and send it, unless it has been sent before.

    Another process may have met the same fault: then nothing happens to this one.
    """
    try:
        marker = os.open(fault["marker"], os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return
    os.write(marker, str(num_epochs()).encode())
    os.close(marker)
    before()
    number = fault["signal"]
    os.kill(os.getpid(), number)
    if number in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP):
        time.sleep(SECONDS_TO_DIE)  # nothing more happens here


def num_epochs() -> int:
    """Return how many epochs are recorded; 0 where the database is missing or just written."""
    try:
        connection = sqlite3.connect(f"file:{os.environ[DATABASE]}?mode=ro", uri=True, timeout=0.0)
        with contextlib.closing(connection):
            return int(connection.execute("select count(*) from epochs").fetchone()[0])
    except sqlite3.Error:
        return 0


if VARIABLE in os.environ:
    install(json.loads(os.environ[VARIABLE]))
