"""job options and results, provenance of versions, schedules, archived forecasts

Revision ID: 0002
Revises: 0001

Every new column has a default in the database, so that processes of the release before go on beside those of this one.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

OPTIONS: tuple[tuple[str, Any, dict[str, Any]], ...] = (
    ("labels", DOCUMENT, {"nullable": False, "server_default": "{}"}),
    ("queue", sa.String(length=20), {"nullable": False, "server_default": "cpu"}),
    ("priority", sa.Integer(), {"nullable": False, "server_default": "5"}),
    ("timeout_s", sa.Double(), {"nullable": True}),
    ("estimate", DOCUMENT, {"nullable": True}),
    ("stopping", sa.Boolean(), {"nullable": False, "server_default": sa.false()}),
    ("started_by", sa.Text(), {"nullable": True}),
)


def upgrade() -> None:
    """Apply this revision."""
    # the tables first: their keys wait for writers of `series` and `models`, and nothing else may be locked meanwhile
    op.create_table(
        "archived_forecasts",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("model_pk", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("series_pk", KEY, nullable=False),
        sa.Column("series_version", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.BigInteger(), nullable=False),
        sa.Column("scale", sa.Double(), nullable=True),
        sa.Column("forecast", DOCUMENT, nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_pk"], ["models.pk"], name=op.f("fk_archived_forecasts_model_pk_models"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["series_pk"], ["series.pk"], name=op.f("fk_archived_forecasts_series_pk_series"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_archived_forecasts")),
        sa.UniqueConstraint(
            "model_pk",
            "series_pk",
            "origin",
            "version",
            "series_version",
            name="uq_archived_forecasts_told",
        ),
    )
    op.create_index(
        op.f("ix_archived_forecasts_model_pk_origin"), "archived_forecasts", ["model_pk", "origin"], unique=False
    )
    op.create_index(op.f("ix_archived_forecasts_series_pk"), "archived_forecasts", ["series_pk"], unique=False)
    op.create_index(op.f("ix_archived_forecasts_made_at"), "archived_forecasts", ["made_at"], unique=False)
    op.create_table(
        "schedules",
        sa.Column("model_pk", KEY, nullable=False),
        sa.Column("train", sa.String(length=100), nullable=True),
        sa.Column("forecast", sa.String(length=100), nullable=True),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("train_on_drift", sa.Boolean(), nullable=False),
        sa.Column("train_at", sa.BigInteger(), nullable=True),
        sa.Column("forecast_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_pk"], ["models.pk"], name=op.f("fk_schedules_model_pk_models"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_pk", name=op.f("pk_schedules")),
    )
    op.create_table(
        "job_results",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("document", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_results_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_results")),
    )
    for name, kind, options in OPTIONS:
        op.add_column("jobs", sa.Column(name, kind, **options))
    op.create_index(op.f("ix_jobs_status_queue"), "jobs", ["status", "queue"], unique=False)
    op.add_column("versions", sa.Column("provenance", DOCUMENT, nullable=False, server_default="{}"))
    op.add_column("worker_leases", sa.Column("queues", DOCUMENT, nullable=False, server_default='["cpu"]'))


def downgrade() -> None:
    """Undo this revision."""
    op.drop_table("archived_forecasts")
    op.drop_table("schedules")
    op.drop_table("job_results")
    op.drop_column("worker_leases", "queues")
    op.drop_column("versions", "provenance")
    op.drop_index(op.f("ix_jobs_status_queue"), table_name="jobs")
    for name, *_ in reversed(OPTIONS):
        op.drop_column("jobs", name)
