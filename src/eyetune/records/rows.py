"""Rows of the database: what they hold is checked when it is read, and explained if it is damaged.

SQLite stores any value in any column, and a database may come from someone else. Rows are therefore
read as they are stored and checked here, so that an error can name the record and the column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, TypeAdapter
from sqlalchemy import JSON, ColumnElement, Table, type_coerce
from sqlalchemy.types import NullType

from eyetune.errors import WorkspaceError
from eyetune.inputs.damage import explaining_damage
from eyetune.recipe import RecordedRecipe
from eyetune.records.annotations import checked_tags
from eyetune.records.run import DataRecord, Results, RunFailure, RunRecord, RunState
from eyetune.records.schema import epochs, runs, studies, trials
from eyetune.records.study import StudyRecord
from eyetune.records.trial import TrialRecord
from eyetune.values.history import Epoch, History
from eyetune.values.json_text import MAX_NUMBER, json_value
from eyetune.values.network import Network
from eyetune.values.record_ids import RecordId, checked_id
from eyetune.values.renamed_keys import with_current_names

TRIAL_COLUMNS = ("number", "state", "run")  # the rest of a trial is JSON
_EARLIEST, _LATEST = datetime(1970, 1, 1), datetime(3000, 1, 1)


def stored_columns(table: Table) -> list[ColumnElement[Any]]:
    """Return the columns of a table for a query that reads values as they are stored."""
    return [type_coerce(column, NullType()).label(column.name) for column in table.columns]


@contextmanager
def reading_row(subject: str, folder: Path) -> Iterator[None]:
    """Turn whatever is raised in the block for a damaged row into one error that names it.

    Args:
        subject: What the row describes, such as "run 3f2a77b0".
        folder: The workspace's folder.

    Raises:
        WorkspaceError: The row is damaged.
    """

    def damaged(reason: str) -> WorkspaceError:
        return WorkspaceError(
            f"The record of {subject} in {folder} is damaged.",
            expected="values that this version of eyetune wrote",
            received=reason,
            fix=f"Repair the workspace: eyetune doctor {folder} --fix",
        )

    with explaining_damage(damaged):
        yield


def with_json(row: Mapping[Any, Any], table: Table) -> dict[str, Any]:
    """Return a row as it is stored, with the values of its JSON columns.

    Raises:
        ValueError: A column holds no JSON.
    """
    values = dict(row)
    for column in table.columns:
        if isinstance(column.type, JSON) and column.name in values:
            try:
                values[column.name] = json_value(values[column.name])
            except ValueError as error:
                raise ValueError(f"{column.name}: {error}") from None
    return values


def _plausible(time: datetime | None) -> datetime | None:
    if time is not None and not _EARLIEST <= time.replace(tzinfo=None) < _LATEST:
        raise ValueError("a time between the years 1970 and 3000 was expected")
    return None if time is None else time.replace(tzinfo=UTC)


def _text(value: Any) -> Any:
    """Refuse numbers, which pydantic would take for seconds."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"a time as text was expected, not {type(value).__name__}")
    return value


Time = Annotated[datetime, BeforeValidator(_text), AfterValidator(_plausible)]


class _KerasFit(BaseModel):
    """The parts of the settings of a training by Keras's `fit` that eyetune reads."""

    epochs: int | None = None
    optimizer: dict[str, Any] | None = None


def _checked_fit(value: dict[str, Any]) -> dict[str, Any]:
    _KerasFit.model_validate(value)
    return value


def _checked_data(data: DataRecord) -> DataRecord:
    if data.has_images and len(data.image_shape) != 3:
        raise ValueError("images have a height, a width and channels")
    return data


def _with_current_names(value: Any) -> Any:
    """Return a network whose layers have the current names of their values."""
    if not isinstance(value, dict) or not isinstance(value.get("layers"), list):
        return value
    layers = [
        with_current_names(layer) if isinstance(layer, dict) else layer for layer in value["layers"]
    ]
    return {**value, "layers": layers}


_EPOCHS = TypeAdapter(tuple[Epoch, ...])
_TIME: TypeAdapter[datetime | None] = TypeAdapter(Time | None)
_Whole = Annotated[int, Field(gt=-MAX_NUMBER, lt=MAX_NUMBER)]
_Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _RunRow(BaseModel):
    """A row of the table of runs, with the sums over its epochs."""

    id: RecordId
    name: str
    state: RunState
    created_at: Time
    seed: _Whole
    recipe: RecordedRecipe | None
    data: Annotated[DataRecord, AfterValidator(_checked_data)]
    network: Annotated[Network, BeforeValidator(_with_current_names)]
    precision: Literal["float32", "bfloat16"]
    threads: _Whole
    deterministic: bool
    versions: dict[str, str]
    results: Results | None
    error: str | None
    deleted_at: Time | None
    failure: RunFailure | None
    lab_id: RecordId | None
    study_id: RecordId | None
    callbacks: tuple[str, ...] | None
    continued_from: RecordId | None
    keras_fit: Annotated[dict[str, Any], AfterValidator(_checked_fit)] | None
    note: str | None
    tags: Annotated[tuple[str, ...], AfterValidator(checked_tags)] | None
    num_epochs_done: _Whole
    duration_seconds: _Number
    images_per_second: _Number | None


def run_record(row: Mapping[Any, Any]) -> RunRecord:
    """Return the record of a run, with its state as it is stored.

    Args:
        row: Its row as it is stored, with `num_epochs_done`, `duration_seconds` and
            `images_per_second`.

    Raises:
        Exception: A column is damaged; see `reading_row`.
    """
    values = _RunRow.model_validate(with_json(row, runs))
    if values.recipe is None and values.keras_fit is None:
        raise ValueError("recipe: a run has a recipe, or was trained by Keras's fit")
    return RunRecord(
        id=values.id,
        name=values.name,
        state=values.state,
        created_at=values.created_at,
        seed=values.seed,
        own_recipe=values.recipe,
        data=values.data,
        network=values.network,
        precision=values.precision,
        threads=values.threads,
        deterministic=values.deterministic,
        versions=values.versions,
        num_epochs_done=values.num_epochs_done,
        duration_seconds=values.duration_seconds,
        images_per_second=values.images_per_second or 0.0,
        results=values.results,
        error=values.error,
        failure=values.failure,
        lab_id=values.lab_id,
        study_id=values.study_id,
        callbacks=values.callbacks or (),
        continued_from=values.continued_from,
        keras_fit=values.keras_fit,
        note=values.note or "",
        tags=values.tags or (),
        deleted_at=values.deleted_at,
    )


def study_record(row: Mapping[Any, Any]) -> StudyRecord:
    """Return the record of a study from its row as it is stored, with its state as it is stored.

    Raises:
        Exception: A column is damaged; see `reading_row`.
    """
    values = with_json(row, studies)
    for name in ("created_at", "deleted_at"):
        values[name] = _TIME.validate_python(values[name])
    return StudyRecord.model_validate(values)


def trial_record(row: Mapping[Any, Any]) -> TrialRecord:
    """Return the record of a trial from its row as it is stored.

    Raises:
        Exception: A column is damaged; see `reading_row`.
    """
    values = with_json(row, trials)
    details = values["details"]
    if not isinstance(details, dict):
        raise ValueError("details: a table of values was expected")
    columns = {name: values[name] for name in TRIAL_COLUMNS}
    return TrialRecord.model_validate({**details, **columns})


def history(rows: Iterable[Mapping[Any, Any]]) -> History:
    """Return epochs from their rows as they are stored, in their order.

    Raises:
        Exception: A column is damaged; see `reading_row`.
    """
    values = [with_json(row, epochs) for row in rows]
    return _EPOCHS.validate_python([{**row, "others": row["others"] or {}} for row in values])


class Heading(NamedTuple):
    """What identifies a run or study, and what made it."""

    id: str
    name: str
    created_at: datetime
    deleted_at: datetime | None
    lab_id: str | None = None
    study_id: str | None = None


def headings(rows: Iterable[Mapping[Any, Any]]) -> list[Heading]:
    """Return the headings of rows, oldest first.

    A damaged row does no harm to the others here: it is left out if its id is no id, and damaged
    values are replaced, so that reading the whole record explains what is wrong.
    """
    found = []
    for row in rows:
        try:
            record_id = checked_id(row["id"])
        except ValueError:
            continue
        name = row["name"] if isinstance(row["name"], str) else ""
        created_at = _time_or(row["created_at"], datetime.min.replace(tzinfo=UTC))
        deleted_at = None
        if row["deleted_at"] is not None:
            deleted_at = _time_or(row["deleted_at"], created_at)
        makers = [row.get("lab_id"), row.get("study_id")]
        lab_id, study_id = (maker if isinstance(maker, str) else None for maker in makers)
        found.append(Heading(record_id, name, created_at, deleted_at, lab_id, study_id))
    return sorted(found, key=lambda heading: (heading.created_at, heading.id))


def _time_or(value: Any, default: datetime) -> datetime:
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return default
