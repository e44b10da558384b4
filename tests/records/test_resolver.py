"""Finding a record by id, prefix, name or "latest", and errors that help."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyetune.errors import LabNotFoundError, NotFoundError, RunNotFoundError, StudyNotFoundError
from eyetune.records.resolver import (
    LAB,
    MAX_LISTED,
    RUN,
    STUDY,
    Candidate,
    RecordKind,
    resolve_reference,
)

RECORDS = (
    Candidate("3f2a77b0", "first"),
    Candidate("3f2a0000"),
    Candidate("77b03f2a", "first flip"),
    Candidate("lab-1"),
    Candidate("lab-10"),
)


def resolve(
    reference: str,
    records: tuple[Candidate, ...] = RECORDS,
    *,
    kind: RecordKind = RUN,
    latest: str | None = "3f2a0000",
    deleted: tuple[Candidate, ...] = (),
) -> str:
    return resolve_reference(
        reference, kind, records, latest=lambda: latest, folder=Path("/work"), deleted=deleted
    )


@pytest.mark.parametrize(
    ("reference", "record_id"),
    [
        ("3f2a77b0", "3f2a77b0"),
        ("3f2a7", "3f2a77b0"),
        ("3F2A7", "3f2a77b0"),
        ("first", "3f2a77b0"),
        ("first flip", "77b03f2a"),
        ("lab-1", "lab-1"),
        ("latest", "3f2a0000"),
    ],
)
def test_resolve_reference_returns_the_id(reference: str, record_id: str) -> None:
    assert resolve(reference) == record_id


def test_ambiguous_reference_names_its_matches() -> None:
    with pytest.raises(RunNotFoundError) as caught:
        resolve("3f2a")
    assert caught.value.is_ambiguous
    assert caught.value.matches == ("3f2a77b0", "3f2a0000")


@pytest.mark.parametrize("reference", ["", "missing", "irst"])
def test_reference_without_a_match_is_not_ambiguous(reference: str) -> None:
    with pytest.raises(RunNotFoundError) as caught:
        resolve(reference)
    assert not caught.value.is_ambiguous


def test_error_suggests_the_nearest_names() -> None:
    with pytest.raises(RunNotFoundError) as caught:
        resolve("furst")
    assert "first (3f2a77b0)" in str(caught.value.fix)
    assert "lab-1" not in str(caught.value.fix)


@pytest.mark.parametrize("reference", ["zzz", "7"])
def test_errors_list_five_names_at_most(reference: str) -> None:
    records = tuple(Candidate(f"7{number:07d}") for number in range(40))
    with pytest.raises(RunNotFoundError) as caught:
        resolve(reference, records)
    text = f"{caught.value.fix} {caught.value.received}"
    assert sum(record.id in text for record in records) == MAX_LISTED


def test_error_lists_the_newest_where_none_is_near() -> None:
    records = tuple(Candidate(f"7{number:07d}") for number in range(40))
    with pytest.raises(RunNotFoundError) as caught:
        resolve("zzz", records)
    assert records[-1].id in str(caught.value.fix)


@pytest.mark.parametrize(
    ("kind", "error"),
    [(RUN, RunNotFoundError), (LAB, LabNotFoundError), (STUDY, StudyNotFoundError)],
)
def test_each_kind_has_its_error_and_first_command(
    kind: RecordKind, error: type[NotFoundError]
) -> None:
    with pytest.raises(error) as caught:
        resolve("latest", (), kind=kind, latest=None)
    assert caught.value.fix == kind.first_command


def test_reference_to_a_deleted_record_suggests_restore() -> None:
    with pytest.raises(RunNotFoundError) as caught:
        resolve("gone", deleted=(Candidate("0123abcd", "gone"),))
    assert caught.value.fix == "eyetune runs restore 0123abcd"


def test_latest_among_trials_only_is_an_error() -> None:
    with pytest.raises(RunNotFoundError) as caught:
        resolve("latest", latest=None)
    assert "--all" in str(caught.value.fix)
