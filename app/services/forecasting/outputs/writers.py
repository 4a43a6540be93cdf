"""Forecasts as JSON, CSV and Arrow, whole or in parts."""

import io
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import orjson

from app.services.forecasting.inputs.context_cache import Served
from app.services.forecasting.inputs.request import Steps
from app.services.forecasting.outputs.results import Result, Told, document

if TYPE_CHECKING:
    import pyarrow as pa


class Form(StrEnum):
    """What an answer is written in."""

    json = "application/json"
    csv = "text/csv"
    arrow = "application/vnd.apache.arrow.stream"


class Writer(Protocol):
    """Writes results one part after another."""

    def begin(self) -> bytes:
        """Return what stands before the first part."""

    def part(self, results: Sequence[Result]) -> bytes:
        """Return some results."""

    def end(self) -> bytes:
        """Return what stands after the last part."""


def writer(form: Form, served: Served, steps: Steps) -> Writer:
    """Return what writes an answer."""
    match form:
        case Form.json:
            return JsonWriter(served, steps)
        case Form.csv:
            return CsvWriter(steps)
        case Form.arrow:
            return ArrowWriter(steps)


def whole(form: Form, served: Served, steps: Steps, results: Sequence[Result]) -> bytes:
    """Return a whole answer."""
    if form is Form.json:
        return told(served, [document(one, steps) for one in results])
    to = writer(form, served, steps)
    return to.begin() + to.part(results) + to.end()


def told(served: Served, forecasts: Sequence[dict[str, Any]]) -> bytes:
    """Return a whole answer in JSON."""
    answer = {"model": served.model.name, "version": served.version.number, "forecasts": forecasts}
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


class JsonWriter:
    """Writes the document of POST /forecast."""

    def __init__(self, served: Served, steps: Steps) -> None:
        self._served, self._steps, self._first = served, steps, True

    def begin(self) -> bytes:
        """Return what stands before the forecasts."""
        return told(self._served, [])[:-2]

    def part(self, results: Sequence[Result]) -> bytes:
        """Return some forecasts, with a comma between them and those before."""
        documents = [document(one, self._steps) for one in results]
        text = orjson.dumps(documents, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
        comma = b"" if self._first else b","
        self._first = False
        return comma + text

    def end(self) -> bytes:
        """Return what stands after the forecasts."""
        return b"]}"


class ArrowWriter:
    """Writes an Arrow stream of the columns unique_id, ds, yhat and q0.1 …, a row a step.

    A series without a forecast has one row, with nothing but its id.
    """

    def __init__(self, steps: Steps) -> None:
        import pyarrow as pa  # costs a tenth of a second, and most processes never need it

        self._steps, self._pa = steps, pa
        columns = [("unique_id", pa.string()), ("ds", pa.timestamp("us", tz="UTC")), ("yhat", pa.float64())]
        self._schema = pa.schema([*columns, *((f"q{name}", pa.float64()) for name in steps.names)])
        self._sink = io.BytesIO()
        self._stream: Any = None

    def begin(self) -> bytes:
        """Return the schema."""
        self._stream = self._pa.ipc.new_stream(self._sink, self._schema)
        return self._taken()

    def part(self, results: Sequence[Result]) -> bytes:
        """Return a record batch."""
        self._stream.write_batch(self._batch(results))
        return self._taken()

    def end(self) -> bytes:
        """Return the end of the stream."""
        self._stream.close()
        return self._taken()

    def _taken(self) -> bytes:
        data = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return data

    def _batch(self, results: Sequence[Result]) -> "pa.RecordBatch":
        pa = self._pa
        stamps = np.concatenate([one.stamps if isinstance(one, Told) else _NOTHING for one in results])
        ds = pa.array(stamps.view("M8[us]"), pa.timestamp("us", tz="UTC"))  # NaT becomes null
        return pa.RecordBatch.from_arrays(
            [_ids(pa, results), ds, *_numbers(pa, results, self._steps)], schema=self._schema
        )


class CsvWriter:
    """Writes the same columns as text; `ds` has the offset of the series' timezone."""

    def __init__(self, steps: Steps) -> None:
        import pyarrow as pa

        self._steps, self._pa = steps, pa
        self._names = ["unique_id", "ds", "yhat", *(f"q{name}" for name in steps.names)]

    def begin(self) -> bytes:
        """Return the header."""
        return (",".join(self._names) + "\n").encode()

    def part(self, results: Sequence[Result]) -> bytes:
        """Return some lines."""
        from pyarrow import csv

        pa = self._pa
        ds = [stamp for one in results for stamp in (one.ds if isinstance(one, Told) else [None])]
        columns = [_ids(pa, results), pa.array(ds, pa.string()), *_numbers(pa, results, self._steps)]
        table = pa.table(columns, names=self._names)
        sink = io.BytesIO()
        csv.write_csv(table, sink, csv.WriteOptions(include_header=False, quoting_style="needed"))
        return sink.getvalue()

    def end(self) -> bytes:
        """Return nothing: the last line is the end."""
        return b""


_NOTHING = np.array([np.datetime64("NaT", "us")]).view(np.int64)


def _ids(pa: Any, results: Sequence[Result]) -> "pa.Array":
    """Return the id of each row of the table."""
    lengths = [len(one.ds) if isinstance(one, Told) else 1 for one in results]
    rows = np.repeat(np.arange(len(results)), lengths)
    return pa.array([one.series_id for one in results], pa.string()).take(pa.array(rows))


def _numbers(pa: Any, results: Sequence[Result], steps: Steps) -> "list[pa.Array]":
    """Return the median and the levels, a column each, null in the row of a series without a forecast."""
    nothing = [np.full(1, np.nan)] * (1 + len(steps.levels))
    rows = [[one.yhat, *one.quantiles] if isinstance(one, Told) else nothing for one in results]
    columns = [np.concatenate(parts) for parts in zip(*rows, strict=True)]
    return [pa.array(column, pa.float64(), from_pandas=True) for column in columns]
