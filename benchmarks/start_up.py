"""How long a command takes to begin: `eyetune --help`, `import eyetune` and, for scale, `import
keras`.

    python benchmarks/start_up.py

Medians of whole processes, with an empty Python process beside them. Target: `eyetune --help` under
0.3 s.
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


def seconds(words: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *words], capture_output=True, check=True)
    return time.perf_counter() - started


def main() -> None:
    print(f"{platform.platform()}, Python {platform.python_version()}, median of {ROUNDS}\n")
    for name, words in COMMANDS.items():
        seconds(words)  # the first one reads the files from disk
        times = [seconds(words) for _ in range(ROUNDS)]
        print(
            f"{name:<16} {statistics.median(times):.2f} s  ({min(times):.2f} to {max(times):.2f})"
        )


if __name__ == "__main__":
    main()
