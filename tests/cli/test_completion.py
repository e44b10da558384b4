"""Shell completion: scripts that name the commands, and their installation."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(eyetune: Terminal, shell: str) -> None:
    assert eyetune("completion", shell) == 0
    for name in ("fit-check", "learning-rate", "evaluate"):
        assert name in eyetune.output
    script = eyetune.output
    assert eyetune.json("completion", shell)["script"] == script.removesuffix("\n")


def test_completion_in_bash_completes_a_command(eyetune: Terminal, tmp_path: Path) -> None:
    assert eyetune("completion", "bash") == 0
    path = tmp_path / "eyetune.bash"
    path.write_text(eyetune.output)
    script = (
        f"source {path}; COMP_WORDS=(eyetune eval); COMP_CWORD=1; _eyetune; echo ${{COMPREPLY[@]}}"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["evaluate"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_installs_below_the_home_folder(
    eyetune: Terminal, shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(("ZSH", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = Path(eyetune.json("completion", shell, "--install")["script"])
    assert path.is_relative_to(tmp_path)
    assert "evaluate" in path.read_text(encoding="utf-8")
