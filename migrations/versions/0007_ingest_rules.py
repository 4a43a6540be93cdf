"""rules by which samples become series, and the steps that these fill

Revision ID: 0007
Revises: 0006
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
ORDERED_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "ingest_rules",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("project_id", KEY, nullable=False),
        sa.Column("name", ORDERED_TEXT, nullable=False),
        sa.Column("match", DOCUMENT, nullable=False),
        sa.Column("freq", sa.String(length=40), nullable=False),
        sa.Column("aggregate", sa.String(length=8), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("labels", DOCUMENT, nullable=True),
        sa.Column("create", sa.Boolean(), nullable=False),
        sa.Column("most_series", sa.Integer(), nullable=False),
        sa.Column("late", sa.String(length=20), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("dropped", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("last_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.pk"], name=op.f("fk_ingest_rules_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_ingest_rules")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_ingest_rules_project_id_name")),
    )
    op.create_table(
        "fed_series",
        sa.Column("series_pk", KEY, nullable=False),
        sa.Column("rule_pk", KEY, nullable=True),
        sa.ForeignKeyConstraint(
            ["series_pk"], ["series.pk"], name=op.f("fk_fed_series_series_pk_series"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["rule_pk"], ["ingest_rules.pk"], name=op.f("fk_fed_series_rule_pk_ingest_rules"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("series_pk", name=op.f("pk_fed_series")),
    )
    op.create_index(op.f("ix_fed_series_rule_pk"), "fed_series", ["rule_pk"], unique=False)
    op.create_table(
        "fed_steps",
        sa.Column("series_pk", KEY, nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("y", sa.Double(), nullable=True),
        sa.Column("newest", sa.BigInteger(), nullable=False),
        sa.Column("closes_at", sa.BigInteger(), nullable=True),
        sa.Column("final_before", sa.BigInteger(), nullable=True),
        sa.Column("samples", sa.LargeBinary(), nullable=False),
        sa.Column("folded", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["series_pk"], ["series.pk"], name=op.f("fk_fed_steps_series_pk_series"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("series_pk", "ts", name=op.f("pk_fed_steps")),
    )
    op.create_index(op.f("ix_fed_steps_closes_at"), "fed_steps", ["closes_at"], unique=False)


def downgrade() -> None:
    """Undo this revision; steps that are still being filled are forgotten."""
    op.drop_index(op.f("ix_fed_steps_closes_at"), table_name="fed_steps")
    op.drop_table("fed_steps")
    op.drop_index(op.f("ix_fed_series_rule_pk"), table_name="fed_series")
    op.drop_table("fed_series")
    op.drop_table("ingest_rules")
