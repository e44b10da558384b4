"""Deploy with eyetune's command line as a user would, resume it, and verify on all test images.

Each deployment has a workspace of its own. A source tree is a checkout of eyetune, so that two
versions can be compared.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recorded import SOURCE_TREE, Result, commit, machine

NAME = "deployed"  # of the study, or of the run, in each workspace
ENDED_FILE = "ended.json"  # in the workspace, when the command that is measured has ended
FAILED_VERIFICATION = 1
SPEED_IMAGES = 40_000  # in the epoch whose duration names the speed of the machine
SPEED_SUBSET = 12_500  # of which 10,000 train
SPEED_EPOCHS = 5  # the first includes compilation and does not count


class CommandError(Exception):
    """A command of eyetune ended without a result; the message says which and why."""


def eyetune(*arguments: str, workspace: Path, source_tree: Path = SOURCE_TREE) -> Any:
    """Run a command of eyetune and return its JSON result. Its progress goes to standard error.

    Ctrl-C reaches the command too, and is raised here after the command has recorded its state.

    Raises:
        CommandError: It ended with an error.
    """
    command = [sys.executable, "-m", "eyetune", *arguments, "--json"]
    environment = {
        **os.environ,
        "EYETUNE_WORKSPACE": str(workspace),
        "PYTHONPATH": str(source_tree / "src"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            output, _ = process.communicate()
        except KeyboardInterrupt:
            process.wait()
            raise
        except SystemExit:
            process.terminate()
            raise
    result = json.loads(output) if output.strip() else {}
    error = result.get("error") if result else "no result"
    if isinstance(error, dict):
        error = error["message"]  # its details are on standard error
    if error or process.returncode not in (0, FAILED_VERIFICATION):
        raise CommandError(
            f"eyetune {' '.join(arguments)} ended with status {process.returncode}: {error}"
        )
    return result


def end_commands_with_this_process() -> None:
    """Make SIGTERM end the running command too: it would compete with a resumed deployment."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Terminated."))


def workspace_beside(results: Path, *names: str) -> Path:
    """Return the folder of a deployment's workspace, from a file of results and a name's parts."""
    name = re.sub(r"[^\w.+]+", "-", "-".join(filter(None, names)))
    return results.absolute().with_suffix("") / name


def deploy(
    arguments: Sequence[str],
    start: Sequence[str],
    workspace: Path,
    *,
    source_tree: Path = SOURCE_TREE,
) -> Result:
    """Deploy, or resume an interrupted deployment in the workspace, and return the outcome.

    Args:
        arguments: Arguments of `eyetune deploy` such as `--time`.
        start: More arguments, such as `--data`, that are left out when it is resumed.
        workspace: Folder of this deployment alone.
        source_tree: The checkout of eyetune to run.

    Returns:
        Wall time of the command in seconds, whether it was resumed (the time is then that of the
        last invocation), the number of trials and of their epochs, and the values of
        `verified_export`.

    Raises:
        CommandError: A command ended with an error.
    """
    options = ["--resume"] if _was_interrupted(workspace) else start
    command = ["deploy", *options, *arguments, "--name", NAME]
    ended = _timed(*command, workspace=workspace, source_tree=source_tree)
    study = eyetune("study", NAME, workspace=workspace, source_tree=source_tree)
    return {
        **ended["timing"],
        "num_trials": study["trials"],
        "num_trial_epochs": study["epochs_trained"],
        **verified_export(
            ended["result"]["run"],
            Path(ended["result"]["export"]["folder"]),
            ended["result"]["verification"],
            workspace=workspace,
            source_tree=source_tree,
        ),
    }


def train(arguments: Sequence[str], workspace: Path) -> Result:
    """Train a run, or resume it.

    Args:
        arguments: Arguments of `eyetune train` without `--name` and `--resume`.
        workspace: Folder of this training alone.

    Returns:
        "result", the JSON of the command; and "timing", its wall time in seconds and whether it was
        resumed (the time is then that of the last invocation).

    Raises:
        CommandError: The command ended with an error.
    """
    options = ["--resume", NAME] if _was_interrupted(workspace) else [*arguments, "--name", NAME]
    return _timed("train", *options, workspace=workspace)


def train_and_export(arguments: Sequence[str], workspace: Path, board: str) -> Result:
    """Train a run, or resume it, export it for a board and verify it; return the outcome.

    Args:
        arguments: Arguments of `eyetune train` without `--name` and `--resume`.
        workspace: Folder of this training alone.
        board: Name of the board.

    Returns:
        Wall time of the training in seconds, whether it was resumed (the time is then that of the
        last invocation), and the values of `verified_export`.

    Raises:
        CommandError: A command ended with an error.
    """
    ended = train(arguments, workspace)
    run = ended["result"]["run"]
    exported = eyetune("export", run, "--board", board, "--overwrite", workspace=workspace)
    folder = Path(exported["folder"])
    return {
        **ended["timing"],
        **verified_export(run, folder, {"num_images": 0}, workspace=workspace),
    }


def _was_interrupted(workspace: Path) -> bool:
    """Return whether there is something to resume; without it, begin with an empty workspace."""
    if (workspace / ENDED_FILE).exists():
        return False
    if any((workspace / "studies").glob("*")) or any((workspace / "runs").glob("*")):
        return True
    shutil.rmtree(workspace, ignore_errors=True)
    return False


def _timed(*arguments: str, workspace: Path, source_tree: Path = SOURCE_TREE) -> Result:
    """Run a command unless it has ended, and return its result and timing."""
    path = workspace / ENDED_FILE
    if path.exists():
        ended: Result = json.loads(path.read_text(encoding="utf-8"))
        return ended
    started = time.perf_counter()
    result = eyetune(*arguments, workspace=workspace, source_tree=source_tree)
    timing = {
        "seconds": time.perf_counter() - started,
        "resumed": "--resume" in arguments,
    }
    ended = {"timing": timing, "result": result}
    path.write_text(json.dumps(ended), encoding="utf-8")
    return ended


def verified_export(
    run: str,
    folder: Path,
    verification: Result,
    *,
    workspace: Path,
    source_tree: Path = SOURCE_TREE,
) -> Result:
    """Return what an export reaches on all test images and needs, and the network that it has.

    Args:
        run: Id of the exported run.
        folder: Folder of the export.
        verification: An earlier verification on test images; it is repeated if it left some out.
        workspace: Folder of the records.
        source_tree: The checkout of eyetune to run.
    """
    shown = eyetune("show", run, workspace=workspace, source_tree=source_tree)
    if verification["num_images"] < shown["data"]["num_test"]:
        verification = eyetune("verify", str(folder), workspace=workspace, source_tree=source_tree)
    arena = verification["arena"]
    return {
        "int8_accuracy": verification["int8_accuracy"],
        "float_accuracy": verification["float_accuracy"],
        "validation_accuracy": shown["validation_accuracy"],
        "num_test_images": verification["num_images"],
        "interpreter": verification["interpreter"],
        "verification_passed": verification["passed"],
        "model_bytes": (folder / "model.tflite").stat().st_size,
        "arena_bytes": arena["bytes"] if arena else verification["arena_limit_bytes"],
        "parameters": shown["parameters"],
        "macs": shown["macs"],
        "epochs": shown["epochs"],
        "precision": shown["precision"],
        "recipe": shown["recipe"],
    }


def conditions(source_tree: Path = SOURCE_TREE) -> Result:
    """Return the machine, its speed now, and the commit that is measured.

    The speed is the duration of an epoch of ResNet-8 on 40,000 images with flip and shift, from a
    short training with `precision = auto`. It needs about a minute.

    Args:
        source_tree: The checkout that is measured. The speed is always that of this one.
    """
    arguments = ["--model", "resnet8", "--batch-size", "128", "--subset", str(SPEED_SUBSET)]
    arguments += ["--epochs", str(SPEED_EPOCHS), "--set", "augment.flip=true"]
    arguments += ["--set", "augment.shift=4"]
    with tempfile.TemporaryDirectory() as workspace:
        run = eyetune("train", *arguments, workspace=Path(workspace))
    images_per_second = statistics.median(run["history"]["images_per_second"][1:])
    return {
        **machine(),
        "commit": commit(source_tree),
        "resnet8_epoch_seconds": SPEED_IMAGES / images_per_second,
        "resnet8_precision": run["precision"],
    }
