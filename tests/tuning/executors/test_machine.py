"""Cores and memory of a machine or container."""

from __future__ import annotations

import os
from pathlib import Path

from eyetune.tuning.executors.machine import memory_bytes, usable_cores


def test_a_container_has_its_cores_and_memory(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text("1000000000\n")
    assert usable_cores(tmp_path) == 1
    assert memory_bytes(tmp_path) == 1_000_000_000


def test_without_limits_the_machine_counts(tmp_path: Path) -> None:
    cores, memory = usable_cores(tmp_path), memory_bytes(tmp_path)
    assert cores == len(os.sched_getaffinity(0))
    assert memory > 1_000_000_000
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert (usable_cores(tmp_path), memory_bytes(tmp_path)) == (cores, memory)
