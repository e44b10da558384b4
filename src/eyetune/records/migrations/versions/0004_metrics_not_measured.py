"""Epochs of networks that measure no accuracy, or that are not validated."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_METRICS = ("accuracy", "val_loss", "val_accuracy")


def upgrade() -> None:
    """Allow epochs without these metrics."""
    with op.batch_alter_table("epochs") as table:
        for name in _METRICS:
            table.alter_column(name, existing_type=sa.Float, nullable=True)


def downgrade() -> None:
    """Delete the epochs that lack one of the metrics, and require them again."""
    missing = " or ".join(f"{name} is null" for name in _METRICS)
    op.execute(f"delete from epochs where {missing}")  # nosec B608  # of the names above
    with op.batch_alter_table("epochs") as table:
        for name in _METRICS:
            table.alter_column(name, existing_type=sa.Float, nullable=False)
