"""Which lab or study made a run, how a run failed, and studies in the trash."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_STUDIES = sa.Table(
    "studies",
    sa.MetaData(),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("space", sa.JSON, nullable=False),
    sa.Column("data_fingerprint", sa.String, nullable=False),
    sa.Column("data_name", sa.String, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("ending", sa.String, nullable=False),
    sa.Column("versions", sa.JSON, nullable=False),
)


def upgrade() -> None:
    """Add the columns, fill them for earlier records, and free the names of deleted studies."""
    op.add_column("runs", sa.Column("failure", sa.String))
    op.add_column("runs", sa.Column("lab_id", sa.String))
    op.add_column("runs", sa.Column("study_id", sa.String))
    # Earlier versions kept how a run failed in the wording of its error only.
    op.execute("update runs set failure = 'other' where state = 'FAILED'")
    op.execute(
        "update runs set failure = 'diverged' "
        "where state = 'FAILED' and error like '%the training diverged%'"
    )
    op.execute(
        "update runs set study_id = (select study_id from trials where trials.run = runs.id)"
    )
    _fill_labs()
    # A name has to be unique only among the studies that are not in the trash. SQLite cannot drop
    # the constraint: `copy_from` makes the table again without it.
    with op.batch_alter_table("studies", copy_from=_STUDIES, recreate="always") as table:
        table.add_column(sa.Column("deleted_at", sa.DateTime))
    op.create_index(
        "ix_studies_name",
        "studies",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the columns, and the studies in the trash."""
    op.execute("delete from studies where deleted_at is not null")
    op.drop_index("ix_studies_name", "studies")
    with op.batch_alter_table("studies") as table:
        table.drop_column("deleted_at")
        table.create_unique_constraint("uq_studies_name", ["name"])
    for name in ("failure", "lab_id", "study_id"):
        op.drop_column("runs", name)


def _fill_labs() -> None:
    """Find the runs of earlier labs by their ids in the labs' files, and by the labels they got.

    A lab can also use a run that a user trained before, under another name; it stays the user's.
    """
    connection = op.get_bind()
    database = connection.engine.url.database
    for path in sorted(Path(database or "").parent.glob("labs/*/lab.json")):
        try:
            lab = json.loads(path.read_bytes())
            members = list(_members(lab))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # the file is damaged
        for run_id, names in members:
            connection.execute(
                sa.text(
                    "update runs set lab_id = :lab where id = :run and lab_id is null "
                    "and name in (:first, :second)"
                ),
                {"lab": path.parent.name, "run": run_id, "first": names[0], "second": names[1]},
            )


def _members(lab: dict[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the id of each run of a lab with the two names that the lab may have given it."""
    compared = [lab["baseline"], *lab["techniques"], *(step["effect"] for step in lab["steps"])]
    for trained in compared:
        for run_id in trained["runs"]:
            yield run_id, (trained["label"], trained["label"])
    for final in (lab["final_baseline"], lab["final"]):
        for run_id in final["runs"]:
            yield run_id, ("baseline, for test", "best, for test")
