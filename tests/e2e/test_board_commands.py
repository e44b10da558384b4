"""The way to a board on the command line: one JSON object, and the exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eyetune.api.fit_check import fit_check
from eyetune.api.run import Run
from eyetune.cli.main import run
from eyetune.device.export.export_folder import MODEL
from tests.e2e.conftest import Show

pytestmark = pytest.mark.slow


def eyetune(*arguments: str | Path) -> tuple[int, Any, str]:
    """Run a command with --json in a process of its own.

    Returns:
        Its exit status, the object on standard output, and the text on standard error.
    """
    environment = {
        name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"
    }
    command = [sys.executable, "-m", "eyetune", *map(str, arguments), "--json"]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=280
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def test_commands_lead_from_a_run_to_verified_firmware(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, show: Show
) -> None:
    folder = tmp_path / "firmware"
    needs = fit_check(trained).footprint
    monkeypatch.setenv("EYETUNE_WORKSPACE", str(trained.workspace.folder))
    status, export, errors = eyetune("export", trained.id, "--output", folder, "--format", "c")
    assert status == 0, errors
    assert export["flash_bytes"] == (folder / MODEL).stat().st_size
    # The trained network has few zero biases, which the converter leaves out.
    assert export["flash_bytes"] == pytest.approx(needs.flash_bytes, rel=0.06)
    assert "Saved artifact" not in errors  # a message of Keras

    result = show("verify", folder, "--images", "10")
    assert (result["passed"], result["num_images"]) == (True, 10)


def test_board_commands_reject_invalid_arguments(
    trained: Run,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "firmware"
    monkeypatch.setenv("EYETUNE_WORKSPACE", str(trained.workspace.folder))

    def answer(*arguments: str | Path) -> tuple[int, Any]:
        status = run([*map(str, arguments), "--json"])
        return status, json.loads(capfd.readouterr().out)

    export = ("export", trained.id, "--output", folder, "--format", "c")
    assert answer(*export)[0] == 0
    status, refused = answer(*export)
    assert status == 2
    assert "--overwrite" in refused["error"]["fix"]

    both = ("export", trained.id, "--format", "keras", "--format", "c")
    for arguments in (both, ("export", "network.keras"), (*export, "--data", "digits")):
        status, refused = answer(*arguments)
        assert status == 2
        assert "fix" in refused["error"]
    status, files = answer("export", trained.id, "--output", tmp_path / "m", "--format", "keras")
    assert status == 0
    assert (tmp_path / "m" / "model.keras").is_file()
    assert files["files"] == ["model.keras", "labels.txt"]

    file = ("verify", tmp_path / "m" / "model.keras")
    assert answer(*file)[0] == answer("verify", folder, "--data", "digits")[0] == 2
    source = trained.recipe.data.source
    status, result = answer(*file, "--data", source, "--images", "3")
    assert (status, result["passed"], result["num_images"]) == (0, True, 3)

    other = tmp_path / "from-a-file"
    from_file = ("export", file[1], "--output", other, "--format", "c")
    assert answer(*from_file)[0] == 2
    status, exported = answer(*from_file, "--data", source)
    assert (status, exported["run"], exported["label"]) == (0, None, "model.keras")
    status, result = answer("verify", other, "--images", "3")
    assert (status, result["passed"]) == (0, True)

    content = bytearray((folder / MODEL).read_bytes())
    content[-1] ^= 1
    (folder / MODEL).write_bytes(content)
    status, result = answer("verify", folder, "--images", "3")
    assert (status, result["passed"]) == (1, False)

    status, refused = answer("flash", folder)
    assert status == 2
    assert "fix" in refused["error"]
