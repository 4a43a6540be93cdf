"""Forecasts as a document or a table, whole or in parts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import orjson

from app.formats.forms import Form
from app.formats.table import TableFormat
from app.formats.writers import TEXTS, choose_stamp_type, choose_table_writer
from app.services.forecasting.inputs.request import ForecastShape
from app.services.forecasting.inputs.served_version import ServedVersion
from app.services.forecasting.outputs.results import ForecastResult, Result, to_document
from models.calendar.timestamps import Stamps

if TYPE_CHECKING:
    import pyarrow as pa


class Writer(Protocol):
    """Writes results one part after another."""

    def begin(self) -> bytes:
        """Return what comes before the first part."""

    def write(self, results: Sequence[Result]) -> bytes:
        """Return a part with some results."""

    def end(self) -> bytes:
        """Return what comes after the last part."""


def choose_writer(form: Form, version: ServedVersion, shape: ForecastShape) -> Writer:
    """Return a writer of a format."""
    return JsonWriter(version, shape) if form.table is None else ForecastTableWriter(form.table, shape)


def write_all(form: Form, version: ServedVersion, shape: ForecastShape, results: Sequence[Result]) -> bytes:
    """Return a whole response."""
    if form is Form.json:
        return write_json(version, [to_document(result, shape) for result in results])
    writer = choose_writer(form, version, shape)
    return writer.begin() + writer.write(results) + writer.end()


def write_json(version: ServedVersion, documents: Sequence[dict[str, Any]]) -> bytes:
    """Return a whole response in JSON."""
    return orjson.dumps(describe_response(version, documents), option=orjson.OPT_SERIALIZE_NUMPY)


def describe_response(version: ServedVersion, documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a response with the documents of its forecasts; its numbers are arrays."""
    stored = version.stored
    return {
        "model": stored.model_name,
        "version": stored.number,
        "revision": stored.revision,
        "forecasts": documents,
    }


class JsonWriter:
    """Writes the document of POST /forecast."""

    def __init__(self, version: ServedVersion, shape: ForecastShape) -> None:
        self._version = version
        self._shape = shape
        self._is_first = True

    def begin(self) -> bytes:
        """Return what comes before the forecasts."""
        return write_json(self._version, [])[:-2]

    def write(self, results: Sequence[Result]) -> bytes:
        """Return some forecasts, with a comma between them and those before."""
        documents = [to_document(result, self._shape) for result in results]
        text = orjson.dumps(documents, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
        comma = b"" if self._is_first else b","
        self._is_first = False
        return comma + text

    def end(self) -> bytes:
        """Return what comes after the forecasts."""
        return b"]}"


class ForecastTableWriter:
    """Writes a table of the columns unique_id, ds, yhat and q0.1 …, a row a step.

    A series without a forecast has one row, with nothing but its id.
    """

    def __init__(self, format: TableFormat, shape: ForecastShape) -> None:
        import pyarrow as pa  # costs a tenth of a second, and most processes never need it

        self._shape = shape
        self._has_texts = format in TEXTS
        columns = [("unique_id", pa.string()), ("ds", choose_stamp_type(format)), ("yhat", pa.float64())]
        self._schema = pa.schema([*columns, *((f"q{name}", pa.float64()) for name in shape.names)])
        self._writer = choose_table_writer(format, self._schema)

    def begin(self) -> bytes:
        """Return what comes before the rows."""
        return self._writer.begin()

    def write(self, results: Sequence[Result]) -> bytes:
        """Return the rows of some forecasts."""
        import pyarrow as pa

        columns = [
            _build_id_column(results),
            pa.array(self._list_times(results), self._schema.field("ds").type),
            *_build_number_columns(results, self._shape),
        ]
        return self._writer.write(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def end(self) -> bytes:
        """Return what comes after the rows."""
        return self._writer.end()

    def _list_times(self, results: Sequence[Result]) -> Any:
        """Return the time of each row: a text with the series' offset, or a stamp."""
        if self._has_texts:
            return [time for result in results for time in _list_ds(result)]
        return np.concatenate([_list_stamps(result) for result in results]).view("M8[us]")  # NaT becomes null


NO_STAMP = np.array([np.datetime64("NaT", "us")]).view(np.int64)


def _list_stamps(result: Result) -> Stamps:
    """Return the stamps of a result's rows: one that is missing, without a forecast."""
    return result.stamps if isinstance(result, ForecastResult) else NO_STAMP


def _list_ds(result: Result) -> Sequence[str | None]:
    """Return the timestamps of a result's rows: one that is missing, without a forecast."""
    return result.ds if isinstance(result, ForecastResult) else [None]


def _build_id_column(results: Sequence[Result]) -> "pa.Array":
    """Return the id of each row of the table."""
    import pyarrow as pa

    lengths = [len(_list_ds(result)) for result in results]
    rows = np.repeat(np.arange(len(results)), lengths)
    return pa.array([result.series_id for result in results], pa.string()).take(pa.array(rows))


def _build_number_columns(results: Sequence[Result], shape: ForecastShape) -> "list[pa.Array]":
    """Return the point and the levels, a column each, null in the row of a series without a forecast."""
    import pyarrow as pa

    missing = [np.full(1, np.nan)] * (1 + len(shape.levels))
    rows = [[result.yhat, *result.quantiles] if isinstance(result, ForecastResult) else missing for result in results]
    columns = [np.concatenate(parts) for parts in zip(*rows, strict=True)]
    return [pa.array(column, pa.float64(), from_pandas=True) for column in columns]
