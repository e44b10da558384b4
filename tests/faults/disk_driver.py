"""Runs a command once for each of its writes, on a disk that is full from that write on.

    LD_PRELOAD=shim.so EYETUNE_SHIM_FOLDER=... python disk_driver.py FOLDER ATTEMPTS PART PARTS JSON

JSON holds the arguments of the command, those that continue it, and the table that says whether it
has begun; perhaps also those of a command whose workspace it needs. Keras is loaded once; each
attempt is a fork of this process, with a workspace of its own in FOLDER. The first one has enough
space and counts its writes. ATTEMPTS are divided among these (0: one for each write), and every
PARTS-th of them is made, beginning with the one at PART; then there is space again, and the command
continues. A line of JSON for each attempt goes to standard output: the write, the exit statuses,
and what the command printed.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import shutil
import sqlite3
import sys
import traceback
from pathlib import Path
from typing import Any

SHIM = ctypes.CDLL(None)


def main() -> None:
    """Make the attempts, the first one with enough space."""
    folder, commands = Path(sys.argv[1]), json.loads(sys.argv[5])
    num_attempts, part, num_parts = map(int, sys.argv[2:5])
    import keras  # noqa: F401
    import sqlalchemy  # noqa: F401

    prepared = folder / "prepared"
    if "prepare" in commands:
        attempt(prepared, commands["prepare"], 0)
    whole = begun(folder / "0", prepared, commands["begin"], 0)
    print(json.dumps({"write": 0, **whole}), flush=True)
    num_writes = whole["num_writes"]
    num_attempts = num_attempts or num_writes
    for i in range(part, num_attempts, num_parts):
        number = 1 + i * num_writes // num_attempts
        workspace = folder / str(number)
        result = begun(workspace, prepared, commands["begin"], number)
        continued = result
        if result["status"]:
            has_begun = is_recorded(workspace, commands["table"])
            continuation = commands["continue" if has_begun else "begin"]
            continued = attempt(workspace, continuation, 0)
        print(json.dumps({"write": number, **result, "continued": continued}), flush=True)


def begun(workspace: Path, prepared: Path, arguments: list[str], full_from: int) -> dict[str, Any]:
    """Run a command in a workspace of its own, and return what `attempt` does."""
    if prepared.exists():
        shutil.copytree(prepared, workspace)
    return attempt(workspace, arguments, full_from)


def is_recorded(workspace: Path, table: str) -> bool:
    """Return whether a table of a workspace has a row."""
    path = workspace / "eyetune.sqlite"
    if not path.exists():
        return False
    with contextlib.closing(sqlite3.connect(path)) as connection:
        try:
            return bool(connection.execute(f"select count(*) from {table}").fetchone()[0])
        except sqlite3.OperationalError:  # there is no such table yet
            return False


def attempt(workspace: Path, arguments: list[str], full_from: int) -> dict[str, Any]:
    """Run a command in a fork, and return its status and what it printed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as stream:
            json.dump(run(workspace, arguments, full_from), stream)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    crashed = {"status": -1, "errors": "it crashed", "is_odd": True, "num_writes": 0}
    return json.loads(text) if text else crashed


def run(workspace: Path, arguments: list[str], full_from: int) -> dict[str, Any]:
    """Run a command in this process."""
    from eyetune.cli.main import run as run_command

    os.environ["EYETUNE_WORKSPACE"] = str(workspace)
    output, errors = io.StringIO(), io.StringIO()
    SHIM.shim_arm(ctypes.c_long(full_from))
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            status = run_command(arguments)
        except BaseException:
            traceback.print_exc()
            status = -1
    num_writes = SHIM.shim_count()
    SHIM.shim_arm(ctypes.c_long(0))
    printed = errors.getvalue()
    is_odd = status == -1 or "nternal error" in printed or "Traceback" in printed
    return {
        "status": status,
        "errors": printed[-2000:],
        "is_odd": is_odd,
        "num_writes": num_writes,
    }


if __name__ == "__main__":
    main()
