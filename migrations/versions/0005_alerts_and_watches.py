"""alerts with their states, messages and deliveries; watches with their alarms; verdicts

Revision ID: 0005
Revises: 0004
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
ORDERED_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "alerts",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("project_id", KEY, nullable=False),
        sa.Column("name", ORDERED_TEXT, nullable=False),
        sa.Column("subject", sa.String(length=16), nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("series", DOCUMENT, nullable=True),
        sa.Column("condition", DOCUMENT, nullable=False),
        sa.Column("hold_us", sa.BigInteger(), nullable=False),
        sa.Column("keep_us", sa.BigInteger(), nullable=False),
        sa.Column("targets", DOCUMENT, nullable=False),
        sa.Column("page", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("evaluated_at", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.pk"], name=op.f("fk_alerts_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_alerts")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_alerts_project_id_name")),
    )
    op.create_index(op.f("ix_alerts_due_at"), "alerts", ["due_at"], unique=False)
    op.create_table(
        "alarms",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("project_id", KEY, nullable=False),
        sa.Column("model_pk", KEY, nullable=False),
        sa.Column("series_pk", KEY, nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("y", sa.Double(), nullable=False),
        sa.Column("expected", sa.Double(), nullable=False),
        sa.Column("lower", sa.Double(), nullable=False),
        sa.Column("upper", sa.Double(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("alarm", sa.Boolean(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_pk"], ["models.pk"], name=op.f("fk_alarms_model_pk_models"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.pk"], name=op.f("fk_alarms_project_id_projects"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["series_pk"], ["series.pk"], name=op.f("fk_alarms_series_pk_series"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_alarms")),
        sa.UniqueConstraint("model_pk", "series_pk", "ts", name=op.f("uq_alarms_model_pk_series_pk_ts")),
    )
    op.create_index("ix_alarms_made_at", "alarms", ["made_at"], unique=False)
    op.create_index("ix_alarms_series_pk", "alarms", ["series_pk"], unique=False)
    op.create_table(
        "alert_events",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project_id", KEY, nullable=False),
        sa.Column("alert_pk", KEY, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("series", sa.Text(), nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("ds", sa.Text(), nullable=True),
        sa.Column("labels", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_pk"], ["alerts.pk"], name=op.f("fk_alert_events_alert_pk_alerts"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.pk"], name=op.f("fk_alert_events_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_alert_events")),
        sa.UniqueConstraint("id", name=op.f("uq_alert_events_id")),
    )
    op.create_index("ix_alert_events_alert_pk_pk", "alert_events", ["alert_pk", "pk"], unique=False)
    op.create_index("ix_alert_events_at", "alert_events", ["at"], unique=False)
    op.create_table(
        "alert_states",
        sa.Column("alert_pk", KEY, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("firing", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("ds", sa.Text(), nullable=True),
        sa.Column("labels", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_pk"], ["alerts.pk"], name=op.f("fk_alert_states_alert_pk_alerts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("alert_pk", "key", name=op.f("pk_alert_states")),
    )
    op.create_table(
        "verdicts",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("project_id", KEY, nullable=False),
        sa.Column("series_pk", KEY, nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("given_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.pk"], name=op.f("fk_verdicts_project_id_projects"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["series_pk"], ["series.pk"], name=op.f("fk_verdicts_series_pk_series"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_verdicts")),
        sa.UniqueConstraint("series_pk", "ts", name=op.f("uq_verdicts_series_pk_ts")),
    )
    op.create_table(
        "watches",
        sa.Column("model_pk", KEY, nullable=False),
        sa.Column("project_id", KEY, nullable=False),
        sa.Column("series", DOCUMENT, nullable=True),
        sa.Column("level", sa.Double(), nullable=True),
        sa.Column("alarms_per_week", sa.Double(), nullable=True),
        sa.Column("ahead", sa.Integer(), nullable=False),
        sa.Column("ignore", DOCUMENT, nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=False),
        sa.Column("scanned_at", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_pk"], ["models.pk"], name=op.f("fk_watches_model_pk_models"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.pk"], name=op.f("fk_watches_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_pk", name=op.f("pk_watches")),
    )
    op.create_table(
        "alert_deliveries",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("project_id", KEY, nullable=False),
        sa.Column("alert_pk", KEY, nullable=False),
        sa.Column("event_pk", KEY, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["alert_pk"], ["alerts.pk"], name=op.f("fk_alert_deliveries_alert_pk_alerts"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["event_pk"],
            ["alert_events.pk"],
            name=op.f("fk_alert_deliveries_event_pk_alert_events"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.pk"], name=op.f("fk_alert_deliveries_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_alert_deliveries")),
    )
    op.create_index("ix_alert_deliveries_alert_pk_key", "alert_deliveries", ["alert_pk", "key"], unique=False)
    op.create_index("ix_alert_deliveries_due_at", "alert_deliveries", ["due_at"], unique=False)
    op.create_index("ix_alert_deliveries_event_pk", "alert_deliveries", ["event_pk"], unique=False)
    op.create_table(
        "watched_series",
        sa.Column("model_pk", KEY, nullable=False),
        sa.Column("series_pk", KEY, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("scanned_ts", sa.BigInteger(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("alarming", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_pk"], ["watches.model_pk"], name=op.f("fk_watched_series_model_pk_watches"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["series_pk"], ["series.pk"], name=op.f("fk_watched_series_series_pk_series"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_pk", "series_pk", name=op.f("pk_watched_series")),
    )
    op.create_index("ix_watched_series_series_pk", "watched_series", ["series_pk"], unique=False)


def downgrade() -> None:
    """Undo this revision."""
    op.drop_table("watched_series")
    op.drop_table("alert_deliveries")
    op.drop_table("watches")
    op.drop_table("verdicts")
    op.drop_table("alert_states")
    op.drop_table("alert_events")
    op.drop_table("alarms")
    op.drop_table("alerts")
