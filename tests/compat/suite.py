"""The compatibility suite: each script runs under KerasTuner and under eyetune.

    python -m tests.compat.suite                   # all cases
    python -m tests.compat.suite --budget small    # a part of them
    python -m tests.compat.suite data_* guide_*    # these cases

The exit status is 1 if a case differs silently, or does something else than it declares: then
either eyetune is wrong, or the declaration in the script must follow (`--accept` changes those
whose case is now the same).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from tests.compat.cases import Case, Ended, Judged, Outcome, judge, read_cases
from tests.compat.running import EYETUNE, KERAS_TUNER, Running, poll, preload, start, stop

POLL_SECONDS = 0.05
MARKS = {True: "ok", False: "NOT AS DECLARED"}
EXPECTED_LINE = re.compile(r"^# expected: .*(?:\n#   .*)*$", re.M)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite and print a line per case and a summary; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", nargs="*", help="names or patterns of cases; default: all")
    parser.add_argument("--budget", choices=("small", "full"), default="full")
    parser.add_argument("--slots", type=int, default=2, help="cases that run at a time")
    parser.add_argument("--keras-tuner-only", action="store_true", help="check the scripts alone")
    parser.add_argument("--accept", action="store_true", help="declare cases that are now the same")
    parser.add_argument("--keep", type=Path, help="a new folder for what the scripts write")
    options = parser.parse_args(arguments)
    cases = _chosen(read_cases(), options.cases, options.budget)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="eyetune-compat-"))
    started = time.monotonic()
    preload()
    try:
        if options.keras_tuner_only:
            return _check_scripts(cases, folder.resolve(), options.slots)
        judged = []
        for result in _results(cases, folder.resolve(), options.slots):
            judged.append(result)
            print(_line(result), flush=True)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if options.accept:
        accept(judged)
    print(summary(judged, time.monotonic() - started))
    return exit_status(judged)


def _chosen(cases: Sequence[Case], patterns: Sequence[str], budget: str) -> list[Case]:
    if patterns:
        return [case for case in cases if any(fnmatch(case.name, one) for one in patterns)]
    return [case for case in cases if case.is_small or budget == "full"]


def _results(cases: Sequence[Case], folder: Path, slots: int) -> Iterator[Judged]:
    """Yield the judged cases as they are complete: each under KerasTuner, then under eyetune."""
    theirs: dict[str, Ended] = {}
    libraries = (KERAS_TUNER, EYETUNE)
    for case, library, ended in _ended(cases, libraries, folder, slots):
        if library == KERAS_TUNER:
            theirs[case.name] = ended
            continue
        yield judge(case, theirs[case.name], ended)


def _check_scripts(cases: Sequence[Case], folder: Path, slots: int) -> int:
    """Run the scripts under KerasTuner alone; return the exit status."""
    num_wrong = 0
    for case, _, ended in _ended(cases, (KERAS_TUNER,), folder, slots):
        is_wrong = ended.raised is not None or not ended.facts
        num_wrong += is_wrong
        shown = ended.raised.message if ended.raised else dict(ended.facts)
        print(f"{'WRONG' if is_wrong else 'ok':6}{case.name} ({ended.seconds:.1f} s): {shown}")
        sys.stdout.flush()
    return int(num_wrong > 0)


def _ended(
    cases: Sequence[Case], libraries: Sequence[str], folder: Path, slots: int
) -> Iterator[tuple[Case, str, Ended]]:
    """Run the cases, each in its libraries one after the other, on a core of its own."""
    waiting = list(reversed(cases))
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    active: dict[int, tuple[Case, list[str], Running]] = {}
    try:
        while waiting or active:
            for slot in range(slots):
                core = cores[slot % len(cores)]
                if slot not in active:
                    if not waiting:
                        continue
                    active[slot] = _next(waiting.pop(), list(libraries), folder, core)
                case, left, running = active[slot]
                ended = poll(running)
                if ended is None:
                    continue
                del active[slot]
                yield case, running.folder.name, ended
                if left:
                    active[slot] = _next(case, left, folder, core)
            time.sleep(POLL_SECONDS)
    finally:
        for _, _, running in active.values():
            stop(running)


def _next(
    case: Case, libraries: list[str], folder: Path, core: int
) -> tuple[Case, list[str], Running]:
    library, *left = libraries
    return case, left, start(case.path, library, folder / case.name / library, core)


def accept(judged: Sequence[Judged]) -> None:
    """Declare `same` in the scripts that are now the same."""
    for result in judged:
        if result.outcome is Outcome.SAME and not result.is_expected:
            path = result.case.path
            text = path.read_text(encoding="utf-8")
            path.write_text(EXPECTED_LINE.sub("# expected: same", text, count=1), encoding="utf-8")


def _line(result: Judged) -> str:
    case = result.case
    detail = result.detail
    if result.is_expected and case.reason:
        detail = case.reason
    mark = MARKS[result.is_expected]
    return f"{mark:16}{case.name} ({result.seconds:.0f} s): {result.outcome}  {detail}".rstrip()


def summary(judged: Sequence[Judged], seconds: float) -> str:
    """Return the counts of outcomes, and the cases that are not as declared."""
    counts = Counter(result.outcome for result in judged)
    shown = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome)
    lines = [f"{len(judged)} cases in {seconds:.0f} s: {shown}"]
    for result in judged:
        if not result.is_expected:
            case = result.case
            lines.append(f"{case.name}: declared '{case.expected}', but it is '{result.outcome}'.")
    return "\n".join(lines)


def exit_status(judged: Sequence[Judged]) -> int:
    """Return 0 if every case is as declared, else 1; a silent difference can never be declared."""
    return int(not all(result.is_expected for result in judged))


if __name__ == "__main__":
    sys.exit(main())
