"""Queries of the steps that samples fill, in columns. Callers hold the locks of the series."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.storage.arrays import BytesArray, Float8Array, Int8Array, use_array_cursor
from app.storage.bulk_cells import NEVER
from app.storage.dialects import use_driver
from app.storage.tables import FedStep
from models.arrays import Floats, Ints

SAMPLE = np.dtype([("source", "<i8"), ("ts", "<i8"), ("value", "<f8")])
"""what is kept of a sample in `samples`"""
SUMMARY = np.dtype(
    [
        ("source", "<i8"),
        ("count", "<i8"),
        ("sum", "<f8"),
        ("least", "<f8"),
        ("greatest", "<f8"),
        ("first_ts", "<i8"),
        ("first", "<f8"),
        ("last_ts", "<i8"),
        ("last", "<f8"),
        ("rise", "<f8"),
    ]
)
"""what is kept in `folded` of the samples of one source: `rise` is what a counter has risen by from the first to the
last. One of no samples, of the source 0, says up to when a step was emptied."""
_COLUMNS = "series_pk, ts, y, newest, closes_at, final_before, samples, folded"
_REPLACED = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ")[2:])
_NEWEST = {
    "postgresql": """SELECT s.* FROM unnest(%(pk)s::bigint[]) AS k(pk), LATERAL (
    SELECT series_pk, ts, y, newest, closes_at, final_before, samples, folded FROM fed_steps
    WHERE series_pk = k.pk ORDER BY ts DESC LIMIT 1
) s""",
    "sqlite": """SELECT s.series_pk, s.ts, s.y, s.newest, s.closes_at, s.final_before, s.samples, s.folded
FROM json_each(:pk) k JOIN fed_steps s ON s.series_pk = k.value
    AND s.ts = (SELECT max(ts) FROM fed_steps WHERE series_pk = k.value)""",
}
_AT = {
    "postgresql": """SELECT s.* FROM unnest(%(pk)s::bigint[], %(ts)s::bigint[]) AS k(pk, ts), LATERAL (
    SELECT series_pk, ts, y, newest, closes_at, final_before, samples, folded FROM fed_steps
    WHERE series_pk = k.pk AND ts = k.ts LIMIT 1
) s""",
    "sqlite": """SELECT s.series_pk, s.ts, s.y, s.newest, s.closes_at, s.final_before, s.samples, s.folded
FROM json_each(:pairs) k JOIN fed_steps s
    ON s.series_pk = json_extract(k.value, '$[0]') AND s.ts = json_extract(k.value, '$[1]')""",
}
_UPSERT = {
    "postgresql": f"""INSERT INTO fed_steps ({_COLUMNS})
SELECT pk, ts, nullif(y, 'NaN'), newest, nullif(closes_at, 0), nullif(final_before, {NEVER}),
    samples, folded
FROM unnest(%(pk)s::bigint[], %(ts)s::bigint[], %(y)s::double precision[], %(newest)s::bigint[],
    %(closes_at)s::bigint[], %(final_before)s::bigint[], %(samples)s::bytea[], %(folded)s::bytea[])
    AS g(pk, ts, y, newest, closes_at, final_before, samples, folded)
ON CONFLICT (series_pk, ts) DO UPDATE SET {_REPLACED}""",  # noqa: S608 - names of this module alone
    "sqlite": f"""INSERT INTO fed_steps ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (series_pk, ts) DO UPDATE SET {_REPLACED}""",  # noqa: S608 - names of this module alone
}
_REMOVE = {
    "postgresql": """DELETE FROM fed_steps f USING unnest(%(pk)s::bigint[], %(before)s::bigint[]) AS g(pk, before)
WHERE f.series_pk = g.pk AND f.ts < g.before""",
    "sqlite": "DELETE FROM fed_steps WHERE series_pk = ? AND ts < ?",
}


@dataclass(frozen=True)
class StepRows:
    """Steps (R,) of fed series, in columns."""

    pk: Ints
    """of the series"""
    ts: Ints
    """microseconds UTC"""
    y: Floats
    """NaN where missing"""
    newest: Ints
    """times of their newest samples"""
    closes_at: Ints
    """0 where the step is an observation already"""
    final_before: Ints
    """stamps before which steps took no sample in any more when these were written; NEVER where none was final"""
    samples: Sequence[bytes]
    folded: Sequence[bytes | None]


@dataclass(frozen=True)
class OpenStep:
    """A step that is being filled."""

    series_pk: int
    ts: int
    y: float | None


def load_newest(session: Session, pks: Ints) -> StepRows:
    """Return the newest step of each series (N,) that has one, in any order."""
    return _load(session, _NEWEST, {"pk": pks}, {"pk": pks.tolist()})


def load_at(session: Session, pks: Ints, ts: Ints) -> StepRows:
    """Return the steps of series (N,) at stamps (N,) that are there, in any order."""
    return _load(session, _AT, {"pk": pks, "ts": ts}, {"pairs": np.stack([pks, ts], axis=1).tolist()})


def _load(
    session: Session, statements: dict[str, str], arrays: dict[str, Ints], documents: dict[str, list[Any]]
) -> StepRows:
    """Run a statement with arrays on PostgreSQL, and on SQLite with JSON that says the same."""
    if session.get_bind().dialect.name == "sqlite":
        texts = {name: json.dumps(document) for name, document in documents.items()}
        with use_driver(session) as driver:
            return _build(driver.execute(statements["sqlite"], texts))
    with use_array_cursor(session, binary=True) as cursor:
        wanted = {name: Int8Array(values) for name, values in arrays.items()}
        return _build(cursor.execute(statements["postgresql"], wanted, prepare=False))


def _build(rows: Iterable[Sequence[Any]]) -> StepRows:
    columns = list(zip(*rows, strict=True)) or [()] * 8
    pk, ts, y, newest, closes_at, final_before, samples, folded = columns
    return StepRows(
        np.array(pk, np.int64),
        np.array(ts, np.int64),
        np.array(y, np.float64),  # None becomes NaN
        np.array(newest, np.int64),
        np.array([at or 0 for at in closes_at], np.int64),
        np.array([NEVER if ts is None else ts for ts in final_before], np.int64),
        samples,
        folded,
    )


def upsert(session: Session, rows: StepRows) -> None:
    """Write steps."""
    if not len(rows.pk):
        return
    if session.get_bind().dialect.name == "sqlite":
        y = [None if value != value else value for value in rows.y.tolist()]
        closes_at = [at or None for at in rows.closes_at.tolist()]
        final_before = [None if ts == NEVER else ts for ts in rows.final_before.tolist()]
        numbers = [rows.pk.tolist(), rows.ts.tolist(), y, rows.newest.tolist(), closes_at, final_before]
        columns = [*numbers, rows.samples, rows.folded]
        with use_driver(session) as driver:
            driver.executemany(_UPSERT["sqlite"], zip(*columns, strict=True))
        return
    arrays = {
        "pk": Int8Array(rows.pk),
        "ts": Int8Array(rows.ts),
        "y": Float8Array(rows.y),
        "newest": Int8Array(rows.newest),
        "closes_at": Int8Array(rows.closes_at),
        "final_before": Int8Array(rows.final_before),
        "samples": BytesArray(rows.samples),
        "folded": BytesArray(rows.folded),
    }
    with use_array_cursor(session) as cursor:
        cursor.execute(_UPSERT["postgresql"], arrays, prepare=False)


def remove_before(session: Session, pks: Ints, before: Ints) -> None:
    """Delete the steps of series (N,) before stamps (N,)."""
    if session.get_bind().dialect.name == "sqlite":
        with use_driver(session) as driver:
            driver.executemany(_REMOVE["sqlite"], zip(pks.tolist(), before.tolist(), strict=True))
        return
    with use_array_cursor(session) as cursor:
        cursor.execute(_REMOVE["postgresql"], {"pk": Int8Array(pks), "before": Int8Array(before)}, prepare=False)


def list_due(session: Session, moment: int, limit: int) -> list[int]:
    """Return the series whose open step closes by now."""
    query = select(FedStep.series_pk).where(FedStep.closes_at <= moment).order_by(FedStep.closes_at).limit(limit)
    return list(dict.fromkeys(session.execute(query).scalars()))


def list_open(session: Session, pks: Sequence[int], by: int | None = None) -> list[OpenStep]:
    """Return the steps of some series that are being filled; `by`: those that close by then."""
    query = select(FedStep.series_pk, FedStep.ts, FedStep.y).where(
        FedStep.series_pk.in_(pks), FedStep.closes_at.is_not(None)
    )
    if by is not None:
        query = query.where(FedStep.closes_at <= by)
    return [OpenStep(*row) for row in session.execute(query.order_by(FedStep.series_pk, FedStep.ts))]


def close(session: Session, steps: Sequence[OpenStep]) -> None:
    """Mark steps as no longer open."""
    session.execute(
        update(FedStep),
        [{"series_pk": step.series_pk, "ts": step.ts, "closes_at": None} for step in steps],
        execution_options={"synchronize_session": False},
    )


def remove_all(session: Session, pk: int) -> None:
    """Delete all steps of a series."""
    session.execute(delete(FedStep).where(FedStep.series_pk == pk))


def empty_between(session: Session, pk: int, start: int | None, end: int | None) -> None:
    """Forget the samples of the steps of [start, end) of a locked series, but for how far they had come: what is sent
    again does not bring them back, and what is newer fills the steps anew."""
    query = select(FedStep.ts, FedStep.newest).where(FedStep.series_pk == pk)
    if start is not None:
        query = query.where(FedStep.ts >= start)
    if end is not None:
        query = query.where(FedStep.ts < end)
    emptied = []
    for ts, newest in session.execute(query):
        summary = np.zeros(1, SUMMARY)
        summary["least"], summary["greatest"] = np.inf, -np.inf
        summary["first_ts"] = summary["last_ts"] = newest
        fields = {"y": None, "samples": b"", "folded": summary.tobytes()}
        emptied.append({"series_pk": pk, "ts": ts, **fields})
    if emptied:
        session.execute(update(FedStep), emptied, execution_options={"synchronize_session": False})
