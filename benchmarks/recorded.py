"""Results of long benchmarks in a file, so that an interrupted benchmark skips what it has done.

A result is a JSON object on a line of its own: values that identify the measurement, such as its
seed, and the measured ones.
"""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

SOURCE_TREE = Path(__file__).resolve().parents[1]
NAMED_CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")

Result = dict[str, Any]


def read_results(path: Path | None) -> list[Result]:
    """Return the results in a file, in the order in which they were added.

    Args:
        path: The file. There are no results if it is None or does not exist.
    """
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in _whole_lines(path).splitlines()]


def add_result(path: Path | None, result: Result) -> None:
    """Append a result to a file, in place of a line that was interrupted; None writes nothing."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.truncate(len(_whole_lines(path)))
        file.write(json.dumps(result).encode() + b"\n")


def _whole_lines(path: Path) -> bytes:
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1]


def measured(path: Path | None, key: Result, measure: Callable[[], Result]) -> Result:
    """Return a result from a file; if it is not there, measure it and add it to the file.

    Args:
        path: The file; None repeats every measurement.
        key: Values that identify the measurement. The other values are its outcome.
        measure: Returns the outcome.
    """
    for result in read_results(path):
        if all(name in result and result[name] == value for name, value in key.items()):
            return result
    result = {**key, **measure()}
    add_result(path, result)
    return result


def machine() -> Result:
    """Return what a measurement depends on: processor, usable cores and version of TensorFlow."""
    from eyetune.tuning.executors.machine import usable_cores
    from eyetune.values.versions import library_versions

    tensorflow = library_versions("tensorflow", "tensorflow-cpu")
    return {
        "cpu": _cpu(),
        "cores": usable_cores(),
        "tensorflow": next(iter(tensorflow.values()), "not installed"),
    }


def _cpu() -> str:
    """Return the processor's model, with those of its instructions that matter."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    pairs = (line.partition(":") for line in reversed(lines) if ":" in line)
    about = {name.strip(): value.strip() for name, _, value in pairs}
    flags = about.get("flags", "").split()
    numbers = f"family {about.get('cpu family', '?')}, model {about.get('model', '?')}"
    named = " ".join(flag for flag in NAMED_CPU_FLAGS if flag in flags)
    return f"{about.get('model name', platform.machine())} ({numbers}; {named})"


def commit(source_tree: Path = SOURCE_TREE) -> str:
    """Return the commit of a source tree, with "-dirty" if its files differ from the commit."""
    command = ["git", "-C", str(source_tree), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
