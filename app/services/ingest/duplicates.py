"""Several rows of one timestamp."""

from collections.abc import Sequence

import numpy as np

from app.errors import ErrorCode, RowError
from app.services.ingest.cells import Values
from app.services.ingest.report import ImportOptions, ImportReport
from app.services.series.checks import find_repeated
from models.arrays import Floats, Ints, find_missing
from models.calendar.timestamps import Stamps


def merge_duplicates(
    good: Ints,
    stamps: Stamps,
    columns: Sequence[Values],
    rows: Ints,
    options: ImportOptions,
    report: ImportReport,
    *,
    keep: bool,
) -> Ints:
    """Return the positions (M,) to write, one a timestamp; `columns` take what several rows give, in place.

    That is by `on_duplicate` the last row, in which an empty cell gives way to the rows before it where it would leave
    a stored value too (`keep`), or the mean of the numbers and the last of the texts.
    """
    again = find_repeated(stamps[good], rows[good])
    if not len(again):
        return good
    if options.on_duplicate == "error":
        detail = "this timestamp stands in an earlier row; on_duplicate=last or mean makes one row of them"
        report.reject([RowError(r, ErrorCode.duplicate_timestamp, detail) for r in rows[good[again]].tolist()])
        return np.delete(good, again)
    _, last = np.unique(stamps[good][::-1], return_index=True)
    kept = np.sort(good[::-1][last])
    is_mean = options.on_duplicate == "mean"
    if is_mean or keep:
        for column in columns:
            merge = _average if is_mean and column.dtype == np.float64 else _take_last
            column[kept] = merge(stamps[good], column[good], stamps[kept])
    return kept


def _average(stamps: Stamps, numbers: Floats, wanted: Stamps) -> Floats:
    """Return the mean of the observed numbers (N,) at each of the stamps `wanted` (M,); NaN where none is observed."""
    distinct, inverse = np.unique(stamps, return_inverse=True)
    seen = ~np.isnan(numbers)
    total = np.bincount(inverse[seen], numbers[seen], len(distinct))
    counts = np.bincount(inverse[seen], minlength=len(distinct))
    means = np.divide(total, counts, out=np.full(len(distinct), np.nan), where=counts > 0)
    averages: Floats = means[np.searchsorted(distinct, wanted)]
    return averages


def _take_last(stamps: Stamps, values: Values, wanted: Stamps) -> Values:
    """Return the last present value (N,) at each of the stamps `wanted` (M,), or that none is."""
    present = ~find_missing(values)
    distinct, last = np.unique(stamps[present][::-1], return_index=True)
    taken = values[:1].repeat(len(wanted))
    taken[:] = None if values.dtype == object else np.nan
    found = np.isin(wanted, distinct)
    taken[found] = values[present][::-1][last[np.searchsorted(distinct, wanted[found])]]
    return taken
