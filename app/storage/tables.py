"""The ORM's tables. Times are int64 microseconds UTC; every tenant-owned row has its project."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.storage.clock import now_us

Key = BigInteger().with_variant(Integer, "sqlite")
Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
Words = Text().with_variant(Text(collation="C"), "postgresql")  # pages are ordered by code point on both


class Table(DeclarativeBase):
    """The base of all tables, with names for every constraint so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {dict[str, Any]: Document, list[Any]: Document}  # noqa: RUF012 - SQLAlchemy reads it


class Project(Table):
    """A tenant."""

    __tablename__ = "projects"

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())


class ApiKey(Table):
    """A bearer key, of which only the digest is kept."""

    __tablename__ = "api_keys"

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(16))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    rights: Mapped[list[Any]]
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())
    revoked_at: Mapped[int | None] = mapped_column(BigInteger)


class SeriesRow(Table):
    """One target over time. `first_ts` and `last_ts` are those of observed values, `count` is of rows."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("project_id", "id"),)

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"))
    id: Mapped[str] = mapped_column(Words)
    freq: Mapped[str] = mapped_column(String(40))
    timezone: Mapped[str] = mapped_column(String(64))
    anchor: Mapped[int | None] = mapped_column(BigInteger)
    unit: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    labels: Mapped[dict[str, Any]]
    static: Mapped[dict[str, Any]]
    version: Mapped[int] = mapped_column(BigInteger, default=1)
    count: Mapped[int] = mapped_column(BigInteger, default=0)
    first_ts: Mapped[int | None] = mapped_column(BigInteger)
    last_ts: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())


class Observation(Table):
    """A (timestamp, value) of a series; a missing value is NULL."""

    __tablename__ = "observations"
    __table_args__ = ({"sqlite_with_rowid": False},)

    series_pk: Mapped[int] = mapped_column(ForeignKey("series.pk", ondelete="CASCADE"), primary_key=True)
    ts: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    y: Mapped[float | None] = mapped_column(Double)


class Covariate(Table):
    """A named input beside the target, numeric or categorical."""

    __tablename__ = "covariates"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Words)
    kind: Mapped[str] = mapped_column(String(16))


class CovariateValue(Table):
    """A covariate's value at a time: `value` of a numeric one, `level` of a categorical one."""

    __tablename__ = "covariate_values"
    __table_args__ = ({"sqlite_with_rowid": False},)

    series_pk: Mapped[int] = mapped_column(ForeignKey("series.pk", ondelete="CASCADE"), primary_key=True)
    covariate_pk: Mapped[int] = mapped_column(
        ForeignKey("covariates.pk", ondelete="CASCADE"), primary_key=True, index=True
    )
    ts: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    value: Mapped[float | None] = mapped_column(Double)
    level: Mapped[str | None] = mapped_column(Text)


class ModelRow(Table):
    """A named training specification; what is fixed here is fixed by its first training."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Words)
    freq: Mapped[str] = mapped_column(String(40))
    horizon: Mapped[int]
    quantiles: Mapped[list[Any]]
    champion: Mapped[int | None]
    last_version: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())


class VersionRow(Table):
    """One immutable result of training a model. A job publishes at most one."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("model_pk", "number"),)

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    model_pk: Mapped[int] = mapped_column(ForeignKey("models.pk", ondelete="CASCADE"))
    number: Mapped[int]
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), unique=True)
    promoted: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str] = mapped_column(Text)
    config: Mapped[dict[str, Any]]
    metrics: Mapped[dict[str, Any]]
    loss_curve: Mapped[dict[str, Any]]
    data_span: Mapped[dict[str, Any]]
    warnings: Mapped[list[Any]]
    artifact: Mapped[str] = mapped_column(Text)
    """folder in the artifact store"""
    digest: Mapped[str] = mapped_column(String(64))
    """sha256 of its manifest, which holds those of the other files"""
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())


class JobRow(Table):
    """A unit of background work. `attempt` is its fence: a run writes only while it is the newest."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_project_id_created_at", "project_id", "created_at"),
        Index("ix_jobs_model_pk", "model_pk"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    model_pk: Mapped[int | None] = mapped_column(ForeignKey("models.pk", ondelete="SET NULL"))
    model: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(12))
    request: Mapped[dict[str, Any]]
    progress: Mapped[dict[str, Any] | None]
    attempt: Mapped[int] = mapped_column(default=0)
    version: Mapped[int | None]
    error: Mapped[dict[str, Any] | None]
    snapshot: Mapped[str | None] = mapped_column(Text)
    """path in the artifact store of the data and configuration that every attempt trains on"""
    checkpoint: Mapped[str | None] = mapped_column(Text)
    """path in the artifact store of the state that the next attempt continues from"""
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())
    started_at: Mapped[int | None] = mapped_column(BigInteger)
    finished_at: Mapped[int | None] = mapped_column(BigInteger)


class JobEvent(Table):
    """What happened to a job, in order."""

    __tablename__ = "job_events"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    ts: Mapped[int] = mapped_column(BigInteger, default=now_us())
    kind: Mapped[str] = mapped_column(String(20))
    data: Mapped[dict[str, Any]]


class WorkerLease(Table):
    """A worker is alive until `expires_at` by the database's clock."""

    __tablename__ = "worker_leases"

    executor_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    host: Mapped[str] = mapped_column(Text)
    started_at: Mapped[int] = mapped_column(BigInteger, default=now_us())
    expires_at: Mapped[int] = mapped_column(BigInteger)


class IdempotencyRecord(Table):
    """The answer that a repeated call with the same Idempotency-Key is given."""

    __tablename__ = "idempotency_records"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    body_digest: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    location: Mapped[str | None] = mapped_column(Text)
    body: Mapped[dict[str, Any]]
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us(), index=True)
