"""Runs and their epochs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "runs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("recipe", sa.JSON, nullable=False),
        sa.Column("recipe_fingerprint", sa.String, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("network", sa.JSON, nullable=False),
        sa.Column("precision", sa.String, nullable=False),
        sa.Column("threads", sa.Integer, nullable=False),
        sa.Column("deterministic", sa.Boolean, nullable=False),
        sa.Column("versions", sa.JSON, nullable=False),
        sa.Column("results", sa.JSON),
        sa.Column("error", sa.String),
        sa.Column("deleted_at", sa.DateTime),
    )
    op.create_index("ix_runs_recipe_fingerprint", "runs", ["recipe_fingerprint"])
    op.create_table(
        "epochs",
        sa.Column(
            "run_id", sa.String, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("epoch", sa.Integer, primary_key=True),
        sa.Column("loss", sa.Float, nullable=False),
        sa.Column("accuracy", sa.Float, nullable=False),
        sa.Column("val_loss", sa.Float, nullable=False),
        sa.Column("val_accuracy", sa.Float, nullable=False),
        sa.Column("learning_rate", sa.Float, nullable=False),
        sa.Column("duration_seconds", sa.Float, nullable=False),
        sa.Column("images_per_second", sa.Float, nullable=False),
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("epochs")
    op.drop_table("runs")
