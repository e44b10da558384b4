"""The way to a board from the command line: one JSON object is printed, and the exit status says
how it went.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eyetune.api.run import Run
from eyetune.device.export.export_folder import MODEL

pytestmark = pytest.mark.slow


def eyetune(*words: str | Path, workspace: Path) -> tuple[int, Any, str]:
    """Run a command as a user does, with --json; return its status, its object and what it said
    besides.
    """
    settings = {**os.environ, "EYETUNE_WORKSPACE": str(workspace)}
    settings.pop("TF_CPP_MIN_LOG_LEVEL", None)
    program = "import sys; from eyetune.cli.main import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, *map(str, words), "--json"]
    done = subprocess.run(
        command, env=settings, capture_output=True, text=True, check=False, timeout=280
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def test_from_a_run_to_proven_firmware(trained: Run, tmp_path: Path) -> None:
    place, home = tmp_path / "firmware", trained.workspace.folder
    status, fits, _ = eyetune("fit-check", trained.id, "--board", "esp-eye", workspace=home)
    assert (status, fits["fits"]) == (0, True)
    status, done, said = eyetune(
        "export", trained.id, "--output", place, "--format", "c", workspace=home
    )
    assert status == 0, said
    assert done["flash_bytes"] == (place / MODEL).stat().st_size
    assert (
        abs(done["flash_bytes"] / fits["flash_bytes"] - 1) < 0.06
    )  # of an untrained network's few zero biases
    assert "Saved artifact" not in said
    status, proof, said = eyetune("verify", place, "--images", "10", workspace=home)
    assert (status, proof["passed"], proof["num_images"]) == (0, True, 10), said
    status, again, _ = eyetune("export", trained.id, "--output", place, workspace=home)
    assert status == 2
    assert "already" in again["error"]["what"]
    content = bytearray((place / MODEL).read_bytes())
    content[-1] ^= 1
    (place / MODEL).write_bytes(content)
    status, proof, _ = eyetune("verify", place, "--images", "3", workspace=home)
    assert (status, proof["passed"]) == (1, False)
    status, refused, _ = eyetune("flash", place, workspace=home)
    assert status != 0
    assert "fix" in refused["error"]


def test_a_network_that_does_not_fit_has_status_1_and_a_reason() -> None:
    status, found, _ = eyetune("fit-check", "vgg16", "--board", "esp-eye", workspace=Path("unused"))
    assert status == 1
    assert not found["fits"]
    assert "flash" in found["reasons"][0]


def test_the_labs_network_is_judged_as_it_was_measured() -> None:
    status, found, _ = eyetune("fit-check", "lab", workspace=Path("unused"))
    assert status == 0
    assert abs(found["arena_bytes"] / 39_696 - 1) < 0.05
    assert abs(found["flash_bytes"] / 174_496 - 1) < 0.03
    assert 0 < found["latency_error"] < found["latency_ms"]
