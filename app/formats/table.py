"""Tables, whatever format they came in: `unique_id, ds, y` and a column a covariate, in batches of Arrow arrays."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

from app.errors import RowError
from models.arrays import Ints

if TYPE_CHECKING:
    import pyarrow as pa

KEYS = ("unique_id", "ds")
"""columns that every table has"""
TARGET = "y"
"""column that a table of covariates alone does not have"""

Column = Sequence[float | str | None]
"""values of a covariate, None where missing"""


class TableFormat(StrEnum):
    """A format of tables, by the name that `format=` gives it."""

    csv = "csv"
    ndjson = "ndjson"
    parquet = "parquet"
    arrow = "arrow"


Layout = Literal["long", "wide"]
"""long: a row a series and timestamp; wide: a row a timestamp, and a column a series"""


@dataclass(frozen=True)
class TableOptions:
    """How the bytes of a table are to be read; what is None is found out, and is told as a guess."""

    layout: Layout | None = None
    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    """{column of the table: what it is here}; an empty text leaves the column out"""


class Guess(NamedTuple):
    """What nobody said and the reader decided by itself, as the parameter that would have said it."""

    parameter: str
    """of the query, such as `delimiter`"""
    value: str
    detail: str
    """by what, in a sentence without a full stop"""


@dataclass(frozen=True)
class TableBatch:
    """Rows of a table in columns, in the order of the table; all of one length N, tens of thousands."""

    count: int
    """rows of the table that were read for it, those with errors too"""
    rows: Ints
    """(N,) numbers of the rows, from 1 below the header; in a wide table a number stands N times for its N series"""
    unique_id: "pa.Array"
    """(N,) string, or a dictionary of strings, without the blanks around them; null or empty where it is missing"""
    ds: "pa.Array"
    """(N,) string, int64, timestamp[us] without timezone, or timestamp[us, UTC]; null where it is missing"""
    y: "pa.Array | None"
    """(N,) string or float64; None in a table of covariates alone"""
    covariates: "Sequence[pa.Array]"
    """C arrays (N,), string (or a dictionary of strings) or float64, in the order of `DataTable.covariates`"""
    errors: Sequence[RowError]
    """rows that do not fit the table, which stand in no column"""


@dataclass(frozen=True)
class DataTable:
    """A table that is read batch by batch; what is wrong with it as a whole raises Invalid while it is read."""

    layout: Layout
    has_y: bool
    """whether there is a target beside the covariates"""
    covariates: Sequence[str]
    """(C,) names of the other columns; none in a wide table"""
    has_types: bool
    """whether its texts are text by the format's word; a CSV has nothing but text"""
    guesses: Sequence[Guess]
    batches: Iterator[TableBatch]
