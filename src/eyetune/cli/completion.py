"""`eyetune completion`: complete commands and options in the shell."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from eyetune.cli.common import Common

_NO_COMMON = Common()


def completion(
    shell: Literal["bash", "zsh", "fish"],
    /,
    *,
    install: Annotated[bool, Parameter(negative="")] = False,
    common: Common = _NO_COMMON,
) -> None:
    """Print or install completion for bash, zsh or fish.

    For example:

        eyetune completion bash --install
        eyetune completion fish > ~/.config/fish/completions/eyetune.fish

    Parameters
    ----------
    shell
        The shell that you use.
    install
        Write the script to the shell's folder for completions, and for bash and zsh a line into
        its startup file that loads it.
    """
    from eyetune.cli.main import app

    if install:
        path = app.install_completion(shell=shell)  # nosec B604  # the name of a shell
        common.show(
            {"shell": shell, "script": str(path)},
            f"Installed {path}. Start a new {shell} to use it.",
        )
        return
    script = app.generate_completion(shell=shell)  # nosec B604  # the name of a shell
    if common.json:
        common.show({"shell": shell, "script": script})
    else:
        print(script)
