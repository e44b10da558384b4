"""`eyetune runs`: lists that fit 80 columns, and deletions that ask."""

from __future__ import annotations

import io
import sys

import pytest

from eyetune.recipe import Recipe
from eyetune.records import Workspace
from tests.cli.conftest import Terminal
from tests.records.fabricate import add_complete_run, add_run
from tests.records.test_study_store import add_study


class _Keyboard(io.StringIO):
    """Standard input of a terminal."""

    def isatty(self) -> bool:
        return True


def run_ids(eyetune: Terminal, *arguments: str) -> list[str]:
    return [run["run"] for run in eyetune.json("runs", *arguments)["runs"]]


def test_runs_are_listed_newest_first(eyetune: Terminal, records: Workspace) -> None:
    older, newer = add_complete_run(records), add_complete_run(records)
    assert run_ids(eyetune) == [newer.id, older.id]
    assert run_ids(eyetune, "--reverse") == [older.id, newer.id]
    assert eyetune("runs") == 0
    assert eyetune.output.index(newer.id) < eyetune.output.index(older.id)


@pytest.mark.parametrize(("columns", "width"), [("", 80), ("60", 60), ("130", 130)])
def test_each_run_takes_one_line(
    eyetune: Terminal,
    records: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
    width: int,
) -> None:
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    recipe = Recipe().with_({"model.blocks": [4, 4, 4, 4], "optimizer.learning_rate": 0.0123})
    for number in range(3):
        add_complete_run(records, recipe=recipe, name=f"a long name with [brackets] {number}" * 3)
    assert eyetune("runs") == 0
    lines = eyetune.output.splitlines()
    assert max(map(len, lines)) <= width
    for run in records.runs.all():
        assert sum(run.id in line for line in lines) == 1


def test_twenty_lines_are_shown_unless_limited(eyetune: Terminal, records: Workspace) -> None:
    for _ in range(22):
        add_run(records)

    def count(*arguments: str) -> int:
        assert eyetune("runs", *arguments) == 0
        return sum(run.id in eyetune.output for run in records.runs.all())

    assert [count(), count("--limit", "3"), count("--limit", "0")] == [20, 3, 22]
    assert len(run_ids(eyetune)) == 22
    assert len(run_ids(eyetune, "--limit", "3")) == 3


def test_runs_of_labs_and_studies_are_folded(eyetune: Terminal, records: Workspace) -> None:
    study = add_study(records, "my study")
    trials = [add_complete_run(records, 0.6, study_id=study.id) for _ in range(2)]
    member = add_complete_run(records, 0.7, lab_id="0123abcd")
    own = add_complete_run(records)
    assert eyetune("runs") == 0
    for text in (own.id, study.id, "my study", "0123abcd", "60.0%", "70.0%"):
        assert text in eyetune.output
    for run in (*trials, member):
        assert run.id not in eyetune.output
    assert eyetune("runs", "--all") == 0
    for run in (*trials, member, own):
        assert run.id in eyetune.output
    listed = eyetune.json("runs")["runs"]
    assert [run["lab"] for run in listed] == [None, "0123abcd", None, None]
    assert [run["study"] for run in listed] == [None, None, study.id, study.id]


def test_accuracy_on_trained_images_is_marked(eyetune: Terminal, records: Workspace) -> None:
    seen = Recipe().with_(data__train_on_validation=True)
    memorized = add_complete_run(records, 0.99, recipe=seen)
    honest = add_complete_run(records, 0.6)
    assert run_ids(eyetune, "--sort", "validation_accuracy", "--reverse") == [
        honest.id,
        memorized.id,
    ]
    assert eyetune("runs") == 0
    assert "(99.0%)" in eyetune.output
    assert "(60.0%)" not in eyetune.output


def test_filter_that_matches_nothing_says_so(eyetune: Terminal, records: Workspace) -> None:
    add_complete_run(records)
    assert eyetune("runs", "--filter", "seed=99") == 0
    assert eyetune.output.strip()
    assert eyetune.json("runs", "--filter", "seed=99")["runs"] == []


@pytest.mark.parametrize("command", [["runs"], ["runs", "--deleted"], ["labs"], ["studies"]])
def test_empty_lists_say_so(eyetune: Terminal, records: Workspace, command: list[str]) -> None:
    assert eyetune(*command) == 0
    assert eyetune.output.strip()
    assert not records.exists


def test_show_in_an_empty_workspace_says_so(eyetune: Terminal, records: Workspace) -> None:
    error = eyetune.error("show")
    assert error["fix"] == "eyetune train --data digits"
    assert str(records.folder) in error["what"]


def test_named_runs_move_to_the_trash_and_back(eyetune: Terminal, records: Workspace) -> None:
    first, second = add_run(records, name="first"), add_run(records)
    assert eyetune("runs", "delete", "first") == 0
    assert f"eyetune runs restore {first.id}" in eyetune.errors
    assert run_ids(eyetune) == [second.id]
    assert run_ids(eyetune, "--deleted") == [first.id]
    assert eyetune.json("runs", "restore", "first")["restored"] == [first.id]
    assert run_ids(eyetune) == [second.id, first.id]


def test_purge_asks_and_without_a_terminal_does_nothing(
    eyetune: Terminal, records: Workspace
) -> None:
    run, deleted = add_run(records), add_run(records)
    records.runs.delete(deleted.id)
    assert eyetune("runs", "delete", run.id, deleted.id, "--purge") == 1
    assert len(records.runs.all()) == len(records.runs.all(deleted=True)) == 1
    assert eyetune("runs", "delete", run.id, deleted.id, "--purge", "--yes") == 0
    assert records.runs.all() == records.runs.all(deleted=True) == []


@pytest.mark.parametrize(("answer", "is_deleted"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_answer_decides_whether_runs_are_deleted(
    eyetune: Terminal,
    records: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    is_deleted: bool,
) -> None:
    add_run(records)
    monkeypatch.setattr(sys, "stdin", _Keyboard(answer))
    eyetune("runs", "delete", "--filter", "epochs=0")
    assert (records.runs.all() == []) == is_deleted


def test_runs_of_a_study_or_lab_are_deleted(eyetune: Terminal, records: Workspace) -> None:
    study = add_study(records, "first")
    good = add_complete_run(records, 0.8, study_id=study.id)
    poor = add_complete_run(records, 0.4, study_id=study.id)
    member = add_run(records, lab_id="0123abcd")
    own = add_run(records)
    choice = ("--study", "first", "--filter", "validation_accuracy<0.5")
    assert eyetune("runs", "delete", *choice) == 1
    assert eyetune.json("runs", "delete", *choice, "--yes")["deleted"] == [poor.id]
    assert eyetune.json("runs", "delete", "--lab", "0123", "--yes")["deleted"] == [member.id]
    assert run_ids(eyetune) == [own.id, good.id]
    assert eyetune.json("runs", "restore", "--study", study.id)["restored"] == [poor.id]


def test_run_that_is_being_trained_is_skipped(eyetune: Terminal, records: Workspace) -> None:
    busy, idle = add_run(records), add_run(records)
    with records.runs.claim(busy.id):
        result = eyetune.json("runs", "delete", "--filter", "epochs=0", "--yes")
    assert result["deleted"] == [idle.id]


@pytest.mark.parametrize(
    "arguments",
    [
        ["delete"],
        ["restore"],
        ["delete", "3f2a", "--filter", "seed=1"],
        ["delete", "--lab", "3f2a", "--study", "3f2a"],
        ["delete", "--study", "missing"],
        ["--limit", "-1"],
    ],
)
def test_invalid_arguments_are_usage_errors(
    eyetune: Terminal, records: Workspace, arguments: list[str]
) -> None:
    add_run(records)
    assert eyetune.error("runs", *arguments)["status"] == 2


def test_runs_are_tagged_and_annotated(eyetune: Terminal, records: Workspace) -> None:
    first, second = add_complete_run(records, name="first"), add_complete_run(records)
    tagged = eyetune.json("runs", "tag", first.id, second.id, "--add", "lamp", "--add", "best")
    assert tagged["tags"] == {first.id: ["best", "lamp"], second.id: ["best", "lamp"]}
    assert eyetune("runs", "tag", second.id, "--remove", "lamp") == 0
    assert run_ids(eyetune, "--filter", "tags=lamp") == [first.id]
    assert eyetune("runs") == 0
    assert "first #best #lamp" in eyetune.output
    assert eyetune("runs", "note", "first", "In the [sun]") == 0
    assert eyetune.json("runs", "note", "first", "In the shade")["before"] == "In the [sun]"
    assert eyetune("show", "first") == 0
    assert "In the shade" in eyetune.output
    assert eyetune.error("runs", "tag", first.id)["status"] == 2
    assert eyetune.error("runs", "tag", first.id, "--add", "two words")["status"] == 2
