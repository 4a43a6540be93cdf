"""quotas of projects, and marks of deleted ones

Revision ID: 0010
Revises: 0009
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

DOCUMENT = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply this revision."""
    op.add_column("projects", sa.Column("quotas", DOCUMENT, nullable=False, server_default="{}"))
    op.add_column("projects", sa.Column("deleted_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Undo this revision; projects that were deleted are there again, empty and without keys."""
    op.drop_column("projects", "deleted_at")
    op.drop_column("projects", "quotas")
