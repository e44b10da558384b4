"""Commands in processes of their own, as a user starts them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

# A shell starts jobs in the background with SIGINT ignored, and so would be what these tests start.
_HEAR_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
_DRAW_NOTHING = (
    "from importlib import import_module; "
    "import_module('eyetune.api.tune').draw = lambda *_, **__: None"
)
_RUN = "from eyetune.cli.main import main; main()"


def command(*arguments: str | Path, pictures: bool = True) -> list[str]:
    """Return the arguments of a process that runs a command and ends with Ctrl-C.

    Args:
        arguments: The arguments of `eyetune`.
        pictures: Whether a study ends with pictures and a report, which take longer than a tiny
            search.
    """
    program = [_HEAR_CTRL_C, _RUN] if pictures else [_HEAR_CTRL_C, _DRAW_NOTHING, _RUN]
    return [sys.executable, "-c", "; ".join(program), *map(str, arguments)]


def call(*arguments: str | Path, pictures: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command and return how it ended, and what it wrote."""
    process = command(*arguments, pictures=pictures)
    return subprocess.run(process, capture_output=True, text=True, check=False, timeout=300)


def finish(*arguments: str | Path, pictures: bool = True) -> Any:
    """Run a command that must succeed, and return its JSON object."""
    done = call(*arguments, "--json", pictures=pictures)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def started(
    *arguments: str | Path, errors: IO[str] | int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    """Start a command without pictures; it is killed at the end of the block.

    Args:
        arguments: The arguments of `eyetune`.
        errors: Where it writes its standard error: a file, if it may write much before it is read.
    """
    with subprocess.Popen(
        command(*arguments, pictures=False),
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
