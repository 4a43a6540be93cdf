"""scopes, expiry and rotation of keys

Revision ID: 0008
Revises: 0007

Keys that could read may read and forecast, those that could write may write and train too; none may manage keys.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

DOCUMENT = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
KEYS = sa.table("api_keys", sa.column("pk", sa.BigInteger), sa.column("rights", DOCUMENT))
ADDED = {"read": ["read", "forecast"], "write": ["write", "train"]}

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply this revision."""
    op.add_column("api_keys", sa.Column("family", sa.BigInteger(), nullable=True))
    op.add_column("api_keys", sa.Column("expires_at", sa.BigInteger(), nullable=True))
    op.add_column("api_keys", sa.Column("last_used_at", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_api_keys_family"), "api_keys", ["family"], unique=False)
    connection = op.get_bind()
    for pk, rights in connection.execute(sa.select(KEYS.c.pk, KEYS.c.rights)).all():
        scopes = [scope for right in rights for scope in ADDED[right]]
        connection.execute(sa.update(KEYS).where(KEYS.c.pk == pk).values(rights=scopes))


def downgrade() -> None:
    """Undo this revision; a key that may neither read nor write may read nothing, and what ends some day ends now."""
    connection = op.get_bind()
    for pk, scopes in connection.execute(sa.select(KEYS.c.pk, KEYS.c.rights)).all():
        rights = [right for right in ADDED if right in scopes]
        connection.execute(sa.update(KEYS).where(KEYS.c.pk == pk).values(rights=rights))
    op.execute("UPDATE api_keys SET revoked_at = expires_at WHERE revoked_at IS NULL AND expires_at IS NOT NULL")
    op.drop_index(op.f("ix_api_keys_family"), table_name="api_keys")
    op.drop_column("api_keys", "last_used_at")
    op.drop_column("api_keys", "expires_at")
    op.drop_column("api_keys", "family")
