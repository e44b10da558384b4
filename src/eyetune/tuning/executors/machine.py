"""How many cores and how much memory this process may use, on a machine or in a container."""

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
    limits = [int(word) for path in files for word in _words(path) if word.isdigit()]
    return min([int(psutil.virtual_memory().total), *limits])


def _quotas(cgroups: Path) -> list[int]:
    """Return the cores' worth of time that a container may take, for each limit that is set."""
    second = _words(cgroups / "cpu.max")
    first = [
        *_words(cgroups / "cpu" / "cpu.cfs_quota_us"),
        *_words(cgroups / "cpu" / "cpu.cfs_period_us"),
    ]
    pairs = [
        words
        for words in (second, first)
        if len(words) == 2 and all(word.isdigit() for word in words)
    ]
    return [math.ceil(int(quota) / int(period)) for quota, period in pairs]


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:  # another system, or no such limit
        return []
