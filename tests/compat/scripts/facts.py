"""How the scripts report what happened: facts for the comparison, notes from inside trainings.

Both are lines of JSON in files, so that any process can write them.
"""

import json
import os
from pathlib import Path

import numpy as np

FOLDER = Path(os.environ.get("COMPAT_FOLDER", "."))


def fact(name, value):
    """Report a fact that must be the same under KerasTuner and under eyetune."""
    _append("facts.jsonl", name, value)


def note(name, value=None):
    """Note something for later, for example in a callback or in `HyperModel.fit`."""
    _append("notes.jsonl", name, value)


def notes(name):
    """Return the values of all notes of this name, in the order in which they were written."""
    path = FOLDER / "notes.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    written = [json.loads(line) for line in lines]
    return [value for written_name, value in written if written_name == name]


def distinct(values):
    """Return the distinct values in a fixed order."""
    return sorted({json.dumps(value, sort_keys=True): value for value in values}.values(), key=str)


def _append(file_name, name, value):
    line = json.dumps([name, value], default=_plain)
    with (FOLDER / file_name).open("a") as stream:
        stream.write(line + "\n")


def _plain(value):
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if hasattr(value, "numpy"):
        return _plain(value.numpy())
    return str(value)
