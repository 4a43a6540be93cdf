"""initial schema

Revision ID: 0001
Revises:
"""

import time
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "projects",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_projects")),
        sa.UniqueConstraint("name", name=op.f("uq_projects_name")),
    )
    projects = sa.table("projects", sa.column("name", sa.String), sa.column("created_at", sa.BigInteger))
    op.bulk_insert(projects, [{"name": "default", "created_at": int(time.time() * 1_000_000)}])
    op.create_table(
        "worker_leases",
        sa.Column("executor_id", sa.String(length=64), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("executor_id", name=op.f("pk_worker_leases")),
    )
    op.create_table(
        "api_keys",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("project_id", KEY, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("rights", DOCUMENT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.pk"], name=op.f("fk_api_keys_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_keys_digest")),
    )
    op.create_index(op.f("ix_api_keys_project_id"), "api_keys", ["project_id"], unique=False)
    op.create_table(
        "covariates",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("project_id", KEY, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.pk"],
            name=op.f("fk_covariates_project_id_projects"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_covariates")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_covariates_project_id_name")),
    )
    op.create_table(
        "idempotency_records",
        sa.Column("project_id", KEY, nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("body_digest", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("body", DOCUMENT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.pk"],
            name=op.f("fk_idempotency_records_project_id_projects"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("project_id", "key", "route", name=op.f("pk_idempotency_records")),
    )
    op.create_index(op.f("ix_idempotency_records_created_at"), "idempotency_records", ["created_at"], unique=False)
    op.create_table(
        "models",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("project_id", KEY, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("freq", sa.String(length=40), nullable=False),
        sa.Column("horizon", sa.Integer(), nullable=False),
        sa.Column("quantiles", DOCUMENT, nullable=False),
        sa.Column("champion", sa.Integer(), nullable=True),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.pk"], name=op.f("fk_models_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_models")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_models_project_id_name")),
    )
    op.create_table(
        "series",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("project_id", KEY, nullable=False),
        sa.Column("id", WORDS, nullable=False),
        sa.Column("freq", sa.String(length=40), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("anchor", sa.BigInteger(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("labels", DOCUMENT, nullable=False),
        sa.Column("static", DOCUMENT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_ts", sa.BigInteger(), nullable=True),
        sa.Column("last_ts", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.pk"], name=op.f("fk_series_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_series")),
        sa.UniqueConstraint("project_id", "id", name=op.f("uq_series_project_id_id")),
    )
    op.create_table(
        "covariate_values",
        sa.Column("series_pk", KEY, nullable=False),
        sa.Column("covariate_pk", KEY, nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("level", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["covariate_pk"],
            ["covariates.pk"],
            name=op.f("fk_covariate_values_covariate_pk_covariates"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["series_pk"],
            ["series.pk"],
            name=op.f("fk_covariate_values_series_pk_series"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("series_pk", "covariate_pk", "ts", name=op.f("pk_covariate_values")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_covariate_values_covariate_pk"), "covariate_values", ["covariate_pk"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project_id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("model_pk", KEY, nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("request", DOCUMENT, nullable=False),
        sa.Column("progress", DOCUMENT, nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("error", DOCUMENT, nullable=True),
        sa.Column("snapshot", sa.Text(), nullable=True),
        sa.Column("checkpoint", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["model_pk"], ["models.pk"], name=op.f("fk_jobs_model_pk_models"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.pk"], name=op.f("fk_jobs_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_model_pk", "jobs", ["model_pk"], unique=False)
    op.create_index("ix_jobs_project_id_created_at", "jobs", ["project_id", "created_at"], unique=False)
    op.create_table(
        "observations",
        sa.Column("series_pk", KEY, nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("y", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["series_pk"], ["series.pk"], name=op.f("fk_observations_series_pk_series"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("series_pk", "ts", name=op.f("pk_observations")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "job_events",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("data", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_events_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "seq", name=op.f("pk_job_events")),
    )
    op.create_table(
        "versions",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("model_pk", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("promoted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("config", DOCUMENT, nullable=False),
        sa.Column("metrics", DOCUMENT, nullable=False),
        sa.Column("loss_curve", DOCUMENT, nullable=False),
        sa.Column("data_span", DOCUMENT, nullable=False),
        sa.Column("warnings", DOCUMENT, nullable=False),
        sa.Column("artifact", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_versions_job_id_jobs")),
        sa.ForeignKeyConstraint(
            ["model_pk"], ["models.pk"], name=op.f("fk_versions_model_pk_models"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_versions")),
        sa.UniqueConstraint("job_id", name=op.f("uq_versions_job_id")),
        sa.UniqueConstraint("model_pk", "number", name=op.f("uq_versions_model_pk_number")),
    )


def downgrade() -> None:
    """Undo this revision."""
    op.drop_table("versions")
    op.drop_table("job_events")
    op.drop_table("observations")
    op.drop_table("jobs")
    op.drop_table("covariate_values")
    op.drop_table("series")
    op.drop_table("models")
    op.drop_table("idempotency_records")
    op.drop_table("covariates")
    op.drop_table("api_keys")
    op.drop_table("worker_leases")
    op.drop_table("projects")
