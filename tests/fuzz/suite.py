"""The fuzz suite: damaged and hostile files for every reader, in processes with bounds.

    python -m tests.fuzz.suite --budget small       # a fixed number of inputs, under two minutes
    python -m tests.fuzz.suite                      # an hour; the next call resumes if interrupted
    python -m tests.fuzz.suite --kinds npz image    # these kinds
    python -m tests.fuzz.suite --kinds npz --seed 7 --number 4711     # one input, again

An input must end in a value or in an `EyetuneError`, within 20 seconds and 1 GB. Anything else is
a finding: another exception, a crash, too much memory, too much time. Findings are stored in
`.fuzz/findings/` with their input, and the exit status is 1. An input is determined by its kind,
the seed and its number.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.kind import Kind
from tests.fuzz.kinds import KINDS, kind_named
from tests.fuzz.worker import FOREIGN, MEMORY

FOLDER = Path(".fuzz")
FULL_SECONDS = 3600
TURN_SECONDS = 40
SILENT_SECONDS = 180  # importing Keras and making the corpus included
MAX_SAVED = 3  # inputs of findings that look the same
ENDLESS = 10**9


@dataclass
class Tally:
    """How the inputs of a kind ended."""

    next_number: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    @property
    def num_inputs(self) -> int:
        """Number of inputs that were read."""
        return sum(self.outcomes.values())


@dataclass
class State:
    """Where a run of the suite is; it is stored, so that an interrupted one can be resumed."""

    seed: int
    seconds: float = 0.0
    tallies: dict[str, Tally] = field(default_factory=dict)
    signatures: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock, compare=False)
    stopped: threading.Event = field(default_factory=threading.Event, compare=False)

    def save(self, path: Path) -> None:
        """Write it into a file."""
        values = {name: asdict(tally) for name, tally in self.tallies.items()}
        content = {"seed": self.seed, "seconds": self.seconds, "tallies": values}
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps({**content, "signatures": self.signatures}), "utf-8")
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> State | None:
        """Read it from a file; None if there is none."""
        if not path.is_file():
            return None
        content = json.loads(path.read_text("utf-8"))
        tallies = {name: Tally(**values) for name, values in content.pop("tallies").items()}
        return cls(**content, tallies=tallies)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite and print how the inputs ended; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--budget", choices=("small", "full"), default="full")
    parser.add_argument("--kinds", nargs="*", choices=[kind.name for kind in KINDS])
    parser.add_argument("--seed", type=int, help="default: 0 with the small budget, or random")
    parser.add_argument("--number", type=int, help="read this input only, and print how it ends")
    parser.add_argument("--seconds", type=float, default=FULL_SECONDS, help="of the full budget")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    kinds = [kind for kind in KINDS if not options.kinds or kind.name in options.kinds]
    FOLDER.mkdir(exist_ok=True)
    if options.number is not None:
        return _again(kinds[0], options.seed or 0, options.number)
    is_small = options.budget == "small"
    stored = None if is_small or options.seed is not None else State.load(FOLDER / "state.json")
    if stored is None or stored.seconds >= options.seconds:
        stored = State(options.seed if options.seed is not None else _new_seed(is_small))
    state = stored
    print(f"seed {state.seed}", flush=True)
    started = time.monotonic()
    with ThreadPoolExecutor(options.workers) as threads:
        try:
            if is_small:
                list(threads.map(lambda kind: _turn(state, kind, kind.num_small, ENDLESS), kinds))
            else:
                list(threads.map(_turns(state, options.seconds), _in_turn(state, kinds, options)))
        except KeyboardInterrupt:
            print("interrupted: the next call resumes", flush=True)
            state.stopped.set()
            threads.shutdown(cancel_futures=True)
    if not is_small:
        state.save(FOLDER / "state.json")
    print(_summary(state, time.monotonic() - started))
    return int(any(set(tally.outcomes) - {"value", "error"} for tally in state.tallies.values()))


def _new_seed(is_small: bool) -> int:
    return 0 if is_small else secrets.randbelow(10**6)


def _in_turn(state: State, kinds: Sequence[Kind], options: argparse.Namespace) -> list[Kind]:
    """Return the kinds of the remaining turns."""
    num_turns = (options.seconds - state.seconds) * options.workers / TURN_SECONDS
    rounds = int(num_turns / len(kinds)) + 1
    return list(kinds) * rounds


def _turns(state: State, seconds: float) -> Any:
    """Return the function that gives a kind a turn, as long as there is time left."""
    before, started = state.seconds, time.monotonic()

    def turn(kind: Kind) -> None:
        left = seconds - state.seconds
        if left <= 0:
            return
        _turn(state, kind, ENDLESS, min(TURN_SECONDS, left))
        with state.lock:
            state.seconds = before + time.monotonic() - started
            state.save(FOLDER / "state.json")

    return turn


def _turn(state: State, kind: Kind, count: int, seconds: float) -> None:
    """Read inputs of a kind; a worker that dies is replaced."""
    with state.lock:
        tally = state.tallies.setdefault(kind.name, Tally())
    ends_at = time.monotonic() + seconds
    last = tally.next_number + count
    while tally.next_number < last and time.monotonic() < ends_at and not state.stopped.is_set():
        first = tally.next_number
        for result in _results(state, kind, last - first, ends_at - time.monotonic()):
            outcome = result["outcome"]
            with state.lock:
                tally.next_number = result["number"] + 1
                tally.outcomes[outcome] = tally.outcomes.get(outcome, 0) + 1
        if tally.next_number == first:
            break


def _results(state: State, kind: Kind, count: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield how inputs of a kind end, until the worker ends or dies."""
    first = state.tallies[kind.name].next_number
    with tempfile.TemporaryDirectory(prefix="eyetune-fuzz-") as name:
        folder = Path(name)
        with (folder / "errors.txt").open("w+b") as errors:
            command = [sys.executable, "-m", "tests.fuzz.worker", kind.name, "--folder", name]
            command += ["--seed", str(state.seed), "--first", str(first), "--count", str(count)]
            command += ["--seconds", str(seconds)]
            worker = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # Ctrl-C is no crash of a reader
            )
            watchdog = _Watchdog(worker)
            current: int | None = None
            assert worker.stdout is not None
            for line in worker.stdout:
                if state.stopped.is_set():
                    worker.kill()
                    break
                watchdog.touch()
                report = json.loads(line)
                if "outcome" not in report:
                    current = report["number"]
                    continue
                current = None
                if report["outcome"] in (FOREIGN, MEMORY):
                    _store(state, kind, report, folder)
                yield report
            status = worker.wait()
            watchdog.stop()
            errors.seek(0)
            trace = errors.read().decode("utf-8", "replace")[-6000:]
        if state.stopped.is_set():
            return
        if current is not None:
            outcome = "crash" if status < 0 and not watchdog.is_late else "time"
            report = {"number": current, "outcome": outcome, "trace": f"status {status}\n{trace}"}
            _store(state, kind, report, folder)
            yield report
        elif status:
            raise RuntimeError(f"the worker for {kind.name} failed:\n{trace}")


class _Watchdog:
    """Ends a worker that is silent for too long."""

    def __init__(self, worker: subprocess.Popen[str]) -> None:
        self._worker = worker
        self._timer = threading.Timer(SILENT_SECONDS, self._end)
        self._timer.start()
        self.is_late = False

    def touch(self) -> None:
        """Start to wait again."""
        self._timer.cancel()
        self._timer = threading.Timer(SILENT_SECONDS, self._end)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Wait no longer."""
        self._timer.cancel()

    def _end(self) -> None:
        self.is_late = True
        self._worker.kill()


def _store(state: State, kind: Kind, report: dict[str, Any], folder: Path) -> None:
    """Store a finding with its input, and print the first one of its sort."""
    sort = f"{report['outcome']} {report.get('error', '')}".strip()
    signature = f"{kind.name}: {sort} ({_place(report.get('trace', ''))})"
    with state.lock:
        number = state.signatures[signature] = state.signatures.get(signature, 0) + 1
    if number > MAX_SAVED:
        return
    target = FOLDER / "findings" / f"{kind.name.replace(' ', '-')}-{state.seed}-{report['number']}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    found = folder / f"found-{report['number']}"
    source = found if found.is_dir() else folder / "input"  # the worker has died
    shutil.copytree(source, target / "input", symlinks=True, copy_function=_copy)
    (target / "report.txt").write_text(json.dumps(report) + "\n" + report.get("trace", ""), "utf-8")
    if number == 1:
        print(f"finding: {signature}\n  stored in {target}", flush=True)


def _copy(source: str, target: str) -> None:
    if Path(source).is_file():  # not a named pipe
        shutil.copyfile(source, target)


def _place(trace: str) -> str:
    """Return the innermost place of eyetune in a traceback."""
    places = re.findall(r'src/(eyetune/\S+)", line (\d+)', trace)
    if not places:
        return "no place in eyetune"
    # A crash is shown with the innermost place first.
    path, line = places[0] if trace.startswith("status") else places[-1]
    return f"{path}:{line}"


def _again(kind: Kind, seed: int, number: int) -> int:
    """Read one input again and print how it ends."""
    state = State(seed, tallies={kind.name: Tally(number)})
    kind_named(kind.name)
    outcomes = Counter[str]()
    for result in _results(state, kind, 1, ENDLESS):
        outcomes[result["outcome"]] += 1
        print(result.pop("trace", ""))
        print(result)
    return int(bool(set(outcomes) - {"value", "error"}))


def _summary(state: State, seconds: float) -> str:
    """Return a table of all kinds: numbers of inputs, values, errors and findings."""
    rows = ["| kind | inputs | values | errors | findings |", "|---|---:|---:|---:|---:|"]
    for name, tally in sorted(state.tallies.items()):
        values, errors = (tally.outcomes.get(outcome, 0) for outcome in ("value", "error"))
        num_findings = tally.num_inputs - values - errors
        rows.append(
            f"| {name} | {tally.num_inputs:,} | {values:,} | {errors:,} | {num_findings:,} |"
        )
    total = sum(tally.num_inputs for tally in state.tallies.values())
    rows.append(f"\n{total:,} inputs, {seconds:,.0f} s, seed {state.seed}")
    if state.signatures:
        rows += ["\nFindings:", *(f"{count:6} {text}" for text, count in state.signatures.items())]
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
