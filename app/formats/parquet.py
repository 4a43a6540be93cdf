"""Tables in Parquet."""

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from app.errors import ErrorCode, Invalid
from app.formats.arrow import refuse_broken
from app.formats.columns import check_type
from app.formats.mapped import map_file
from app.formats.source import SourceBatch, bound_rows
from app.formats.table import Guess

LARGEST_CHUNK = 1024 * 1024 * 1024
"""bytes of one column in one row group, decompressed"""
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
            self._check_sizes(opened.metadata)
            self._fields = list(schema.names)
        self.names: Sequence[str] = [name.strip() for name in self._fields]
        self._types = list(schema.types)
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

    def _check_sizes(self, metadata: Any) -> None:
        for group in range(metadata.num_row_groups):
            row_group = metadata.row_group(group)
            if row_group.total_byte_size <= LARGEST_CHUNK:
                continue
            for i in range(row_group.num_columns):
                column = row_group.column(i)
                if column.total_uncompressed_size > LARGEST_CHUNK:
                    detail = f"the column {column.path_in_schema!r} has more than {LARGEST_CHUNK} bytes in row group"
                    raise Invalid(self.code, f"{detail} {group}; write smaller row groups, of a million rows or fewer")

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
            opened = self._open([name for name in names if name in self._texts])
            size = bound_rows(len(positions))
            for batch in opened.iter_batches(batch_size=size, columns=names, use_threads=False):
                batch.validate(full=True)
                found = dict(zip(batch.schema.names, batch.columns, strict=True))
                rows = np.arange(number + 1, number + 1 + batch.num_rows)
                number += batch.num_rows
                yield SourceBatch(batch.num_rows, rows, {i: found[self._fields[i]] for i in positions}, [])
