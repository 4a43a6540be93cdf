"""Bulk writing on PostgreSQL: COPY where nothing can be there yet, else one upsert of arrays. Both are binary.

Rows are looked up by `LATERAL … LIMIT 1`, which the planner cannot turn into a join that scans the table, and nothing
is prepared: a plan made while the table was small would be kept after a load has made it large.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.storage.arrays import Float8Array, Int8Array, use_array_cursor
from app.storage.binary import encode_copy
from app.storage.bulk_cells import BOOKKEEPING, NEVER, Bookkept, Cells, find_spans

FEW = 500
"""rows, up to which one upsert costs less than finding out whether COPY would do"""
_MANY = 50_000
"""rows of one upsert"""
_REMOVED = 1000
"""rows of one deletion, few enough that each is looked up by its key"""


def write(session: Session, cells: Cells, *, keep: bool) -> dict[int, int]:
    """Upsert cells; return {series_pk: how many of its stamps had a row already}, without series that had none."""
    with use_array_cursor(session) as cursor:
        if len(cells.pk) <= FEW:
            return _upsert(cursor, cells, keep=keep)
        is_taken = np.isin(cells.pk, _find_taken(cursor, cells))
        if not is_taken.all():
            _copy(cursor, cells.select(~is_taken))
        taken = cells.select(is_taken)
        existing = Counter[int]()
        for at in range(0, len(taken.pk), _MANY):
            existing.update(_upsert(cursor, taken.select(slice(at, at + _MANY)), keep=keep))
        return dict(existing)


def _find_taken(cursor: Any, cells: Cells) -> list[int]:
    """Return the series that have a row from the first to the last stamp of their cells."""
    pk, first, last = find_spans(cells.pk, cells.ts)
    statement = f"""SELECT s.pk
FROM unnest(%(pk)s::bigint[], %(first)s::bigint[], %(last)s::bigint[]) AS s(pk, first, last), LATERAL (
    SELECT FROM {cells.table} t WHERE t.series_pk = s.pk{_condition(cells)} AND t.ts BETWEEN s.first AND s.last LIMIT 1
) taken"""  # noqa: S608 - names of this package alone
    spans = {"pk": Int8Array(pk), "first": Int8Array(first), "last": Int8Array(last)}
    cursor.execute(statement, spans | {"covariate": cells.covariate_pk}, prepare=False)
    return [pk for (pk,) in cursor]


def _condition(cells: Cells) -> str:
    return "" if cells.covariate_pk is None else " AND t.covariate_pk = %(covariate)s"


def _copy(cursor: Any, cells: Cells) -> None:
    with cursor.copy(f"COPY {cells.table} ({cells.columns}) FROM STDIN (FORMAT BINARY)") as copy:
        for piece in encode_copy(cells.arrays):
            copy.write(piece)


def _upsert(cursor: Any, cells: Cells, *, keep: bool) -> dict[int, int]:
    is_text = cells.values.dtype == object
    values = "%(values)s::text[]" if is_text else "%(values)s::double precision[]"
    value = "value" if is_text else "nullif(value, 'NaN')"
    constant = "" if cells.covariate_pk is None else ", %(covariate)s"
    statement = f"""WITH given AS MATERIALIZED (
    SELECT * FROM unnest(%(pk)s::bigint[], %(ts)s::bigint[], {values}) AS u(pk, ts, value)
), existing AS (
    SELECT pk, count(*) FROM given, LATERAL (
        SELECT FROM {cells.table} t WHERE t.series_pk = given.pk{_condition(cells)} AND t.ts = given.ts LIMIT 1
    ) stored GROUP BY pk
), written AS (
    INSERT INTO {cells.table} ({cells.columns}) SELECT pk, ts, {value}{constant} FROM given
    {cells.replacement(keep=keep)}
)
SELECT * FROM existing"""  # noqa: S608 - names of this package alone
    cursor.execute(statement, _bind(cells), prepare=False)
    return dict(cursor)


def _bind(cells: Cells) -> dict[str, Any]:
    values = cells.values.tolist() if cells.values.dtype == object else Float8Array(cells.values)
    return {"pk": Int8Array(cells.pk), "ts": Int8Array(cells.ts), "values": values, "covariate": cells.covariate_pk}


def remove(session: Session, cells: Cells) -> None:
    """Delete the rows of cells, whatever their values.

    Each is looked up by its key: the planner cannot know how few of the table's rows are given, and would scan it for
    every piece.
    """
    statement = f"""DELETE FROM {cells.table} t
USING unnest(%(pk)s::bigint[], %(ts)s::bigint[]) AS given(pk, ts)
WHERE t.series_pk = given.pk{_condition(cells)} AND t.ts = given.ts"""  # noqa: S608 - names of this package alone
    with use_array_cursor(session) as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for at in range(0, len(cells.pk), _REMOVED):
            cursor.execute(statement, _bind(cells.select(slice(at, at + _REMOVED))), prepare=False)
        cursor.execute("SET LOCAL enable_seqscan TO DEFAULT")


def update_series(session: Session, rows: Sequence[Bookkept]) -> None:
    """Store what a write changes of series: their rows, bounds, anchors and versions."""
    names = ("pk", *BOOKKEEPING)
    values = {n: [NEVER if (value := getattr(row, n)) is None else value for row in rows] for n in names}
    columns = {name: Int8Array(np.array(column, np.int64)) for name, column in values.items()}
    arrays = ", ".join(f"%({name})s::bigint[]" for name in columns)
    assigned = ", ".join(f"{name} = nullif(given.{name}, {NEVER})" for name in BOOKKEEPING)
    statement = f"""UPDATE series SET {assigned}
FROM unnest({arrays}) AS given({", ".join(columns)}) WHERE series.pk = given.pk"""  # noqa: S608 - names of this package alone
    with use_array_cursor(session) as cursor:
        cursor.execute(statement, columns, prepare=False)
