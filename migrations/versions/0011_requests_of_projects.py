"""how many requests projects make in a month

Revision ID: 0011
Revises: 0010
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply this revision."""
    op.add_column("projects", sa.Column("requests", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("projects", sa.Column("requests_month", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Undo this revision."""
    op.drop_column("projects", "requests_month")
    op.drop_column("projects", "requests")
