"""Long tables: a row a series and timestamp."""

from collections.abc import Iterator

from app.formats.columns import RowChecks, read_ids, read_target, read_times, read_values
from app.formats.header import ColumnPlaces
from app.formats.source import SourceBatch, TableSource
from app.formats.table import KEYS, TARGET, TableBatch


def read_long(source: TableSource, places: ColumnPlaces) -> Iterator[TableBatch]:
    """Yield the rows of a long table. Raises Invalid for what is broken, or of a type that tables do not have."""
    positions = [places.unique_id, places.ds, *places.covariates.values()]
    if places.y is not None:
        positions.append(places.y)
    for batch in source.read(positions):
        yield _convert(source, places, batch)


def _convert(source: TableSource, places: ColumnPlaces, batch: SourceBatch) -> TableBatch:
    checks = RowChecks(batch.rows, source.code)
    unique_id = read_ids(batch.columns[places.unique_id], KEYS[0], checks)
    ds = read_times(batch.columns[places.ds], KEYS[1], checks)
    y = None if places.y is None else read_target(batch.columns[places.y], TARGET, checks)
    covariates = [read_values(batch.columns[i], name, checks) for name, i in places.covariates.items()]
    errors = [*batch.errors, *checks.list_errors()]
    if not checks.reasons:
        return TableBatch(batch.count, batch.rows, unique_id, ds, y, covariates, errors)
    kept = checks.list_kept()
    return TableBatch(
        batch.count,
        batch.rows[kept],
        unique_id.take(kept),
        ds.take(kept),
        None if y is None else y.take(kept),
        [column.take(kept) for column in covariates],
        errors,
    )
