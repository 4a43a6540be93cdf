"""keys that are about the series with some labels

Revision ID: 0013
Revises: 0012
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

DOCUMENT = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply this revision."""
    op.add_column("api_keys", sa.Column("labels", DOCUMENT, nullable=True))


def downgrade() -> None:
    """Undo this revision. A key that was about some series would be about all of them then: it is revoked."""
    op.execute("UPDATE api_keys SET revoked_at = created_at WHERE labels IS NOT NULL AND revoked_at IS NULL")
    op.drop_column("api_keys", "labels")
