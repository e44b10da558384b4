"""Studies and their trials; metrics of epochs beyond the usual ones."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables and add the column."""
    op.add_column("epochs", sa.Column("others", sa.JSON))
    op.create_table(
        "studies",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
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
    op.create_table(
        "trials",
        sa.Column(
            "study_id", sa.String, sa.ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("run", sa.String),
        sa.Column("details", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables and the column."""
    op.drop_table("trials")
    op.drop_table("studies")
    op.drop_column("epochs", "others")
