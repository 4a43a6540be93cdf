"""Scans as tables: a row a scanned value, in any format of tables."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app.formats.table import TableFormat
from app.formats.writers import choose_stamp_type, choose_table_writer
from app.services.anomalies.scan import COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

FLAGS = frozenset({"anomaly", "alarm"})
"""columns of truth values; the others are numbers, beside `ds`"""


def write_scans(views: Sequence[Mapping[str, Any]], format: TableFormat) -> bytes:
    """Return the scans of some series as one table: `unique_id` and the columns of a scan.

    A series that cannot be scored has one row, with nothing but its id.
    """
    import pyarrow as pa  # costs a tenth of a second, and most processes never need it

    types = {"ds": choose_stamp_type(format)} | {name: pa.bool_() for name in FLAGS}
    schema = pa.schema([("unique_id", pa.string()), *((name, types.get(name, pa.float64())) for name in COLUMNS)])
    writer = choose_table_writer(format, schema)
    ids = [view["series_id"] for view in views for _ in _list_column(view, "ds")]
    columns = [[value for view in views for value in _list_column(view, name)] for name in COLUMNS]
    arrays = [_build_array(values, field) for values, field in zip([ids, *columns], schema, strict=True)]
    return writer.begin() + writer.write(pa.RecordBatch.from_arrays(arrays, schema=schema)) + writer.end()


def _list_column(view: Mapping[str, Any], name: str) -> Sequence[Any]:
    return view[name] if view["status"] == "ok" else [None]


def _build_array(values: Sequence[Any], field: "pa.Field") -> "pa.Array":
    """Return a column; times, which are RFC 3339 texts, as what the format has for them."""
    import pyarrow as pa

    return pa.array(values, pa.string()).cast(field.type) if field.name == "ds" else pa.array(values, field.type)
