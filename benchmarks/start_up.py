"""Start-up time of `eyetune --help`, `import eyetune` and, for comparison, `import keras`.

    python benchmarks/start_up.py

Prints medians over processes, and that of an empty Python process. Target: `eyetune --help` takes
less than 0.3 s.
"""

from __future__ import annotations

import platform
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import eyetune": ["-c", "import eyetune"],
    "eyetune --help": ["-m", "eyetune", "--help"],
    "eyetune recipe": ["-m", "eyetune", "recipe"],
    "import keras": ["-c", "import keras"],
}
ROUNDS = 7


def measure_seconds(arguments: list[str]) -> float:
    """Return the wall time of Python with these arguments."""
    started_at = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    return time.perf_counter() - started_at


def main() -> None:
    print(f"{platform.platform()}, Python {platform.python_version()}, median of {ROUNDS}\n")
    for name, arguments in COMMANDS.items():
        measure_seconds(arguments)  # the first process reads the files from disk
        seconds = [measure_seconds(arguments) for _ in range(ROUNDS)]
        spread = f"({min(seconds):.2f} to {max(seconds):.2f})"
        print(f"{name:<16} {statistics.median(seconds):.2f} s  {spread}")


if __name__ == "__main__":
    main()
