"""Cores and memory that this process may use, on a machine or in a container."""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def usable_cores(cgroups: Path = CGROUPS) -> int:
    """Return how many cores this process may use, at least 1.

    Args:
        cgroups: Where Linux shows the limits of a container.
    """
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return max(1, min([cores, *_quotas(cgroups)]))


def memory_bytes(cgroups: Path = CGROUPS) -> int:
    """Return how much memory this process may use.

    Args:
        cgroups: Where Linux shows the limits of a container.

    Source:
        https://docs.kernel.org/admin-guide/cgroup-v2.html (memory.max, cpu.max), and its first
        version.
    """
    import psutil

    files = (cgroups / "memory.max", cgroups / "memory" / "memory.limit_in_bytes")
    limits = [int(field) for path in files for field in _fields(path) if field.isdigit()]
    return min([int(psutil.virtual_memory().total), *limits])


def _quotas(cgroups: Path) -> list[int]:
    """Return the cores that a container may use, for each limit that is set."""
    second = _fields(cgroups / "cpu.max")
    first = [
        *_fields(cgroups / "cpu" / "cpu.cfs_quota_us"),
        *_fields(cgroups / "cpu" / "cpu.cfs_period_us"),
    ]
    pairs = [
        fields
        for fields in (second, first)
        if len(fields) == 2 and all(field.isdigit() for field in fields)
    ]
    return [math.ceil(int(quota) / int(period)) for quota, period in pairs]


def _fields(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:  # another system, or no such limit
        return []
