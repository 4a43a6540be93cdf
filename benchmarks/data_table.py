"""The table that benchmarks.data imports: M5's daily sales, as files to send and as arrays to compare with."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FILE = "m5_last447.parquet"
COLUMNS = ("unique_id", "ds", "y")
ROWS_A_GROUP = 1 << 20
MEDIA_TYPES = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv"}


@dataclass(frozen=True, eq=False)
class SalesTable:
    """A long table of S daily series and N rows, the rows of a series together and ascending."""

    ids: list[str]
    """(S,) in the order of the table"""
    series: Ints
    """(N,) position in `ids`"""
    ts: Ints
    """(N,) microseconds UTC"""
    y: Floats
    files: dict[str, Path]
    """{format: the table as a file}"""

    @property
    def rows(self) -> int:
        """N."""
        return len(self.ts)

    def summarize(self) -> dict[str, tuple[int, int, int, float]]:
        """Return {id: (rows, first stamp, last stamp, sum of y)}."""
        begins = np.flatnonzero(np.diff(self.series, prepend=-1))
        counts = np.diff(begins, append=self.rows)
        columns = (counts, self.ts[begins], self.ts[begins + counts - 1], np.add.reduceat(self.y, begins))
        return dict(zip(self.ids, zip(*(column.tolist() for column in columns), strict=True), strict=True))


def prepare_table(path: Path, folder: Path, series: int | None) -> SalesTable:
    """Read the first `series` series of the data set (None: all), and write them as Parquet and as CSV."""
    table = pq.read_table(path, columns=list(COLUMNS)).combine_chunks()
    codes = table["unique_id"].combine_chunks().indices.to_numpy().astype(np.int64)
    begins = np.flatnonzero(np.diff(codes, prepend=-1))
    if series is not None and series < len(begins):
        table = table.slice(0, int(begins[series]))
        begins = begins[:series]
    numbers = np.repeat(np.arange(len(begins)), np.diff(begins, append=table.num_rows))
    ids = pc.cast(table["unique_id"].take(pa.array(begins)), pa.string()).to_pylist()
    ts = table["ds"].cast(pa.timestamp("us")).to_numpy().astype(np.int64)
    files = {"parquet": folder / "sales.parquet", "csv": folder / "sales.csv"}
    pq.write_table(table, files["parquet"], row_group_size=ROWS_A_GROUP, compression="zstd")
    pyarrow.csv.write_csv(table.cast(_plain(table.schema)), files["csv"])
    return SalesTable(ids, numbers, ts, table["y"].to_numpy().astype(np.float64), files)


def _plain(schema: pa.Schema) -> pa.Schema:
    """Return the schema with text in place of dictionaries of text."""
    types = [pa.string() if pa.types.is_dictionary(kind) else kind for kind in schema.types]
    return pa.schema(list(zip(schema.names, types, strict=True)))
