"""Preflight of stored series: what may surprise a training, with the timestamps where it does."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.config import Settings
from app.errors import ErrorCode, invalid
from app.scope import Scope
from app.services.series.panels import load_histories
from app.services.series.selection import Selector, require_selected
from app.services.series.service import require_series
from app.storage import covariates
from app.storage.engine import Database
from app.storage.tables import SeriesRow
from models.calendar.frequency import parse_frequency
from models.calendar.timestamps import format_stamps
from models.config.covariates import CovariateConfig
from models.data.series import Series
from models.health.check import AUDIT, Finding, Span
from models.health.check_series import check_series, is_trainable
from models.health.history import HistoryNeeds
from models.planning.defaults import default_config_for_lengths

BLOCK = 200
"""series that are read at a time"""
MOST_COVARIATES = 200
"""of a project that are looked at, in the order of their names"""


class SeriesHealthService:
    """The operations behind GET /series/{id}/health and POST /series/health."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def get(self, scope: Scope, series_id: str, horizon: int | None) -> dict[str, Any]:
        """Return the checks of one series. Raises NotFound."""
        with self._database.read() as session:
            row = require_series(session, scope, series_id)
            return next(_describe_all(session, scope, [row], horizon))

    def list(self, scope: Scope, selector: Selector, horizon: int | None) -> dict[str, Any]:
        """Return the checks of the selected series, and how many series fail each.

        Raises NotFound for series that do not exist, and Invalid for more than the limits of a forecast and a training.
        """
        with self._database.read() as session:
            rows = require_selected(session, scope, selector)
            self._check_size(rows)
            return describe_health(session, scope, rows, horizon)

    def _check_size(self, rows: Sequence[SeriesRow]) -> None:
        if len(rows) > self._settings.max_forecast_series:
            detail = f"{len(rows)} series are selected, and the limit is {self._settings.max_forecast_series}"
            raise invalid("body.series", ErrorCode.too_many_series, f"{detail}; select fewer")
        total = sum(row.count for row in rows)
        if total > self._settings.max_train_steps:
            detail = f"the series have {total} rows, and the limit is {self._settings.max_train_steps}; select fewer"
            raise invalid("body.series", ErrorCode.too_many_values, detail)


def describe_health(session: Session, scope: Scope, rows: Sequence[SeriesRow], horizon: int | None) -> dict[str, Any]:
    """Return the checks of each series as `items`, and as `counts` how many series fail each."""
    items = list(_describe_all(session, scope, rows, horizon))
    counts = Counter(check["code"] for item in items for check in item["checks"] if check["severity"] != "ok")
    return {"items": items, "counts": dict(sorted(counts.items()))}


def _describe_all(
    session: Session, scope: Scope, rows: Sequence[SeriesRow], horizon: int | None
) -> Iterator[dict[str, Any]]:
    """Yield what clients see of each series, in order."""
    names = tuple(row.name for row in covariates.list_page(session, scope, None, MOST_COVARIATES).items)
    roles = CovariateConfig(known_future=names)
    for at in range(0, len(rows), BLOCK):
        block = rows[at : at + BLOCK]
        steps = {row.pk: horizon or parse_frequency(row.freq).season for row in block}
        observed = [row for row in block if row.last_ts is not None]
        histories = load_histories(session, scope, observed, roles, max(steps.values()))
        by_id = {series.id: series for series in histories}
        for row in block:
            yield _describe(row, by_id.get(row.id), steps[row.pk])


def _describe(row: SeriesRow, series: Series | None, horizon: int) -> dict[str, Any]:
    if series is None:
        return _build_item(row, [_describe_empty()], trainable=False)
    config = default_config_for_lengths(series.grid.frequency, horizon, (0.5,), [len(series.y)])
    needs = HistoryNeeds(horizon, config.network.context_length)
    checks = [_describe_check(check, series) for check in check_series(series, needs)]
    return _build_item(row, checks, trainable=is_trainable(series))


def _build_item(row: SeriesRow, checks: list[dict[str, Any]], *, trainable: bool) -> dict[str, Any]:
    return {"series_id": row.id, "freq": row.freq, "count": row.count, "trainable": trainable, "checks": checks}


def _describe_empty() -> dict[str, Any]:
    return {
        "code": "short_history",
        "audit": None,
        "severity": "error",
        "detail": "the series has no observed value",
        "where": [],
        "training": "the series is left out",
        "option": "POST /series/{id}/observations adds some",
    }


def _describe_check(check: Finding, series: Series) -> dict[str, Any]:
    return {
        "code": check.code,
        "audit": AUDIT.get(check.code),
        "severity": check.severity,
        "detail": check.detail,
        "where": [_format_span(span, series) for span in check.where],
        "training": check.training,
        "option": check.option,
    }


def _format_span(span: Span, series: Series) -> str | list[str]:
    """Return one timestamp, or the first and the last."""
    first, last = span
    ends = series.stamps(first, last + 1)[[0, -1]]
    texts = format_stamps(ends, series.grid.timezone)
    return texts[0] if first == last else texts
