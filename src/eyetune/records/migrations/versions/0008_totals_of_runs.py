"""Totals over the epochs of each run, so that lists need not read every epoch."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_NAMES = ("total_epochs", "total_seconds", "total_seconds_per_image")


def upgrade() -> None:
    """Add the columns and fill them."""
    op.add_column("runs", sa.Column("total_epochs", sa.Integer))
    op.add_column("runs", sa.Column("total_seconds", sa.Float))
    op.add_column("runs", sa.Column("total_seconds_per_image", sa.Float))
    op.execute(
        "update runs set (total_epochs, total_seconds, total_seconds_per_image) = ("
        "select count(*), total(duration_seconds), total(1.0 / images_per_second) "
        "from epochs where run_id = runs.id)"
    )


def downgrade() -> None:
    """Drop the columns."""
    for name in _NAMES:
        op.drop_column("runs", name)
