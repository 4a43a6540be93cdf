"""What every reader gives, before anybody knows which column is which: columns by position, batch by batch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from app.errors import ErrorCode, RowError
from app.formats.table import Guess
from models.arrays import Ints

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 65_536
"""rows of a batch, about"""
BATCH_CELLS = 2_000_000
"""cells of a batch, about: of a table with many columns a batch has fewer rows"""


@dataclass(frozen=True)
class SourceBatch:
    """Rows of a table, as their format has them."""

    count: int
    """rows that were read for it, those with errors too"""
    rows: Ints
    """(N,) numbers of the rows, from 1 below the header"""
    columns: "Mapping[int, pa.Array]"
    """position → (N,) of whatever type the format gives"""
    errors: Sequence[RowError]
    """rows that do not fit the table, which stand in no column"""


class TableSource(Protocol):
    """A table of one format, opened."""

    @property
    def code(self) -> ErrorCode:
        """The code of a table that is broken."""

    @property
    def names(self) -> Sequence[str]:
        """The names of all columns, without the blanks around them."""

    @property
    def has_types(self) -> bool:
        """Whether its texts are text by the format's word."""

    @property
    def is_columnar(self) -> bool:
        """Whether some of its columns are read without the others."""

    @property
    def guesses(self) -> Sequence[Guess]:
        """What was found out about the format."""

    @property
    def hint(self) -> str:
        """What a refusal of the names adds, as a sentence without its full stop; empty where there is nothing."""

    def read(self, positions: Sequence[int]) -> Iterator[SourceBatch]:
        """Yield the rows, from the first one on, with the columns at these positions.

        Raises Invalid for what is broken.
        """


def bound_rows(columns: int) -> int:
    """Return how many rows a batch of so many columns has."""
    return max(1, min(BATCH_ROWS, BATCH_CELLS // max(1, columns)))
