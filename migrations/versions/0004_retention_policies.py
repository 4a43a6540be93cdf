"""policies of how long observations are kept

Revision ID: 0004
Revises: 0003
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "retention_policies",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("project_id", KEY, nullable=False),
        sa.Column("selector", sa.String(length=64), nullable=False),
        sa.Column("labels", DOCUMENT, nullable=False),
        sa.Column("keep", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.pk"], name=op.f("fk_retention_policies_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_retention_policies")),
        sa.UniqueConstraint("project_id", "selector", name=op.f("uq_retention_policies_project_id_selector")),
    )


def downgrade() -> None:
    """Undo this revision."""
    op.drop_table("retention_policies")
