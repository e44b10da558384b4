"""The compatibility suite itself: its cases, how it judges them, and its exit status.

The scripts run in `make compat`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.compat.cases import (
    EXPECTED,
    SCRIPTS,
    Case,
    Ended,
    Judged,
    Outcome,
    Raised,
    first_search,
    for_eyetune,
    judge,
    read_case,
    read_cases,
)
from tests.compat.suite import accept, exit_status, summary

REFUSED = Raised("UsageError: no", is_refusal=True)
FAILED = Raised("AttributeError: no", is_refusal=False)
THEIRS = Ended({"trials": 2, "losses": [0.5, 0.25]})


def case(expected: Outcome = Outcome.SAME, **others: Any) -> Case:
    """Return a case without a script."""
    return Case(Path("a_case.py"), "A case.", expected, **others)


class TestCases:
    def test_there_are_at_least_60_cases_in_two_budgets(self) -> None:
        cases = read_cases()
        assert len(cases) >= 60
        assert 20 <= sum(each.is_small for each in cases) < len(cases)

    def test_every_script_is_a_case(self) -> None:
        names = {path.stem for path in SCRIPTS.glob("*.py")} - {"facts"}
        assert {each.name for each in read_cases()} == names

    def test_guides_are_covered(self) -> None:
        guides = {each.name for each in read_cases() if each.name.startswith("guide_")}
        assert guides >= {
            "guide_custom_tuner",
            "guide_distributed",
            "guide_failed_trials",
            "guide_getting_started",
            "guide_tailor_the_space",
            "guide_tensorboard",
        }

    def test_case_reads_its_declaration(self, tmp_path: Path) -> None:
        path = tmp_path / "a_case.py"
        path.write_text(
            '"""A title."""\n\n# expected: reported: for a reason\n#     of two lines\n'
            "# differing: one, two\n# budget: small\nimport keras_tuner as kt\n"
        )
        assert read_case(path) == Case(
            path,
            "A title.",
            Outcome.REPORTED,
            "for a reason of two lines",
            ("one", "two"),
            is_small=True,
        )

    @pytest.mark.parametrize(
        "script",
        [
            "# expected: same\nimport keras_tuner\n",
            '"""A title."""\nimport keras_tuner\n',
            '"""A title."""\n# expected: DIFFERS SILENTLY: because\nimport keras_tuner\n',
            '"""A title."""\n# expected: refused\nimport keras_tuner\n',
            '"""A title."""\n# expected: same: because\nimport keras_tuner\n',
            '"""A title."""\n# expected: same\nimport keras\n',
            '"""A title."""\n# expected: same\nimport keras_tuner\nfrom keras_tuner import Tuner\n',
        ],
    )
    def test_case_refuses_incomplete_scripts(self, tmp_path: Path, script: str) -> None:
        path = tmp_path / "a_case.py"
        path.write_text(script)
        with pytest.raises(ValueError, match="a_case"):
            read_case(path)

    def test_for_eyetune_changes_one_line_only(self) -> None:
        script = "import keras\nimport keras_tuner\nx = keras_tuner.RandomSearch\n"
        lines = for_eyetune(script).splitlines()
        assert lines[1] == "import eyetune.compat.keras_tuner as keras_tuner"
        assert [lines[0], lines[2]] == ["import keras", "x = keras_tuner.RandomSearch"]

    def test_first_search_ignores_other_names(self) -> None:
        assert first_search("def search(): ...\nsearch()\nmine.tuner.search(1)\n") == 3


class TestJudge:
    @pytest.mark.parametrize(
        ("ours", "outcome"),
        [
            (Ended({"trials": 2, "losses": [0.500001, 0.25]}), Outcome.SAME),
            (Ended({"trials": 2, "losses": [0.501, 0.25]}), Outcome.SILENT),
            (Ended({"trials": 2, "losses": [0.5]}), Outcome.SILENT),
            (Ended({"trials": True, "losses": [0.5, 0.25]}), Outcome.SILENT),
            (Ended({"trials": 2}), Outcome.SILENT),
            (Ended({**THEIRS.facts, "more": 1}), Outcome.SILENT),
            (Ended({}), Outcome.SILENT),
            (Ended(THEIRS.facts, REFUSED), Outcome.REFUSED),
            (Ended(THEIRS.facts, FAILED), Outcome.FAILS),
        ],
    )
    def test_judge_compares_with_keras_tuner(self, ours: Ended, outcome: Outcome) -> None:
        assert judge(case(), THEIRS, ours).outcome is outcome

    def test_reported_needs_a_warning_and_a_declaration(self) -> None:
        declared = case(Outcome.REPORTED, reason="why", differing=("trials",))
        ours = {**THEIRS.facts, "trials": 3}
        assert judge(declared, THEIRS, Ended(ours, has_warned=True)).outcome is Outcome.REPORTED
        assert judge(declared, THEIRS, Ended(ours)).outcome is Outcome.SILENT
        assert judge(case(), THEIRS, Ended(ours, has_warned=True)).outcome is Outcome.SILENT

    @pytest.mark.parametrize("theirs", [Ended({"trials": 2}, FAILED), Ended({})])
    def test_scripts_must_run_under_keras_tuner(self, theirs: Ended) -> None:
        assert judge(case(), theirs, theirs).outcome is Outcome.INVALID


class TestResult:
    @pytest.mark.parametrize("outcome", EXPECTED)
    def test_exit_status_is_0_if_as_declared(self, outcome: Outcome) -> None:
        assert exit_status([Judged(case(outcome), outcome, "", 1.0)]) == 0

    @pytest.mark.parametrize("declared", EXPECTED)
    @pytest.mark.parametrize("outcome", [Outcome.SILENT, Outcome.INVALID])
    def test_silent_difference_always_fails(self, declared: Outcome, outcome: Outcome) -> None:
        judged = [
            Judged(case(), Outcome.SAME, "", 1.0),
            Judged(case(declared), outcome, "trials: 2 became 3", 1.0),
        ]
        assert exit_status(judged) == 1
        assert f"1 {outcome}" in summary(judged, 2.0)
        assert "a_case: declared" in summary(judged, 2.0)

    def test_accept_declares_what_is_now_the_same(self, tmp_path: Path) -> None:
        path = tmp_path / "a_case.py"
        start, end = '"""A title."""\n\n', "\n# budget: small\nimport keras_tuner\n"
        path.write_text(f"{start}# expected: fails: a reason\n#     of two lines{end}")
        fixed = read_case(path)
        accept([Judged(fixed, Outcome.FAILS, "", 1.0)])
        assert read_case(path) == fixed
        improved = Judged(fixed, Outcome.SAME, "", 1.0)
        assert exit_status([improved]) == 1  # the declaration must follow
        accept([improved])
        assert path.read_text() == f"{start}# expected: same{end}"
