"""Wide tables: a row a timestamp, and a column a series."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from app.errors import RowError
from app.formats.columns import RowChecks, flatten, read_target, read_times, split_evenly
from app.formats.header import WidePlaces
from app.formats.source import BATCH_ROWS, SourceBatch, TableSource
from app.formats.table import KEYS, TableBatch
from models.arrays import Ints

if TYPE_CHECKING:
    import pyarrow as pa

GROUP = 64
"""series of a columnar format that are read at once: each holds a page of its column in memory"""


def read_wide(source: TableSource, places: WidePlaces) -> Iterator[TableBatch]:
    """Yield the rows of a wide table as those of a long one: of each piece of it one series after another.

    Raises Invalid for what is broken, or of a type that tables do not have.
    """
    ids = list(places.series)
    most = GROUP if source.is_columnar else max(1, len(ids))
    for start, length in split_evenly(len(ids), most):
        group = ids[start : start + length]
        for batch in source.read([places.ds, *(places.series[name] for name in group)]):
            # a table's row counts once, and so do its errors
            yield from _melt(source, places, group, batch, is_first=start == 0)


def _melt(
    source: TableSource, places: WidePlaces, ids: Sequence[str], batch: SourceBatch, *, is_first: bool
) -> Iterator[TableBatch]:
    """Yield the long rows of a batch in pieces of bounded size."""
    checks = RowChecks(batch.rows, source.code)
    ds = read_times(batch.columns[places.ds], KEYS[1], checks)
    if is_first:
        yield _make_errors(batch.count, [*batch.errors, *checks.list_errors()])
    kept = checks.list_kept()
    columns = [batch.columns[places.series[name]] for name in ids]
    if checks.reasons:
        columns = [_select(column, name, kept, checks) for name, column in zip(ids, columns, strict=True)]
    for start, length in split_evenly(len(kept), max(1, BATCH_ROWS // len(ids))):
        piece = kept[start : start + length]
        cells = [column.slice(start, length) for column in columns]
        yield _stack(source, ids, batch.rows[piece], ds.take(piece), cells)


def _select(column: "pa.Array", name: str, rows: Ints, checks: RowChecks) -> "pa.Array":
    """Return some rows of a column: not of every type, and so without its encoding. Raises Invalid for its type."""
    return flatten(column, name, checks).take(rows)


def _stack(
    source: TableSource, ids: Sequence[str], rows: Ints, ds: "pa.Array", cells: "Sequence[pa.Array]"
) -> TableBatch:
    """Return the cells (S, M) of a piece of a wide table as long rows."""
    import pyarrow as pa

    tall = RowChecks(np.tile(rows, len(ids)), source.code)
    parts = []
    for k, (name, column) in enumerate(zip(ids, cells, strict=True)):
        checks = RowChecks(rows, source.code)
        parts.append(read_target(column, name, checks))
        for i in checks.reasons:
            tall.reasons[k * len(rows) + i] = f"{name}: {checks.reasons[i]}"
    if len({part.type for part in parts}) > 1:
        parts = [part.cast(pa.string()) for part in parts]
    y = pa.concat_arrays(parts)
    indices = np.repeat(np.arange(len(ids), dtype=np.int32), len(rows))
    unique_id = pa.DictionaryArray.from_arrays(pa.array(indices), pa.array(ids, pa.string()))
    times = ds.take(np.tile(np.arange(len(rows)), len(ids)))
    if not tall.reasons:
        return TableBatch(0, tall.rows, unique_id, times, y, [], [])
    kept = tall.list_kept()
    return TableBatch(0, tall.rows[kept], unique_id.take(kept), times.take(kept), y.take(kept), [], tall.list_errors())


def _make_errors(count: int, errors: Sequence[RowError]) -> TableBatch:
    import pyarrow as pa

    nothing = pa.array([], pa.string())
    return TableBatch(count, np.empty(0, np.int64), nothing, nothing, nothing, [], errors)
