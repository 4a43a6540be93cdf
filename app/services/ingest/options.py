"""The table that an import is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from app.formats.table import Guess, TableFormat, TableOptions


@dataclass(frozen=True)
class TableUpload:
    """A table as it was sent, and how its bytes are to be read."""

    file: BinaryIO
    """seekable and decompressed"""
    format: TableFormat
    options: TableOptions
    guesses: Sequence[Guess] = ()
    """what was found out before the table was opened"""
