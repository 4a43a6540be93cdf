"""Tables in Parquet."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, BinaryIO

import numpy as np

from app.errors import ErrorCode, Invalid
from app.formats.arrow import refuse_broken
from app.formats.columns import check_type
from app.formats.mapped import map_file
from app.formats.parquet_footer import read_row_groups
from app.formats.parquet_sizes import measure_largest_page
from app.formats.source import SourceBatch, bound_rows
from app.formats.table import Guess

LARGEST_CHUNK = 1024 * 1024 * 1024
"""bytes of one column in one row group, decompressed"""
LARGEST_PAGES = 1024 * 1024 * 1024
"""bytes of the largest pages of the columns that are read at once, decompressed: each column holds one in memory"""
MOST_PAGES = 100_000
"""of one column in one row group: each takes some ten microseconds to look at"""
LONGEST_THRIFT = 64 * 1024 * 1024
"""bytes of a text in the footer, such as the schema as Arrow has it"""


class ParquetSource:
    """A Parquet file, of which the columns that are asked for are read, row group by row group."""

    code = ErrorCode.table_malformed
    has_types = True
    is_columnar = True
    hint = ""

    def __init__(self, file: BinaryIO) -> None:
        """Read the footer. Raises Invalid for what is none."""
        import pyarrow as pa

        self._buffer = map_file(file)
        self._metadata: Any = None
        self.guesses: Sequence[Guess] = ()
        with refuse_broken("Parquet"):
            opened = self._open([])
            schema = opened.schema_arrow
            self._metadata = opened.metadata
            self._groups = read_row_groups(self._buffer)
            self._check_sizes()
            self._fields = list(schema.names)
        self.names: Sequence[str] = [name.strip() for name in self._fields]
        self._types = list(schema.types)
        counts = [_count_leaves(kind) for kind in schema.types]
        self._leaves = [0, *accumulate(counts)]
        """of each field, the number of its first column in the file"""
        # a dictionary is small where its texts are long and repeated, and is what a batch has
        self._texts = [
            name for name, kind in zip(schema.names, schema.types, strict=True)
            if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
        ]  # fmt: skip

    def _open(self, dictionaries: list[str]) -> Any:
        import pyarrow as pa
        import pyarrow.parquet

        return pa.parquet.ParquetFile(
            pa.BufferReader(self._buffer),
            metadata=self._metadata,
            read_dictionary=dictionaries,
            pre_buffer=False,
            coerce_int96_timestamp_unit="us",
            thrift_string_size_limit=LONGEST_THRIFT,
            thrift_container_size_limit=10_000_000,
            arrow_extensions_enabled=False,
        )

    def _check_sizes(self) -> None:
        """Raise Invalid where a column of a row group, which no metadata of a column are asked for, is too large."""
        for number, group in enumerate(self._groups):
            if len(group.chunks) != len(self._metadata.schema):
                raise ValueError(f"row group {number} has {len(group.chunks)} columns")
            for i, chunk in enumerate(group.chunks):
                if chunk.decompressed > LARGEST_CHUNK:
                    path = self._metadata.schema.column(i).path
                    detail = f"the column {path!r} has more than {LARGEST_CHUNK} bytes in row group {number}"
                    raise Invalid(self.code, f"{detail}; write smaller row groups, of a million rows or fewer")

    def _check_pages(self, positions: Sequence[int]) -> None:
        """Raise Invalid where what is held of some columns at a time would be too large."""
        leaves = [self._leaves[i] for i in positions]
        if sum(group.chunks[leaf].size for group in self._groups for leaf in leaves) > len(self._buffer):
            raise Invalid(self.code, "its columns share bytes, which those of no file do; write the file anew")
        for number, group in enumerate(self._groups):
            if not group.rows:
                continue
            chunks = [group.chunks[leaf] for leaf in leaves]
            most = min(group.rows, MOST_PAGES) + 2  # a dictionary, and one that is empty
            total = sum(measure_largest_page(self._buffer, chunk.start, chunk.size, most) for chunk in chunks)
            if total > LARGEST_PAGES:
                detail = f"the pages of row group {number} have {total} bytes, the limit is {LARGEST_PAGES}"
                raise Invalid(self.code, f"{detail}; write smaller pages, of a megabyte, or fewer columns")

    def read(self, positions: Sequence[int]) -> Iterator[SourceBatch]:
        """Yield the rows. Raises Invalid for what is broken."""
        import pyarrow as pa

        for i in positions:
            if pa.types.is_nested(self._types[i]):
                detail = f"the column {self.names[i]!r} holds {self._types[i]}, which is no single value"
                raise Invalid(self.code, f"{detail}; leave it out with columns={self.names[i]}:")
            check_type(self.names[i], self._types[i], self.code)
        names = [self._fields[i] for i in positions]
        number = 0
        with refuse_broken("Parquet"):
            self._check_pages(positions)
            opened = self._open([name for name in names if name in self._texts])
            size = bound_rows(len(positions))
            for batch in opened.iter_batches(batch_size=size, columns=names, use_threads=False):
                batch.validate(full=True)
                found = dict(zip(batch.schema.names, batch.columns, strict=True))
                rows = np.arange(number + 1, number + 1 + batch.num_rows)
                number += batch.num_rows
                yield SourceBatch(batch.num_rows, rows, {i: found[self._fields[i]] for i in positions}, [])


def _count_leaves(kind: Any) -> int:
    """Return how many columns a field of a type has in the file."""
    return sum(_count_leaves(kind.field(i).type) for i in range(kind.num_fields)) if kind.num_fields else 1
