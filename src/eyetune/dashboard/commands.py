"""Commands of eyetune in processes of their own, as a user would type them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eyetune.errors import EyetuneError

TIMEOUT_SECONDS = 120.0


async def json_of(*arguments: str, workspace: Path) -> dict[str, Any]:
    """Run a command with --json, and return its object.

    Args:
        arguments: The command and its arguments.
        workspace: Folder of the workspace.

    Raises:
        EyetuneError: The command failed, or took too long.
    """
    command = [sys.executable, "-m", "eyetune", *arguments, "--json", "--workspace", str(workspace)]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise EyetuneError(
            f"eyetune {arguments[0]} took longer than {TIMEOUT_SECONDS:.0f} seconds.",
            fix=f"Run it in a terminal: eyetune {' '.join(arguments)}",
        ) from None
    try:
        value = json.loads(output)
    except ValueError:
        value = None
    if not isinstance(value, Mapping):
        raise EyetuneError(
            f"eyetune {arguments[0]} ended with status {process.returncode} and without a result.",
            fix=f"Run it in a terminal: eyetune {' '.join(arguments)}",
        )
    if "error" in value:
        raise EyetuneError(value["error"]["message"], fix=value["error"].get("fix"))
    return dict(value)
