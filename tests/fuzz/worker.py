"""A worker of the fuzz suite: reads inputs of one kind, one after the other, within bounds.

It prints a line of JSON before and after each input. `suite.py` starts it, notices if it dies, and
ends it if it stays silent.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import resource
import shutil
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from random import Random
from typing import Any, TextIO

from eyetune.errors import EyetuneError
from tests.fuzz.kind import Kind
from tests.fuzz.kinds import kind_named

MAX_SECONDS = 20  # for an input
MAX_MEMORY_BYTES = 10**9  # for an input, above that of the worker
MAX_ADDRESS_BYTES = 4 * 10**9  # the same, reserved addresses included
# Limits of eyetune that a machine of any size holds, and that inputs exceed in a short time.
LIMITS = {
    "EYETUNE_MAX_IMAGE_PIXELS": "16_000_000",
    "EYETUNE_MAX_ARCHIVE_BYTES": "100_000_000",
    "EYETUNE_MAX_ARRAY_BYTES": "100_000_000",
    "EYETUNE_MAX_WEIGHTS_BYTES": "100_000_000",
}
FOREIGN, MEMORY = "another exception", "memory"


def main() -> None:
    """Read the inputs that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    report = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # readers may print; the standard output is for reports
    faulthandler.enable()
    warnings.simplefilter("ignore")
    kind = kind_named(options.kind)
    folder: Path = options.folder
    os.environ |= {
        **LIMITS,
        "EYETUNE_CACHE": str(folder / "cache"),
        "EYETUNE_WORKSPACE": str(folder / "default-workspace"),
    }
    (folder / "corpus").mkdir()
    corpus = kind.corpus(folder / "corpus")
    # What is imported and built at the first use does not count.
    _read(kind, _write(kind, corpus, Random(0), folder), folder)
    address_bytes = _status("VmSize") + MAX_ADDRESS_BYTES
    resource.setrlimit(
        resource.RLIMIT_AS, (address_bytes, resource.getrlimit(resource.RLIMIT_AS)[1])
    )
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ends_at = time.monotonic() + options.seconds
    for number in range(options.first, options.first + options.count):
        if time.monotonic() > ends_at:
            break
        random = Random(f"{options.seed}/{kind.name}/{number}")
        path = _write(kind, corpus, random, folder)
        _report(report, number=number)
        result = _read(kind, path, folder)
        if result["outcome"] in (FOREIGN, MEMORY):
            (folder / "input").rename(folder / f"found-{number}")
        _report(report, number=number, **result)


def _write(kind: Kind, corpus: Any, random: Random, folder: Path) -> Path:
    """Write an input and return its path."""
    target = folder / "input"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    return kind.write(random, corpus, target)


def _read(kind: Kind, path: Path, folder: Path) -> dict[str, Any]:
    """Read an input; return how it ended."""
    os.chdir(folder / "input")
    Path("/proc/self/clear_refs").write_text("5")  # the highest use of memory starts again
    before = _status("VmRSS")
    started = time.monotonic()
    faulthandler.dump_traceback_later(MAX_SECONDS, exit=True)
    result: dict[str, Any] = {"outcome": "value"}
    try:
        kind.read(path)
    except EyetuneError as error:
        result = {"outcome": "error", "error": type(error).__name__}
        if "MemoryError" in str(error):  # it was refused by the system, and not by a limit
            result = {"outcome": MEMORY, "trace": traceback.format_exc(limit=-30)[-6000:]}
        elif not str(error) or len(str(error)) > 10_000:
            start = str(error)[:1000]
            trace = f"{start}\nan error of {len(str(error)):,} characters"
            result = {"outcome": FOREIGN, "trace": trace}
    except Exception as error:
        trace = traceback.format_exc(limit=-30)[-6000:]
        result = {"outcome": FOREIGN, "error": type(error).__name__, "trace": trace}
    finally:
        faulthandler.cancel_dump_traceback_later()
        os.chdir(folder)
    used = _status("VmHWM") - before
    if used > MAX_MEMORY_BYTES:
        result = {"outcome": MEMORY, "trace": f"{used:,} bytes"}
    return {**result, "seconds": round(time.monotonic() - started, 3), "bytes": used}


def _status(name: str) -> int:
    """Return a value of this process in bytes, such as its resident memory."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def _report(stream: TextIO, **values: Any) -> None:
    stream.write(json.dumps(values) + "\n")
    stream.flush()


if __name__ == "__main__":
    tempfile.tempdir = None
    main()
