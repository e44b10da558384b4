"""Errors of the estimated size and arena, on networks that the estimates were not fitted to.

    python benchmarks/footprint_errors.py
    python benchmarks/footprint_errors.py --write tests/device/estimate/measured_footprints.json

Each network of `eyetune.testing.networks` is converted to int8 and measured in TensorFlow Lite
Micro, in about a second. `--write` stores the measurements, which a test compares with the
estimates. A network that cannot be judged from its layers, or that no board can use after its
conversion, is listed without errors. Target: the estimate of the tensors is exact for all others.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from eyetune.device.estimate.footprint import footprint
from eyetune.device.export import tflm
from eyetune.device.export.measured_footprint import measured_footprint
from eyetune.errors import EyetuneError
from eyetune.testing.networks import NUM_RANDOM_NETWORKS, random_network

Measured = dict[str, int | None]


def measure(number: int) -> Measured:
    """Return what a network needs after its conversion; None for all sizes if it is of no use."""
    try:
        needs = measured_footprint(random_network(number))
    except EyetuneError:
        return {"number": number, "flash_bytes": None, "head_bytes": None, "tail_bytes": None}
    return {
        "number": number,
        "flash_bytes": needs.flash_bytes,
        "head_bytes": needs.head_bytes,
        "tail_bytes": needs.tail_bytes,
    }


def show(measured: Measured) -> None:
    """Print the errors of the estimates of one network."""
    number = measured["number"]
    assert number is not None
    needs = footprint(random_network(number))
    flash, head, tail = (measured[f"{name}_bytes"] for name in ("flash", "head", "tail"))
    if needs.unknown or flash is None or head is None or tail is None:
        print(f"{number:>3}  cannot be judged: {', '.join(needs.unknown)}")
        return
    arena = head + tail
    print(
        f"{number:>3}  {flash:>9,} {needs.flash_bytes / flash - 1:+8.2%}"
        f"  {head:>9,} {needs.head_bytes - head:+6,}"
        f"  {arena:>9,} {needs.arena_bytes / arena - 1:+8.2%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--write", type=Path, help="file for the measurements")
    arguments = parser.parse_args()
    print(f"{tflm.version()}\n")
    print("no.       flash    error    tensors  error      arena    error")
    results = []
    for number in range(NUM_RANDOM_NETWORKS):
        measured = measure(number)
        show(measured)
        results.append(measured)
    if arguments.write:
        content: dict[str, Any] = {"interpreter": tflm.version(), "networks": results}
        arguments.write.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
