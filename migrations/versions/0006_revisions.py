"""revisions of versions, and refreshes in schedules

Revision ID: 0006
Revises: 0005

Every new column has a default in the database, so that processes of the release before go on beside those of this one.
Archived forecasts are told apart by the revision too: until it is replaced, a worker of the release before fails its
scheduled forecasts, which names the columns that were unique. SQLite copies the archive for that.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TOLD = ["model_pk", "series_pk", "origin", "version", "series_version"]
MADE = ["model_pk", "series_pk", "origin", "version", "revision", "series_version"]

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "revisions",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("version_pk", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=True),
        sa.Column("promoted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("metrics", DOCUMENT, nullable=False),
        sa.Column("data_end", sa.BigInteger(), nullable=True),
        sa.Column("artifact", sa.Text(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_pk"], ["versions.pk"], name=op.f("fk_revisions_version_pk_versions"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_revisions_job_id_jobs")),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_revisions")),
        sa.UniqueConstraint("version_pk", "number", name=op.f("uq_revisions_version_pk_number")),
        sa.UniqueConstraint("job_id", name=op.f("uq_revisions_job_id")),
    )
    op.add_column("versions", sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("schedules", sa.Column("refresh", sa.String(length=100), nullable=True))
    op.add_column("schedules", sa.Column("refresh_at", sa.BigInteger(), nullable=True))
    op.add_column("archived_forecasts", sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("archived_forecasts") as batch:
        batch.drop_constraint("uq_archived_forecasts_told", type_="unique")
        batch.create_unique_constraint("uq_archived_forecasts_made", MADE)


def downgrade() -> None:
    """Undo this revision; versions serve as they were trained, and of what revisions forecast the first is kept."""
    op.execute(
        "UPDATE versions SET artifact = r.artifact, digest = r.digest FROM revisions r "
        "WHERE r.version_pk = versions.pk AND r.number = 0"
    )
    op.execute(
        "DELETE FROM archived_forecasts WHERE pk NOT IN (SELECT MIN(pk) FROM archived_forecasts "
        "GROUP BY model_pk, series_pk, origin, version, series_version)"
    )
    with op.batch_alter_table("archived_forecasts") as batch:
        batch.drop_constraint("uq_archived_forecasts_made", type_="unique")
        batch.create_unique_constraint("uq_archived_forecasts_told", TOLD)
    op.drop_column("archived_forecasts", "revision")
    op.drop_column("schedules", "refresh_at")
    op.drop_column("schedules", "refresh")
    op.drop_column("versions", "revision")
    op.drop_table("revisions")
