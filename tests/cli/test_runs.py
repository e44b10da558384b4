"""`eyetune runs`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import SMALL, Terminal


def test_runs_lists_filters_deletes_and_restores(eyetune: Terminal, archive: Path) -> None:
    ids = [
        eyetune.json("train", "--data", archive, "--epochs", "1", *SMALL, "--seed", seed)["run"]
        for seed in "01"
    ]
    assert [one["run"] for one in eyetune.json("runs")["runs"]] == ids
    assert [one["run"] for one in eyetune.json("runs", "--filter", "seed=1")["runs"]] == ids[1:]
    assert [
        one["run"] for one in eyetune.json("runs", "--sort", "seed", "--reverse")["runs"]
    ] == ids[::-1]
    assert eyetune("runs", "delete", ids[0]) == 0
    assert f"eyetune runs restore {ids[0]}" in eyetune.errors
    assert [one["run"] for one in eyetune.json("runs")["runs"]] == ids[1:]
    assert [one["run"] for one in eyetune.json("runs", "--deleted")["runs"]] == ids[:1]
    assert eyetune("runs", "restore", ids[0]) == 0
    assert eyetune("runs", "delete", *ids, "--purge") == 0
    assert eyetune.json("runs")["runs"] == []
    assert eyetune("runs") == 0
    assert "Begin with" in eyetune.output
