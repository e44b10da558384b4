"""Notes and tags of runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyetune.errors import UsageError
from eyetune.records import Workspace, query
from eyetune.records.annotations import MAX_NOTE_LENGTH, MAX_TAGS
from tests.records.fabricate import add_complete_run, add_run


def test_notes_and_tags_are_kept(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_complete_run(records)
    assert (run.note, run.tags) == ("", ())
    records.runs.annotate(run.id, note=" The new lamp. \n", tags=["lamp", "best", "lamp"])
    again = Workspace(workspace).runs.get(run.id)
    assert (again.note, again.tags) == ("The new lamp.", ("best", "lamp"))
    records.runs.annotate(run.id, tags=[])
    assert records.runs.get(run.id).note == "The new lamp."
    records.runs.annotate(run.id, note="")
    assert records.runs.get(run.id) == run


def test_runs_are_chosen_by_their_tags(workspace: Path) -> None:
    records = Workspace(workspace)
    lamp, sun, none = add_run(records), add_run(records), add_run(records)
    records.runs.annotate(lamp.id, tags=["lamp", "best"])
    records.runs.annotate(sun.id, tags=["sun"])

    def ids(condition: str) -> list[str]:
        return [run.id for run in query.choose(records.runs.all(), [condition])]

    assert ids("tags=best") == [lamp.id]
    assert ids("tags!=best") == [sun.id]
    ordered = [run.id for run in query.order(records.runs.all(), "tags")]
    assert ordered == [lamp.id, sun.id, none.id]


@pytest.mark.parametrize("tag", ["", "two words", "x" * 41, "a,b", "<b>", "\n"])
def test_what_is_no_tag_is_refused(workspace: Path, tag: str) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    with pytest.raises(UsageError):
        records.runs.annotate(run.id, tags=[tag])
    assert records.runs.get(run.id).tags == ()


def test_too_much_text_is_refused(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    with pytest.raises(UsageError):
        records.runs.annotate(run.id, note="x" * (MAX_NOTE_LENGTH + 1))
    with pytest.raises(UsageError):
        records.runs.annotate(run.id, tags=map(str, range(MAX_TAGS + 1)))
