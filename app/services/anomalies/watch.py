"""Watches as clients see them: what is scanned as values arrive, the alarms, and what people say of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.errors import ErrorCode, NotFound, invalid
from app.scope import Scope
from app.services.audit import record
from app.services.moments import parse_moment
from app.services.paging import convert_cursor_errors
from app.services.registry.lookup import require_model, require_version, select_trained_series
from app.services.series.ids import is_series_id
from app.services.series.selection import Selector, select_series
from app.storage import alarms, bulk_read, series, watches
from app.storage.alarms import VerdictKind
from app.storage.engine import Database
from app.storage.pages import Page
from app.storage.tables import Alarm, ModelRow, SeriesRow, Watch
from models.anomaly.watch import IgnoreRule, WatchRule
from models.calendar.frequency import parse_frequency
from models.calendar.timestamps import format_stamp, parse_stamps
from models.errors import TimestampError

MOST_SERIES = 10_000
"""series of a watch"""
DEFAULT_LEVEL = 0.999
WEEK_DAYS = 7.0


@dataclass(frozen=True)
class WatchRequest:
    """A watch as it is set."""

    series: Mapping[str, Any] | None
    """`ids` or `labels`; None: those that the champion's training is about"""
    level: float | None
    alarms_per_week: float | None
    """of all series together"""
    ahead: int
    ignore: Sequence[Mapping[str, Any]]


class WatchService:
    """The operations behind /models/{name}/watch and POST /anomalies/verdicts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, scope: Scope, name: str, request: WatchRequest) -> tuple[bool, dict[str, Any]]:
        """Set the watch of a model; return whether it is new. It begins after the newest value of each series.

        Raises NotFound, and Invalid for too many steps ahead or series.
        """

        def make(session: Session) -> tuple[bool, dict[str, Any]]:
            model = require_model(session, scope, name, lock=True)
            if request.ahead > model.horizon:
                detail = f"the model forecasts {model.horizon} steps, and ahead is {request.ahead}"
                raise invalid("body.ahead", ErrorCode.horizon_too_long, detail)
            before = watches.get(session, scope, model.pk)
            seen = None if before is None else _describe(session, model, before)
            level = request.level
            if level is None and request.alarms_per_week is None:
                level = DEFAULT_LEVEL
            row = watches.put(
                session,
                scope,
                model.pk,
                series=dict(request.series) if request.series is not None else None,
                level=level,
                alarms_per_week=request.alarms_per_week,
                ahead=request.ahead,
                ignore=[dict(rule) for rule in request.ignore],
            )
            rows = select_watched(session, scope, model, row)
            if len(rows) > MOST_SERIES:
                detail = f"{len(rows)} series are selected, and a watch has {MOST_SERIES} at most; name fewer"
                raise invalid("body.series", ErrorCode.too_many_series, detail)
            watches.begin_at(session, model.pk, rows)
            record(session, scope, "watch.set", name, before=seen, after=(view := _describe(session, model, row)))
            return before is None, view

        return self._database.write_with_retry(make)

    def get(self, scope: Scope, name: str) -> dict[str, Any]:
        """Return a model's watch. Raises NotFound."""
        with self._database.read() as session:
            model = require_model(session, scope, name)
            return _describe(session, model, _require_watch(session, scope, model))

    def delete(self, scope: Scope, name: str) -> None:
        """End a model's watch; its alarms stay. Raises NotFound."""
        with self._database.write() as session:
            model = require_model(session, scope, name, lock=True)
            before = watches.get(session, scope, model.pk)
            if before is None:
                raise _no_watch(model)
            record(session, scope, "watch.delete", name, before=_describe(session, model, before))
            watches.remove(session, scope, model.pk)

    def list_alarms(
        self, scope: Scope, name: str, since: str | None, ids: Sequence[str], cursor: str | None, limit: int
    ) -> Page[dict[str, Any]]:
        """Return a page of alarms of values from a time on, the newest first. Raises NotFound, and Invalid."""
        first = None if since is None else parse_moment(since, "query.since")
        known = [one for one in ids if is_series_id(one)]
        with self._database.read() as session, convert_cursor_errors():
            model = require_model(session, scope, name)
            if ids and not known:
                return Page([], None)
            page = alarms.list_alarms(session, model, first, known, cursor, limit)
            return Page([_describe_alarm(*row) for row in page.items], page.next_cursor)

    def add_verdict(self, scope: Scope, series_id: str, ds: str, verdict: VerdictKind) -> None:
        """Keep what a person says of a value. Raises NotFound for the series, Invalid for a time without a value."""
        with self._database.write() as session:
            row = series.get(session, scope, series_id) if is_series_id(series_id) else None
            if row is None:
                detail = f"there is no series {series_id[:200]!r}; GET /series lists them"
                raise NotFound(ErrorCode.series_not_found, detail)
            ts = _parse_stamp(row, ds)
            points = bulk_read.load_points(session, {row.pk: (ts, ts)})[row.pk]
            if not len(points.ts):
                detail = f"{series_id!r} has no value at {format_stamp(ts, row.timezone)}"
                raise invalid("body.ds", ErrorCode.invalid_timestamp, detail)
            alarms.put_verdict(session, scope, row.pk, ts, verdict)
            record(session, scope, "verdict.set", row.id, after={"ds": ds, "verdict": verdict})


def select_watched(session: Session, scope: Scope, model: ModelRow, row: Watch) -> list[SeriesRow]:
    """Return the series that a watch scans, without those that one of its rules ignores by their labels."""
    if row.series is not None:
        ids = tuple(row.series["ids"]) if "ids" in row.series else None
        rows = select_series(session, scope, Selector(ids, row.series.get("labels")))
    elif model.champion is not None:
        version = require_version(session, model, model.champion)
        rows = select_trained_series(session, scope, model, version)
    else:
        rows = []
    ignored = [rule["labels"] for rule in row.ignore if "labels" in rule]
    return [one for one in rows if not any(_has_labels(one, labels) for labels in ignored)]


def _has_labels(row: SeriesRow, labels: Mapping[str, str]) -> bool:
    return all(row.labels.get(name) == value for name, value in labels.items())


def build_rule(row: Watch, count: int) -> WatchRule:
    """Return the rule of one of `count` series of a watch, which share its alarms."""
    ignore = tuple(IgnoreRule(**rule) for rule in row.ignore if "labels" not in rule)
    share = row.alarms_per_week / max(1, count) if row.alarms_per_week is not None else None
    return WatchRule(level=row.level, alarms_per_week=share, ahead=row.ahead, ignore=ignore)


def _require_watch(session: Session, scope: Scope, model: ModelRow) -> Watch:
    row = watches.get(session, scope, model.pk)
    if row is None:
        raise _no_watch(model)
    return row


def _no_watch(model: ModelRow) -> NotFound:
    return NotFound(
        ErrorCode.watch_not_found,
        f"nothing scans the values of {model.name!r} as they arrive; PUT /models/{model.name}/watch begins it",
    )


def _describe(session: Session, model: ModelRow, row: Watch) -> dict[str, Any]:
    document = row.series
    watched = watches.list_watched(session, model)
    errors = [{"series": one.id, "detail": progress.error} for progress, one in watched if progress.error is not None]
    return {
        "model": model.name,
        "series": document["ids"] if document is not None and "ids" in document else document,
        "level": row.level,
        "alarms_per_week": row.alarms_per_week,
        "ahead": row.ahead,
        "ignore": row.ignore,
        "watched": len(watched),
        "scanned_at": format_stamp(row.scanned_at, "UTC") if row.scanned_at is not None else None,
        "problem": row.problem,
        "errors": errors[:100],
        "alarms": {
            "total": alarms.count_alarms(session, model),
            "last_week": alarms.count_alarms(session, model, WEEK_DAYS),
        },
        "verdicts": measure_verdicts(alarms.count_verdicts(session, model)),
    }


def measure_verdicts(counts: Mapping[tuple[str, bool], int]) -> dict[str, Any]:
    """Return how many alarms were right, by {(verdict, whether the value was an alarm): number}.

    Precision is the share of true anomalies among the judged alarms, recall the share of alarms among true anomalies.
    """
    right = counts.get(("anomaly", True), 0)
    wrong = counts.get(("normal", True), 0)
    missed = counts.get(("anomaly", False), 0)
    return {
        "normal": wrong + counts.get(("normal", False), 0),
        "anomaly": right + missed,
        "precision": right / (right + wrong) if right + wrong else None,
        "recall": right / (right + missed) if right + missed else None,
    }


def _describe_alarm(alarm: Alarm, row: SeriesRow, verdict: str | None) -> dict[str, Any]:
    numbers = {name: getattr(alarm, name) for name in ("y", "expected", "lower", "upper", "score")}
    return {"series": row.id, "ds": format_stamp(alarm.ts, row.timezone), **numbers, "verdict": verdict}


def _parse_stamp(row: SeriesRow, text: str) -> int:
    try:
        return int(parse_stamps([text], row.timezone, daily=parse_frequency(row.freq).is_daily)[0])
    except TimestampError as e:
        raise invalid("body.ds", ErrorCode(e.code), f"ds: {e.detail}") from e
