"""Forecasts as JSON, CSV and Arrow, whole or in parts."""

import io
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import orjson

from app.services.forecasting.inputs.request import ForecastShape
from app.services.forecasting.inputs.served_version import ServedVersion
from app.services.forecasting.outputs.results import ForecastResult, Result, to_document
from models.calendar.timestamps import Stamps

if TYPE_CHECKING:
    import pyarrow as pa


class Form(StrEnum):
    """The format of a response."""

    json = "application/json"
    csv = "text/csv"
    arrow = "application/vnd.apache.arrow.stream"


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
    match form:
        case Form.json:
            return JsonWriter(version, shape)
        case Form.csv:
            return CsvWriter(shape)
        case Form.arrow:
            return ArrowWriter(shape)


def write_all(form: Form, version: ServedVersion, shape: ForecastShape, results: Sequence[Result]) -> bytes:
    """Return a whole response."""
    if form is Form.json:
        return write_json(version, [to_document(result, shape) for result in results])
    writer = choose_writer(form, version, shape)
    return writer.begin() + writer.write(results) + writer.end()


def write_json(version: ServedVersion, documents: Sequence[dict[str, Any]]) -> bytes:
    """Return a whole response in JSON."""
    stored = version.stored
    response = {"model": stored.model_name, "version": stored.number, "forecasts": documents}
    return orjson.dumps(response, option=orjson.OPT_SERIALIZE_NUMPY)


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


class ArrowWriter:
    """Writes an Arrow stream of the columns unique_id, ds, yhat and q0.1 …, a row a step.

    A series without a forecast has one row, with nothing but its id.
    """

    def __init__(self, shape: ForecastShape) -> None:
        import pyarrow as pa  # costs a tenth of a second, and most processes never need it

        self._shape = shape
        self._pa = pa
        columns = [("unique_id", pa.string()), ("ds", pa.timestamp("us", tz="UTC")), ("yhat", pa.float64())]
        self._schema = pa.schema([*columns, *((f"q{name}", pa.float64()) for name in shape.names)])
        self._sink = io.BytesIO()
        self._stream: Any = None

    def begin(self) -> bytes:
        """Return the schema."""
        self._stream = self._pa.ipc.new_stream(self._sink, self._schema)
        return self._drain()

    def write(self, results: Sequence[Result]) -> bytes:
        """Return a record batch."""
        self._stream.write_batch(self._build_batch(results))
        return self._drain()

    def end(self) -> bytes:
        """Return the end of the stream."""
        self._stream.close()
        return self._drain()

    def _drain(self) -> bytes:
        data = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return data

    def _build_batch(self, results: Sequence[Result]) -> "pa.RecordBatch":
        pa = self._pa
        stamps = np.concatenate([_list_stamps(result) for result in results])
        ds = pa.array(stamps.view("M8[us]"), pa.timestamp("us", tz="UTC"))  # NaT becomes null
        return pa.RecordBatch.from_arrays(
            [_build_id_column(pa, results), ds, *_build_number_columns(pa, results, self._shape)], schema=self._schema
        )


class CsvWriter:
    """Writes the same columns as text; `ds` has the offset of the series' timezone."""

    def __init__(self, shape: ForecastShape) -> None:
        import pyarrow as pa

        self._shape = shape
        self._pa = pa
        self._names = ["unique_id", "ds", "yhat", *(f"q{name}" for name in shape.names)]

    def begin(self) -> bytes:
        """Return the header."""
        return (",".join(self._names) + "\n").encode()

    def write(self, results: Sequence[Result]) -> bytes:
        """Return some lines."""
        from pyarrow import csv

        pa = self._pa
        ds = [stamp for result in results for stamp in _list_ds(result)]
        numbers = _build_number_columns(pa, results, self._shape)
        columns = [_build_id_column(pa, results), pa.array(ds, pa.string()), *numbers]
        table = pa.table(columns, names=self._names)
        sink = io.BytesIO()
        csv.write_csv(table, sink, csv.WriteOptions(include_header=False, quoting_style="needed"))
        return sink.getvalue()

    def end(self) -> bytes:
        """Return nothing: the last line is the end."""
        return b""


NO_STAMP = np.array([np.datetime64("NaT", "us")]).view(np.int64)


def _list_stamps(result: Result) -> Stamps:
    """Return the stamps of a result's rows: one that is missing, without a forecast."""
    return result.stamps if isinstance(result, ForecastResult) else NO_STAMP


def _list_ds(result: Result) -> Sequence[str | None]:
    """Return the timestamps of a result's rows: one that is missing, without a forecast."""
    return result.ds if isinstance(result, ForecastResult) else [None]


def _build_id_column(pa: Any, results: Sequence[Result]) -> "pa.Array":
    """Return the id of each row of the table."""
    lengths = [len(_list_ds(result)) for result in results]
    rows = np.repeat(np.arange(len(results)), lengths)
    return pa.array([result.series_id for result in results], pa.string()).take(pa.array(rows))


def _build_number_columns(pa: Any, results: Sequence[Result], shape: ForecastShape) -> "list[pa.Array]":
    """Return the median and the levels, a column each, null in the row of a series without a forecast."""
    missing = [np.full(1, np.nan)] * (1 + len(shape.levels))
    rows = [[result.yhat, *result.quantiles] if isinstance(result, ForecastResult) else missing for result in results]
    columns = [np.concatenate(parts) for parts in zip(*rows, strict=True)]
    return [pa.array(column, pa.float64(), from_pandas=True) for column in columns]
