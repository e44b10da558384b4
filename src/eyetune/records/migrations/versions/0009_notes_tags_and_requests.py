"""Notes and tags of runs, and requests to running studies."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("runs", sa.Column("note", sa.String))
    op.add_column("runs", sa.Column("tags", sa.JSON))
    op.create_table(
        "requests",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "study_id", sa.String, sa.ForeignKey("studies.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("hyperparameters", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("requests")
    for name in ("note", "tags"):
        op.drop_column("runs", name)
