"""What `make demo` shows: from handwritten digits to a verified network for a board, in minutes."""

from __future__ import annotations

import shlex
import sys

from eyetune.cli.main import run

STEPS = {
    "Which technique helps? A dozen are tried, combined, and compared on test images.": (
        "eyetune lab --data digits --quick --final-seeds 6"
    ),
    "Does the best network fit a camera board?": "eyetune fit-check latest --board esp-eye",
    "Convert it to 8-bit integers, with firmware around it.": (
        "eyetune export latest --board esp-eye --output eyetune-workspace/firmware --overwrite"
    ),
    "What will the board answer? Its interpreter classifies the test images.": (
        "eyetune verify eyetune-workspace/firmware"
    ),
    "Write a report with all pictures.": "eyetune report",
}
NEXT = {
    "eyetune serve": "look at everything in a browser",
    "eyetune train latest --epochs 20": "train the best network for longer",
    "eyetune deploy --data FOLDER --board esp-eye --time 20m": "the same for your own photos",
}


def main() -> int:
    """Run the steps, and return the exit status."""
    for title, command in STEPS.items():
        print(
            f"\n\033[1m{title}\033[0m\n$ {command}\n"
            if sys.stdout.isatty()
            else f"\n{title}\n$ {command}\n",
            flush=True,
        )
        status = run(shlex.split(command)[1:])
        if status:
            return status
    print("\nThree things to try next (source .venv/bin/activate):")
    width = max(map(len, NEXT))
    for command, effect in NEXT.items():
        print(f"  {command:<{width}}   # {effect}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
