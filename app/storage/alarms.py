"""Queries of alarms, the scanned values that are worth keeping, and of what people said of values."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import Select, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from app.scope import Scope
from app.storage.clock import now_us
from app.storage.dialects import insert_for
from app.storage.pages import Page, decode_cursor, encode_cursor
from app.storage.tables import Alarm, ModelRow, SeriesRow, VerdictRow, WatchedSeries

DAY_US = 86_400_000_000
CHUNK = 500
"""rows of one statement"""
VerdictKind = Literal["normal", "anomaly"]


def add_alarms(session: Session, scope: Scope, model_pk: int, series_pk: int, rows: Sequence[dict[str, Any]]) -> None:
    """Store scanned values, but for those that are stored."""
    for start in range(0, len(rows), CHUNK):
        own = {"project_id": scope.project_id, "model_pk": model_pk, "series_pk": series_pk}
        values = [{**own, **row} for row in rows[start : start + CHUNK]]
        statement = insert_for(session, Alarm).values(values)
        session.execute(statement.on_conflict_do_nothing(index_elements=["model_pk", "series_pk", "ts"]))


def get_newest_alarm(session: Session, model: ModelRow) -> int:
    """Return the key of the value that was stored last; 0 without one."""
    query = select(func.max(Alarm.pk)).where(Alarm.model_pk == model.pk)
    return session.execute(query).scalar_one() or 0


def list_peaks(
    session: Session, model: ModelRow, after: int, until: int, least: float | None
) -> list[tuple[Alarm, SeriesRow]]:
    """Return the value with the highest score of each series, of those between two keys.

    Args:
        session: a read transaction
        model: whose watch stored them
        after: exclusive
        until: inclusive
        least: score of those that count; None: those that were alarms
    """
    counts = Alarm.alarm if least is None else Alarm.score >= least
    rank = func.row_number().over(partition_by=Alarm.series_pk, order_by=(Alarm.score.desc(), Alarm.pk))
    ranked = (
        select(Alarm.pk, rank.label("rank"))
        .where(Alarm.model_pk == model.pk, Alarm.pk > after, Alarm.pk <= until, counts)
        .subquery()
    )
    query = (
        select(Alarm, SeriesRow)
        .join(ranked, and_(ranked.c.pk == Alarm.pk, ranked.c.rank == 1))
        .join(SeriesRow, SeriesRow.pk == Alarm.series_pk)
        .order_by(SeriesRow.id)
    )
    return [(alarm, row) for alarm, row in session.execute(query)]


def list_alarms(
    session: Session,
    model: ModelRow,
    since: int | None,
    ids: Sequence[str],
    cursor: str | None,
    limit: int,
) -> Page[tuple[Alarm, SeriesRow, str | None]]:
    """Return alarms from a stamp on, or those of `ids`, with their verdicts, the newest first. Raises CursorError."""
    query: Select[Any] = (
        _select_alarms(Alarm, SeriesRow, VerdictRow.verdict)
        .where(Alarm.model_pk == model.pk, Alarm.alarm)
        .order_by(Alarm.ts.desc(), Alarm.pk.desc())
        .limit(limit + 1)
    )
    if since is not None:
        query = query.where(Alarm.ts >= since)
    if ids:
        query = query.where(SeriesRow.id.in_(ids))
    if cursor is not None:
        ts, pk = decode_cursor(cursor, int, int)
        query = query.where(or_(Alarm.ts < ts, and_(Alarm.ts == ts, Alarm.pk < pk)))
    rows = [(alarm, row, verdict) for alarm, row, verdict in session.execute(query)]
    last = rows[limit - 1][0] if len(rows) > limit else None
    return Page(rows[:limit], encode_cursor(last.ts, last.pk) if last is not None else None)


def _select_alarms(*columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .select_from(Alarm)
        .join(SeriesRow, SeriesRow.pk == Alarm.series_pk)
        .outerjoin(VerdictRow, and_(VerdictRow.series_pk == Alarm.series_pk, VerdictRow.ts == Alarm.ts))
    )


def count_alarms(session: Session, model: ModelRow, days: float | None = None) -> int:
    """Return how many alarms a watch has made, of values within so many days before the newest one where given."""
    conditions = [Alarm.model_pk == model.pk, Alarm.alarm]
    if days is not None:
        conditions.append(Alarm.made_at >= now_us() - int(days * DAY_US))
    return session.execute(select(func.count()).select_from(Alarm).where(*conditions)).scalar_one()


def count_verdicts(session: Session, model: ModelRow) -> dict[tuple[str, bool], int]:
    """Return {(verdict, whether the value was an alarm of the model): number} of the series that a model watches."""
    alarmed = func.coalesce(Alarm.alarm, False)
    query = (
        select(VerdictRow.verdict, alarmed, func.count())
        .select_from(VerdictRow)
        .join(
            WatchedSeries,
            and_(WatchedSeries.series_pk == VerdictRow.series_pk, WatchedSeries.model_pk == model.pk),
        )
        .outerjoin(
            Alarm, and_(Alarm.model_pk == model.pk, Alarm.series_pk == VerdictRow.series_pk, Alarm.ts == VerdictRow.ts)
        )
        .group_by(VerdictRow.verdict, alarmed)
    )
    return {(verdict, bool(was)): number for verdict, was, number in session.execute(query)}


def put_verdict(session: Session, scope: Scope, series_pk: int, ts: int, verdict: VerdictKind) -> None:
    """Keep what a person says of a value; a later verdict replaces an earlier one."""
    fields = {"verdict": verdict, "by": scope.by, "given_at": now_us()}
    insert = insert_for(session, VerdictRow).values(project_id=scope.project_id, series_pk=series_pk, ts=ts, **fields)
    session.execute(insert.on_conflict_do_update(index_elements=["series_pk", "ts"], set_=fields))


def list_verdicts(session: Session, series_pks: Collection[int]) -> dict[int, list[VerdictRow]]:
    """Return {series_pk: its verdicts, in the order in which they were given}."""
    verdicts: dict[int, list[VerdictRow]] = {}
    pks = sorted(series_pks)
    for start in range(0, len(pks), CHUNK):
        query = select(VerdictRow).where(VerdictRow.series_pk.in_(pks[start : start + CHUNK]))
        for row in session.execute(query.order_by(VerdictRow.given_at, VerdictRow.pk)).scalars():
            verdicts.setdefault(row.series_pk, []).append(row)
    return verdicts


def get_scores(session: Session, model_pk: int, series_pk: int, stamps: Collection[int]) -> Mapping[int, float]:
    """Return {stamp: score} of the values that are stored."""
    query = select(Alarm.ts, Alarm.score).where(
        Alarm.model_pk == model_pk, Alarm.series_pk == series_pk, Alarm.ts.in_(stamps)
    )
    return {row.ts: row.score for row in session.execute(query)}


def delete_old_alarms(session: Session, days: float, most: int) -> int:
    """Delete at most `most` alarms that are older than so many days and have no verdict; return how many."""
    judged = select(VerdictRow.pk).where(VerdictRow.series_pk == Alarm.series_pk, VerdictRow.ts == Alarm.ts).exists()
    old = select(Alarm.pk).where(Alarm.made_at < now_us() - int(days * DAY_US), ~judged).limit(most)
    pks = list(session.execute(old).scalars())
    for start in range(0, len(pks), CHUNK):
        session.execute(delete(Alarm).where(Alarm.pk.in_(pks[start : start + CHUNK])))
    return len(pks)
