"""Commands of eyetune in processes of their own, as a user would type them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from eyetune.errors import EyetuneError

# With -P, no module is imported from the working directory, where other people's files may be.
EYETUNE = (sys.executable, "-P", "-m", "eyetune")
TIMEOUT_SECONDS = 120.0
MAX_COMMANDS = 4  # at the same time; more wait
_turns = asyncio.Semaphore(MAX_COMMANDS)


async def json_of(*arguments: str, workspace: Path) -> dict[str, Any]:
    """Run a command with --json, and return its object.

    Args:
        arguments: The command and its arguments.
        workspace: Folder of the workspace.

    Raises:
        EyetuneError: The command failed, or took too long.
    """
    async with _turns:
        output, status = await _output_of(*arguments, "--json", "--workspace", str(workspace))
    try:
        value = json.loads(output)
    except ValueError:
        value = None
    if not isinstance(value, Mapping):
        raise EyetuneError(
            f"eyetune {arguments[0]} ended with status {status} and without a result.",
            fix=f"Run it in a terminal: eyetune {' '.join(arguments)}",
        )
    if "error" in value:
        raise EyetuneError(value["error"]["message"], fix=value["error"].get("fix"))
    return dict(value)


async def _output_of(*arguments: str) -> tuple[bytes, int | None]:
    """Run a command, and return what it prints and its exit status; it never outlives the call.

    Raises:
        EyetuneError: It took too long.
    """
    process = await asyncio.create_subprocess_exec(
        *EYETUNE,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_SECONDS)
        return output, process.returncode
    except TimeoutError:
        raise EyetuneError(
            f"eyetune {arguments[0]} took longer than {TIMEOUT_SECONDS:.0f} seconds.",
            fix=f"Run it in a terminal: eyetune {' '.join(arguments)}",
        ) from None
    finally:
        with suppress(ProcessLookupError):  # it has ended
            process.kill()
