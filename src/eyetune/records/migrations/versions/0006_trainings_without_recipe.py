"""How the network of a training without a recipe was compiled."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column."""
    op.add_column("runs", sa.Column("keras_fit", sa.JSON))


def downgrade() -> None:
    """Drop the column, and the runs that have no recipe."""
    op.execute("delete from runs where keras_fit is not null")
    op.drop_column("runs", "keras_fit")
