"""The callbacks that saw a run, and the run that it continues."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("runs", sa.Column("callbacks", sa.JSON))
    op.add_column("runs", sa.Column("continued_from", sa.String))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("runs", "continued_from")
    op.drop_column("runs", "callbacks")
