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
    false,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.storage.clock import now_us

Key = BigInteger().with_variant(Integer, "sqlite")
Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
OrderedText = Text().with_variant(Text(collation="C"), "postgresql")  # pages are ordered by code point on both


class Table(DeclarativeBase):
    """Base of all tables. It names every constraint, so that migrations can refer to it."""

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
    quotas: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    """how much it may have, by the names of `usage.COUNTS`"""
    requests: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """that it has made in `requests_month`"""
    requests_month: Mapped[int | None]
    """such as 202603"""
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())
    deleted_at: Mapped[int | None] = mapped_column(BigInteger)
    """its row stays, and so do those of its keys: what remembers their numbers must not find others under them"""


class ApiKey(Table):
    """A secret of a bearer key, of which only the digest is kept. While a key is rotated it has two that are valid."""

    __tablename__ = "api_keys"

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(16))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    rights: Mapped[list[Any]]
    family: Mapped[int | None] = mapped_column(BigInteger, index=True)
    """the key's number: that of its first secret, None in itself"""
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())
    expires_at: Mapped[int | None] = mapped_column(BigInteger)
    last_used_at: Mapped[int | None] = mapped_column(BigInteger)
    """written once a minute at most"""
    labels: Mapped[dict[str, Any] | None]
    """of the series that it is about; None: of every series"""
    revoked_at: Mapped[int | None] = mapped_column(BigInteger)


class LoginSession(Table):
    """A browser that has logged in with an identity provider; of its secret only the digest is kept."""

    __tablename__ = "login_sessions"

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"), index=True)
    who: Mapped[str] = mapped_column(Text)
    rights: Mapped[list[Any]]
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True)


class AuditEntry(Table):
    """Something that was done in a project. It outlives the project, and is never changed."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_project_id_pk", "project_id", "pk"),)

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[int] = mapped_column(BigInteger, default=now_us())
    who: Mapped[str] = mapped_column(Text)
    key: Mapped[int | None] = mapped_column(BigInteger)
    """number of the bearer key: names may be given twice"""
    action: Mapped[str] = mapped_column(String(40))
    target: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]


class LinkSecret(Table):
    """The secret that signs a project's links. It is made with the first link, and never leaves the service."""

    __tablename__ = "link_secrets"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())


class SeriesRow(Table):
    """One target over time. `first_ts` and `last_ts` are stamps of observed values; `count` is the number of rows."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("project_id", "id"),)

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"))
    id: Mapped[str] = mapped_column(OrderedText)
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
    """A named column beside the target, numeric or categorical."""

    __tablename__ = "covariates"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(OrderedText)
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


class RetentionPolicy(Table):
    """How far back the series of a project reach that have every one of some labels."""

    __tablename__ = "retention_policies"
    __table_args__ = (UniqueConstraint("project_id", "selector"),)

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"))
    selector: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the labels, since a policy is replaced by one of the same labels"""
    labels: Mapped[dict[str, Any]]
    keep: Mapped[str] = mapped_column(String(20))
    """a duration as it was sent, such as `730D`"""
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())


class IngestRule(Table):
    """Which samples become a series, and how: the first rule of a project by name that matches takes a sample."""

    __tablename__ = "ingest_rules"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(OrderedText)
    match: Mapped[dict[str, Any]]
    """{label: its value, or an expression behind `~`}"""
    freq: Mapped[str] = mapped_column(String(40))
    aggregate: Mapped[str] = mapped_column(String(8))
    timezone: Mapped[str] = mapped_column(String(64))
    template: Mapped[str] = mapped_column(Text)
    """of the series' ids"""
    labels: Mapped[list[Any] | None]
    create: Mapped[bool] = mapped_column(Boolean)
    most_series: Mapped[int]
    late: Mapped[str] = mapped_column(String(20))
    """a duration as it was sent, such as `1h`"""
    revision: Mapped[int] = mapped_column(default=1)
    samples: Mapped[int] = mapped_column(BigInteger, default=0)
    dropped: Mapped[int] = mapped_column(BigInteger, default=0)
    problem: Mapped[str | None] = mapped_column(Text)
    """why the last sample was dropped, and what to do"""
    last_at: Mapped[int | None] = mapped_column(BigInteger)
    """when the last samples came"""
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())


class FedSeries(Table):
    """A series that a rule feeds."""

    __tablename__ = "fed_series"

    series_pk: Mapped[int] = mapped_column(ForeignKey("series.pk", ondelete="CASCADE"), primary_key=True)
    rule_pk: Mapped[int | None] = mapped_column(ForeignKey("ingest_rules.pk", ondelete="SET NULL"), index=True)


class FedStep(Table):
    """A step of a fed series that samples may still change, and the samples that it has."""

    __tablename__ = "fed_steps"

    series_pk: Mapped[int] = mapped_column(ForeignKey("series.pk", ondelete="CASCADE"), primary_key=True)
    ts: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    y: Mapped[float | None] = mapped_column(Double)
    """what the samples make"""
    newest: Mapped[int] = mapped_column(BigInteger)
    """time of the newest sample"""
    closes_at: Mapped[int | None] = mapped_column(BigInteger, index=True)
    """of the step that is being filled: when it becomes an observation though no later step has begun; else None"""
    final_before: Mapped[int | None] = mapped_column(BigInteger)
    """as the step was last written: steps before this stamp take no sample in, what they were made of is forgotten"""
    samples: Mapped[bytes] = mapped_column(LargeBinary)
    folded: Mapped[bytes | None] = mapped_column(LargeBinary)
    """summaries of samples that are too old for a repeated one to be told from a late one"""


class ModelRow(Table):
    """A named training specification, which the first training fixes."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(OrderedText)
    freq: Mapped[str] = mapped_column(String(40))
    horizon: Mapped[int]
    quantiles: Mapped[list[Any]]
    champion: Mapped[int | None]
    last_version: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())


class VersionRow(Table):
    """One result of training a model, in which only the revision that serves changes. A job publishes at most one."""

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
    revision: Mapped[int] = mapped_column(default=0, server_default="0")
    """the one that serves; 0: as it was trained"""
    artifact: Mapped[str] = mapped_column(Text)
    """folder of that revision in the artifact store"""
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of its manifest, which holds the digests of the other files"""
    provenance: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    """its origin: packages, seed, digest of the data, who or what requested it"""
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())


class RevisionRow(Table):
    """A version with closed-form parts that were fitted again, or the attempt at that. A job publishes at most one.

    Number 0 is the version as it was trained; it is added with the first refresh.
    """

    __tablename__ = "revisions"
    __table_args__ = (UniqueConstraint("version_pk", "number"),)

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    version_pk: Mapped[int] = mapped_column(ForeignKey("versions.pk", ondelete="CASCADE"))
    number: Mapped[int]
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"), unique=True)
    promoted: Mapped[bool] = mapped_column(Boolean)
    """whether it went live when it was made"""
    reason: Mapped[str] = mapped_column(Text)
    metrics: Mapped[dict[str, Any]]
    data_end: Mapped[int | None] = mapped_column(BigInteger)
    """newest stamp of what it was fitted on"""
    artifact: Mapped[str | None] = mapped_column(Text)
    """folder in the artifact store; None: there is nothing to serve, or its files were removed"""
    digest: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of its manifest"""
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())


class Schedule(Table):
    """When a model is trained again and refreshed, and its champion's forecasts are archived: cron in a timezone."""

    __tablename__ = "schedules"

    model_pk: Mapped[int] = mapped_column(ForeignKey("models.pk", ondelete="CASCADE"), primary_key=True)
    train: Mapped[str | None] = mapped_column(String(100))
    forecast: Mapped[str | None] = mapped_column(String(100))
    refresh: Mapped[str | None] = mapped_column(String(100))
    timezone: Mapped[str] = mapped_column(String(64))
    train_on_drift: Mapped[bool] = mapped_column(Boolean)
    train_at: Mapped[int | None] = mapped_column(BigInteger)
    """when it is next due; whoever moves it on queues the job"""
    forecast_at: Mapped[int | None] = mapped_column(BigInteger)
    refresh_at: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())


class ArchivedForecast(Table):
    """A champion's forecast of a series at an origin, stored to be read and scored later."""

    __tablename__ = "archived_forecasts"
    __table_args__ = (
        UniqueConstraint(
            "model_pk",
            "series_pk",
            "origin",
            "version",
            "revision",
            "series_version",
            name="uq_archived_forecasts_made",
        ),
        Index("ix_archived_forecasts_model_pk_origin", "model_pk", "origin"),
        Index("ix_archived_forecasts_series_pk", "series_pk"),
        Index("ix_archived_forecasts_made_at", "made_at"),
    )

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    model_pk: Mapped[int] = mapped_column(ForeignKey("models.pk", ondelete="CASCADE"))
    version: Mapped[int]
    revision: Mapped[int] = mapped_column(default=0, server_default="0")
    """of the version"""
    series_pk: Mapped[int] = mapped_column(ForeignKey("series.pk", ondelete="CASCADE"))
    series_version: Mapped[int] = mapped_column(BigInteger)
    """the version of the series that the forecast was made from"""
    origin: Mapped[int] = mapped_column(BigInteger)
    scale: Mapped[float | None] = mapped_column(Double)
    """season-naive error over the steps that the model read: the denominator of MASE"""
    forecast: Mapped[dict[str, Any]]
    """`levels` (Q,), `quantiles` (H, Q), `season_naive` (H,)"""
    made_at: Mapped[int] = mapped_column(BigInteger, default=now_us())


class JobRow(Table):
    """A unit of background work. `attempt` is its fence: an attempt writes only while it is the newest."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_project_id_created_at", "project_id", "created_at"),
        Index("ix_jobs_model_pk", "model_pk"),
        Index("ix_jobs_status_queue", "status", "queue"),
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
    """artifact path of the data and configuration that every attempt trains on"""
    checkpoint: Mapped[str | None] = mapped_column(Text)
    """artifact path of the state that the next attempt continues from"""
    labels: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    queue: Mapped[str] = mapped_column(String(20), default="cpu", server_default="cpu")
    priority: Mapped[int] = mapped_column(default=5, server_default="5")
    """0 to 9, the highest first"""
    timeout_s: Mapped[float | None] = mapped_column(Double)
    """seconds from the first start, after which the job fails"""
    estimate: Mapped[dict[str, Any] | None]
    stopping: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    """whether a user has cancelled the job but wants to keep its best network"""
    started_by: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())
    started_at: Mapped[int | None] = mapped_column(BigInteger)
    finished_at: Mapped[int | None] = mapped_column(BigInteger)


class JobEvent(Table):
    """An event of a job, numbered in order."""

    __tablename__ = "job_events"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    ts: Mapped[int] = mapped_column(BigInteger, default=now_us())
    kind: Mapped[str] = mapped_column(String(20))
    data: Mapped[dict[str, Any]]


class JobResult(Table):
    """The result of a job, apart from the job because it may be large."""

    __tablename__ = "job_results"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    document: Mapped[dict[str, Any]]


class WorkerLease(Table):
    """A worker's sign of life, valid until `expires_at` by the database's clock."""

    __tablename__ = "worker_leases"

    executor_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    host: Mapped[str] = mapped_column(Text)
    started_at: Mapped[int] = mapped_column(BigInteger, default=now_us())
    expires_at: Mapped[int] = mapped_column(BigInteger)
    queues: Mapped[list[Any]] = mapped_column(default=list, server_default='["cpu"]')
    """queues that the worker takes jobs from"""


class IdempotencyRecord(Table):
    """The response that a repeated call with the same Idempotency-Key gets."""

    __tablename__ = "idempotency_records"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    body_digest: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    location: Mapped[str | None] = mapped_column(Text)
    body: Mapped[dict[str, Any]]
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us(), index=True)


class AlertRow(Table):
    """A rule on forecasts, anomalies, drift, jobs or missing data, and where its messages go."""

    __tablename__ = "alerts"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(OrderedText)
    subject: Mapped[str] = mapped_column(String(16))
    """what it is about: `forecast`, `anomaly`, `drift`, `job` or `data`"""
    model: Mapped[str | None] = mapped_column(Text)
    series: Mapped[dict[str, Any] | None]
    """`ids` or `labels`; None: all that the model is about"""
    condition: Mapped[dict[str, Any]]
    hold_us: Mapped[int] = mapped_column(BigInteger)
    """microseconds for which the condition must hold before it fires"""
    keep_us: Mapped[int] = mapped_column(BigInteger)
    """microseconds for which the condition must not hold before it is resolved"""
    targets: Mapped[list[Any]]
    """`kind`, `url`, and of webhooks the `secret`"""
    page: Mapped[str] = mapped_column(Text)
    """address of the service as it was called when the alert was set, which messages link to"""
    revision: Mapped[int] = mapped_column(default=1)
    """grows with every change of the rule, so that no evaluation of an older one is written"""
    seen: Mapped[int | None] = mapped_column(BigInteger)
    """newest evidence that was judged, a key or a time by its subject; None: the rule was never evaluated"""
    due_at: Mapped[int | None] = mapped_column(BigInteger, index=True)
    """when it is to be evaluated next; whoever brings evidence sets it"""
    evaluated_at: Mapped[int | None] = mapped_column(BigInteger)
    problem: Mapped[str | None] = mapped_column(Text)
    """why the last evaluation could not judge anything"""
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())


class AlertState(Table):
    """The state of an alert for one series, model or kind of job: a row while its condition holds or it is firing."""

    __tablename__ = "alert_states"

    alert_pk: Mapped[int] = mapped_column(ForeignKey("alerts.pk", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    """id of the series, model and version that drifts, or kind of job and model"""
    active: Mapped[bool] = mapped_column(Boolean)
    """whether the condition holds"""
    firing: Mapped[bool] = mapped_column(Boolean)
    """whether the last message that was made says so"""
    changed_at: Mapped[int] = mapped_column(BigInteger)
    """since when the condition holds or not"""
    since: Mapped[int | None] = mapped_column(BigInteger)
    """since when it is firing"""
    model: Mapped[str | None] = mapped_column(Text)
    value: Mapped[float | None] = mapped_column(Double)
    threshold: Mapped[float | None] = mapped_column(Double)
    ds: Mapped[str | None] = mapped_column(Text)
    labels: Mapped[dict[str, Any]]
    """of the series as it began to fire: a receiver knows an alert by them"""


class AlertEvent(Table):
    """A message of an alert: that it fires or is resolved for one series, or a test."""

    __tablename__ = "alert_events"
    __table_args__ = (Index("ix_alert_events_alert_pk_pk", "alert_pk", "pk"), Index("ix_alert_events_at", "at"))

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"))
    alert_pk: Mapped[int] = mapped_column(ForeignKey("alerts.pk", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(Text)
    at: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    since: Mapped[int] = mapped_column(BigInteger)
    """when it began to fire"""
    model: Mapped[str | None] = mapped_column(Text)
    series: Mapped[str | None] = mapped_column(Text)
    value: Mapped[float | None] = mapped_column(Double)
    threshold: Mapped[float | None] = mapped_column(Double)
    ds: Mapped[str | None] = mapped_column(Text)
    labels: Mapped[dict[str, Any]]


class AlertDelivery(Table):
    """A message on its way to one receiver. Whoever moves `due_at` on sends it."""

    __tablename__ = "alert_deliveries"
    __table_args__ = (
        Index("ix_alert_deliveries_event_pk", "event_pk"),
        Index("ix_alert_deliveries_due_at", "due_at"),
        Index("ix_alert_deliveries_alert_pk_key", "alert_pk", "key"),
    )

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"))
    alert_pk: Mapped[int] = mapped_column(ForeignKey("alerts.pk", ondelete="CASCADE"))
    event_pk: Mapped[int] = mapped_column(ForeignKey("alert_events.pk", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(16))
    url: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[int | None] = mapped_column(BigInteger)
    """None: it was delivered or given up"""
    delivered_at: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(Text)
    """of the last attempt"""


class Watch(Table):
    """Which series of a model are scanned as values arrive, and what is an alarm."""

    __tablename__ = "watches"

    model_pk: Mapped[int] = mapped_column(ForeignKey("models.pk", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"))
    series: Mapped[dict[str, Any] | None]
    """`ids` or `labels`; None: those that the champion's training is about"""
    level: Mapped[float | None] = mapped_column(Double)
    alarms_per_week: Mapped[float | None] = mapped_column(Double)
    ahead: Mapped[int]
    ignore: Mapped[list[Any]]
    leased_until: Mapped[int] = mapped_column(BigInteger, default=0)
    """until then a worker scans it"""
    scanned_at: Mapped[int | None] = mapped_column(BigInteger)
    problem: Mapped[str | None] = mapped_column(Text)
    """why the last scan could not judge anything"""
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_us())


class WatchedSeries(Table):
    """How far a watch has scanned a series, and what it found last."""

    __tablename__ = "watched_series"
    __table_args__ = (Index("ix_watched_series_series_pk", "series_pk"),)

    model_pk: Mapped[int] = mapped_column(ForeignKey("watches.model_pk", ondelete="CASCADE"), primary_key=True)
    series_pk: Mapped[int] = mapped_column(ForeignKey("series.pk", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    """of the series, as it was scanned"""
    scanned_ts: Mapped[int | None] = mapped_column(BigInteger)
    """stamp of the last value that was scanned; None: no value was there"""
    threshold: Mapped[float | None] = mapped_column(Double)
    """score above which a value was an alarm"""
    score: Mapped[float | None] = mapped_column(Double)
    """of the last value that was scanned"""
    alarming: Mapped[bool] = mapped_column(Boolean)
    """whether the last value was above the threshold"""
    error: Mapped[str | None] = mapped_column(Text)


class Alarm(Table):
    """A scanned value whose score a watch or an alert asks for; `alarm` says whether it is one of the watch's."""

    __tablename__ = "alarms"
    __table_args__ = (
        UniqueConstraint("model_pk", "series_pk", "ts"),
        Index("ix_alarms_series_pk", "series_pk"),
        Index("ix_alarms_made_at", "made_at"),
    )

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"))
    model_pk: Mapped[int] = mapped_column(ForeignKey("models.pk", ondelete="CASCADE"))
    series_pk: Mapped[int] = mapped_column(ForeignKey("series.pk", ondelete="CASCADE"))
    ts: Mapped[int] = mapped_column(BigInteger)
    y: Mapped[float] = mapped_column(Double)
    expected: Mapped[float] = mapped_column(Double)
    lower: Mapped[float] = mapped_column(Double)
    upper: Mapped[float] = mapped_column(Double)
    score: Mapped[float] = mapped_column(Double)
    alarm: Mapped[bool] = mapped_column(Boolean)
    made_at: Mapped[int] = mapped_column(BigInteger, default=now_us())


class VerdictRow(Table):
    """What a person says of a value: that it was normal, or an anomaly."""

    __tablename__ = "verdicts"
    __table_args__ = (UniqueConstraint("series_pk", "ts"),)

    pk: Mapped[int] = mapped_column(Key, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.pk", ondelete="CASCADE"))
    series_pk: Mapped[int] = mapped_column(ForeignKey("series.pk", ondelete="CASCADE"))
    ts: Mapped[int] = mapped_column(BigInteger)
    verdict: Mapped[str] = mapped_column(String(16))
    by: Mapped[str] = mapped_column(Text)
    given_at: Mapped[int] = mapped_column(BigInteger, default=now_us())
