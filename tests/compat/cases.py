"""The cases of the compatibility suite: scripts, what is expected of each, and the comparison.

A case is a script of KerasTuner, complete and small, that imports `keras_tuner` in one line. Its
first comments declare what eyetune does with it when that line is replaced:

    # expected: same
    # budget: small

`expected` is one of

- `same`: all facts that the script reports are those of KerasTuner;
- `refused: why`: an error at the construction of the tuner or at its search says what to do;
- `reported: why`: the facts named in `# differing: name, name` differ, and a warning says so;
- `fails: why`: an error that is not yet such a refusal; a known failure, to be removed.

A script that ends without an error but with other facts differs silently, which no case may expect.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parent / "scripts"
IMPORT = re.compile(
    r"^(?P<verb>import|from) keras_tuner(?P<rest>(?:\.[a-z_.]+)?(?: as \w+| import .+)?)$", re.M
)
DROP_IN = "eyetune.compat.keras_tuner"
HEADER = re.compile(r"^# (\w+): (.*(?:\n#   .*)*)$", re.M)
RELATIVE_TOLERANCE = 1e-4
ABSOLUTE_TOLERANCE = 1e-5


class Outcome(StrEnum):
    """What a script did under eyetune, compared with KerasTuner."""

    SAME = "same"
    REFUSED = "refused"
    REPORTED = "reported"
    FAILS = "fails"
    SILENT = "DIFFERS SILENTLY"
    INVALID = "fails under KerasTuner"


EXPECTED = (Outcome.SAME, Outcome.REFUSED, Outcome.REPORTED, Outcome.FAILS)


@dataclass(frozen=True)
class Case:
    """A script and what is expected of it.

    Attributes:
        path: The script.
        title: What it shows, in one line.
        expected: What eyetune does with it.
        reason: Why, if that is not the same as KerasTuner.
        differing: Names of the facts that may differ if the difference is reported.
        is_small: Whether it belongs to the small budget.
    """

    path: Path
    title: str
    expected: Outcome
    reason: str = ""
    differing: tuple[str, ...] = ()
    is_small: bool = False

    @property
    def name(self) -> str:
        """Name of the script without its suffix."""
        return self.path.stem


@dataclass(frozen=True)
class Raised:
    """An error that ended a script.

    Attributes:
        message: Its class and message.
        is_refusal: Whether it is a usage error of eyetune with advice, raised by the construction
            of a tuner or by its search.
    """

    message: str
    is_refusal: bool


@dataclass(frozen=True)
class Ended:
    """How a script ended.

    Attributes:
        facts: What it reported, by name.
        raised: The error that ended it; None if it ran to its end.
        has_warned: Whether eyetune issued a warning.
        seconds: How long it took.
    """

    facts: Mapping[str, Any]
    raised: Raised | None = None
    has_warned: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Judged:
    """The outcome of a case, and what it follows from."""

    case: Case
    outcome: Outcome
    detail: str
    seconds: float

    @property
    def is_expected(self) -> bool:
        """Whether it is what the case declares."""
        return self.outcome is self.case.expected


def read_cases(folder: Path = SCRIPTS) -> list[Case]:
    """Return the cases of a folder by name.

    Raises:
        ValueError: A script does not declare what is expected, or does not import keras_tuner in
            exactly one line.
    """
    paths = sorted(folder.glob("*_*.py"))
    return [read_case(path) for path in paths]


def read_case(path: Path) -> Case:
    """Return the case of a script.

    Raises:
        ValueError: It does not declare what is expected, or does not import keras_tuner in exactly
            one line.
    """
    text = path.read_text(encoding="utf-8")
    title = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    values = {name: re.sub(r"\n#\s+", " ", value) for name, value in HEADER.findall(text)}
    expected, _, reason = values.get("expected", "").partition(": ")
    if not title or expected not in EXPECTED:
        raise ValueError(f"{path.name} needs a docstring and one of '# expected: {EXPECTED}'.")
    if (expected == Outcome.SAME) == bool(reason):
        raise ValueError(f"{path.name}: '# expected: {expected}' needs a reason, 'same' has none.")
    num_imports = len(IMPORT.findall(text))
    if num_imports != 1:
        raise ValueError(f"{path.name} imports keras_tuner in {num_imports} lines, not in one.")
    names = tuple(name.strip() for name in values.get("differing", "").split(",") if name.strip())
    budget = values.get("budget", "full")
    return Case(path, title, Outcome(expected), reason, names, budget == "small")


def for_eyetune(script: str) -> str:
    """Return a script with its import of keras_tuner replaced.

    Example:
        >>> for_eyetune("import keras_tuner")
        'import eyetune.compat.keras_tuner as keras_tuner'
        >>> for_eyetune("import keras_tuner as kt")
        'import eyetune.compat.keras_tuner as kt'
        >>> for_eyetune("from keras_tuner import RandomSearch")
        'from eyetune.compat.keras_tuner import RandomSearch'
    """

    def replaced(match: re.Match[str]) -> str:
        rest = match["rest"] or " as keras_tuner"
        return f"{match['verb']} {DROP_IN}{rest}"

    return IMPORT.sub(replaced, script)


def first_search(script: str) -> float:
    """Return the first line that calls `search`; infinity if there is none.

    Example:
        >>> first_search("tuner = 1\\ntuner.search(x)")
        2
    """
    calls = [node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Call)]
    lines = [
        call.lineno
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr == "search"
    ]
    return min(lines, default=math.inf)


def judge(case: Case, theirs: Ended, ours: Ended) -> Judged:
    """Compare how a script ended under KerasTuner and under eyetune.

    Example:
        >>> case = Case(Path("a_case.py"), "A case.", Outcome.SAME)
        >>> judge(case, Ended({"trials": 2}), Ended({"trials": 3})).outcome.value
        'DIFFERS SILENTLY'
    """
    outcome, detail = _outcome(case, theirs, ours)
    return Judged(case, outcome, detail, theirs.seconds + ours.seconds)


def _outcome(case: Case, theirs: Ended, ours: Ended) -> tuple[Outcome, str]:
    if theirs.raised is not None:
        return Outcome.INVALID, theirs.raised.message
    if not theirs.facts:
        return Outcome.INVALID, "the script reports no facts"
    if ours.raised is not None:
        is_refusal = ours.raised.is_refusal
        return (Outcome.REFUSED if is_refusal else Outcome.FAILS), ours.raised.message
    differences = differing_facts(theirs.facts, ours.facts)
    if not differences:
        return Outcome.SAME, ""
    detail = "; ".join(differences.values())
    if ours.has_warned and set(differences) <= set(case.differing):
        return Outcome.REPORTED, detail
    return Outcome.SILENT, detail


def differing_facts(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, str]:
    """Return the facts that differ, by name, each with a description.

    Example:
        >>> differing_facts({"loss": 0.5, "trials": 2}, {"loss": 0.5000001, "trials": 3})
        {'trials': 'trials: 2 became 3'}
    """
    missing = object()
    differences = {}
    for name in [*theirs, *(name for name in ours if name not in theirs)]:
        old, new = theirs.get(name, missing), ours.get(name, missing)
        if not _is_same(old, new):
            before = "nothing" if old is missing else f"{old!r:.300}"
            after = "nothing" if new is missing else f"{new!r:.300}"
            differences[name] = f"{name}: {before} became {after}"
    return differences


def _is_same(old: Any, new: Any) -> bool:
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if isinstance(old, int | float) and isinstance(new, int | float):
        return (math.isnan(old) and math.isnan(new)) or math.isclose(
            old, new, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE
        )
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_is_same, old, new))
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_is_same(old[key], new[key]) for key in old)
    return bool(old == new)
