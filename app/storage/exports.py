"""Queries of what is exported: which series, which covariates they have, and which calendars."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from app.scope import Scope
from app.storage.series import filter_series
from app.storage.tables import Covariate, CovariateValue, SeriesRow


@dataclass(frozen=True)
class SeriesFilter:
    """The series that are exported: by their ids, or all with a prefix and labels."""

    ids: tuple[str, ...] | None = None
    prefix: str = ""
    labels: Sequence[tuple[str, str]] = ()


def list_after(session: Session, scope: Scope, wanted: SeriesFilter, after: str | None, limit: int) -> list[SeriesRow]:
    """Return the next series in the order of their ids."""
    query = _filter(session, scope, wanted, select(SeriesRow)).order_by(SeriesRow.id).limit(limit)
    return list(session.execute(query if after is None else query.where(SeriesRow.id > after)).scalars())


def list_calendars(session: Session, scope: Scope, wanted: SeriesFilter) -> list[tuple[str, str]]:
    """Return every pair of frequency and timezone among the series."""
    query = _filter(session, scope, wanted, select(SeriesRow.freq, SeriesRow.timezone).distinct())
    return [(freq, timezone) for freq, timezone in session.execute(query)]


def list_covariates(session: Session, scope: Scope, wanted: SeriesFilter, span: tuple[int, int]) -> list[Covariate]:
    """Return the covariates that have a value in a span, first and last stamp included, of any of the series."""
    value = CovariateValue
    has_value = exists().where(
        value.series_pk == SeriesRow.pk, value.covariate_pk == Covariate.pk, value.ts.between(*span)
    )
    holder = _filter(session, scope, wanted, select(SeriesRow.pk)).where(has_value).correlate(Covariate)
    query = select(Covariate).where(Covariate.project_id == scope.project_id, holder.exists())
    return list(session.execute(query.order_by(Covariate.name)).scalars())


def _filter(session: Session, scope: Scope, wanted: SeriesFilter, query: Any) -> Select[Any]:
    selected = filter_series(session, scope, query, wanted.prefix, wanted.labels)
    return selected if wanted.ids is None else selected.where(SeriesRow.id.in_(wanted.ids))
