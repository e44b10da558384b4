"""`eyetune lr-find`."""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.cli.conftest import SMALL, Terminal


def test_lr_find_suggests_a_rate_that_trains(
    eyetune: Terminal, archive: Path, tmp_path: Path
) -> None:
    recipe = ["--data", str(archive), "--optimizer", "sgd", "--learning-rate", "3"]
    recipe += ["--set", "optimizer.momentum=0.9", *SMALL]
    options = ["--steps", "120", "--largest", "3", "--output", str(tmp_path / "out")]
    value = eyetune.json("lr-find", *recipe, *options)
    rate = value["suggested_learning_rate"]
    assert value["usable_range"][0] <= rate <= value["usable_range"][1]
    assert value["steps_taken"] == len(value["rates"]) == len(value["smoothed_losses"])
    pictures = [Path(path) for path in value["pictures"]]
    assert {path.suffix for path in pictures} == {".png", ".svg"}
    for path in pictures:
        assert path.parent == tmp_path / "out"
        assert path.exists()
    assert eyetune.json("runs")["runs"] == []
    command = shlex.split(value["command"])[1:]
    assert eyetune(*command, "--epochs", "1") == 0
    (trained,) = eyetune.json("runs")["runs"]
    assert trained["recipe"]["optimizer"]["learning_rate"] == rate
    assert trained["recipe"]["optimizer"]["momentum"] == 0.9
    assert trained["recipe"]["model"]["dense"] == [{"units": 8}]


def test_lr_find_sets_the_schedule_aside(eyetune: Terminal, archive: Path) -> None:
    options = ["--set", "optimizer.schedule=cosine", "--set", "optimizer.learning_rate=5"]
    assert eyetune("lr-find", "--data", archive, *SMALL, *options, "--steps", "100") == 0
    for text in ("suggested rate", "usable range", "cosine", "eyetune train", "Picture:"):
        assert text in eyetune.output
    assert "learning_rate=5" not in eyetune.output
    assert "step  10/100" in eyetune.errors


def test_lr_find_suggests_nothing_where_no_loss_falls(eyetune: Terminal, archive: Path) -> None:
    options = ["--smallest", "1e-9", "--largest", "1e-8", "--steps", "20"]
    value = eyetune.json("lr-find", "--data", archive, *SMALL, *options)
    assert value["suggested_learning_rate"] is None
    assert value["command"] is None
