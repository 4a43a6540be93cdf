"""Queries of retention: the policies, what lies before them, and the deletion of a part of it."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.scope import Scope
from app.storage import observations
from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.tables import (
    Covariate,
    CovariateValue,
    ModelRow,
    Observation,
    RetentionPolicy,
    SeriesRow,
    VersionRow,
)


def _digest(labels: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(labels.items())).encode()).hexdigest()


def get(session: Session, scope: Scope, labels: Mapping[str, str]) -> RetentionPolicy | None:
    """Return the policy of exactly these labels."""
    query = select(RetentionPolicy).where(
        RetentionPolicy.project_id == scope.project_id, RetentionPolicy.selector == _digest(labels)
    )
    return session.execute(query).scalar_one_or_none()


def add(session: Session, scope: Scope, labels: Mapping[str, str], keep: str) -> RetentionPolicy:
    """Insert a policy. Raises sqlalchemy.exc.IntegrityError where one of these labels exists."""
    row = RetentionPolicy(project_id=scope.project_id, selector=_digest(labels), labels=dict(labels), keep=keep)
    session.add(row)
    session.flush()
    return row


def remove(session: Session, scope: Scope, labels: Mapping[str, str]) -> bool:
    """Delete the policy of exactly these labels; False where there is none."""
    deleted = session.execute(
        delete(RetentionPolicy)
        .where(RetentionPolicy.project_id == scope.project_id, RetentionPolicy.selector == _digest(labels))
        .returning(RetentionPolicy.pk)
    )
    return deleted.scalar_one_or_none() is not None


def list_page(session: Session, scope: Scope, cursor: str | None, limit: int) -> Page[RetentionPolicy]:
    """Return policies in the order in which they were made. Raises CursorError."""
    query = select(RetentionPolicy).where(RetentionPolicy.project_id == scope.project_id)
    if cursor is not None:
        query = query.where(RetentionPolicy.pk > decode_cursor(cursor, int)[0])
    rows = list(session.execute(query.order_by(RetentionPolicy.pk).limit(limit + 1)).scalars())
    return Page(rows[:limit], encode_cursor(rows[limit - 1].pk) if len(rows) > limit else None)


def list_all(session: Session, scope: Scope) -> list[RetentionPolicy]:
    """Return every policy of a project."""
    query = select(RetentionPolicy).where(RetentionPolicy.project_id == scope.project_id)
    return list(session.execute(query.order_by(RetentionPolicy.pk)).scalars())


def list_projects(session: Session) -> list[int]:
    """Return the keys of the projects that have policies."""
    return list(session.execute(select(RetentionPolicy.project_id).distinct()).scalars())


def list_series(session: Session, scope: Scope, after: int, limit: int) -> list[SeriesRow]:
    """Return series with observations, in the order of their keys, from the one after `after` on."""
    query = select(SeriesRow).where(
        SeriesRow.project_id == scope.project_id, SeriesRow.pk > after, SeriesRow.last_ts.is_not(None)
    )
    return list(session.execute(query.order_by(SeriesRow.pk).limit(limit)).scalars())


def list_contexts(session: Session, scope: Scope) -> list[tuple[str, int]]:
    """Return (frequency, steps that it reads) of the champions of a project."""
    steps = VersionRow.config["network"]["context_length"].as_integer()
    query = (
        select(ModelRow.freq, steps)
        .join(VersionRow, (VersionRow.model_pk == ModelRow.pk) & (VersionRow.number == ModelRow.champion))
        .where(ModelRow.project_id == scope.project_id)
    )
    return [(freq, count) for freq, count in session.execute(query) if count is not None]


def find_oldest(session: Session, scope: Scope, pks: Sequence[int]) -> dict[int, int]:
    """Return {series_pk: stamp of the oldest row or covariate value}; each is one step into the key."""
    first_row = (
        select(func.min(Observation.ts)).where(Observation.series_pk == SeriesRow.pk).correlate(SeriesRow)
    ).scalar_subquery()
    rows = session.execute(select(SeriesRow.pk, first_row).where(SeriesRow.pk.in_(pks)))
    oldest = {pk: ts for pk, ts in rows if ts is not None}
    first_value = (
        select(func.min(CovariateValue.ts))
        .where(CovariateValue.series_pk == SeriesRow.pk, CovariateValue.covariate_pk == Covariate.pk)
        .correlate(SeriesRow, Covariate)
    ).scalar_subquery()
    values = select(SeriesRow.pk, first_value).join(Covariate, Covariate.project_id == SeriesRow.project_id)
    for pk, ts in session.execute(values.where(SeriesRow.pk.in_(pks), SeriesRow.project_id == scope.project_id)):
        if ts is not None:
            oldest[pk] = min(ts, oldest.get(pk, ts))
    return oldest


def count_before(session: Session, pk: int, moment: int) -> int:
    """Return how many rows of a series lie before a moment."""
    query = select(func.count()).where(Observation.series_pk == pk, Observation.ts < moment)
    return session.execute(query).scalar_one()


def remove_before(session: Session, row: SeriesRow, moment: int, most: int) -> bool:
    """Delete the oldest rows of a locked series that lie before a moment, at most `most` with their covariates.

    Returns whether others are left.
    """
    kept = select(Observation.ts).where(Observation.series_pk == row.pk, Observation.ts < moment)
    end = session.execute(kept.order_by(Observation.ts).offset(most).limit(1)).scalar_one_or_none()
    observations.remove(session, row, None, moment if end is None else end)
    return end is not None
