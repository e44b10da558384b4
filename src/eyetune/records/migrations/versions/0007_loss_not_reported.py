"""Epochs of a training step of the user's own that reports no loss."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Allow epochs without a loss."""
    with op.batch_alter_table("epochs") as table:
        table.alter_column("loss", existing_type=sa.Float, nullable=True)


def downgrade() -> None:
    """Delete the epochs without a loss, and require it again."""
    op.execute("delete from epochs where loss is null")
    with op.batch_alter_table("epochs") as table:
        table.alter_column("loss", existing_type=sa.Float, nullable=False)
