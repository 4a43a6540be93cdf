"""The formats that answers are written in: their names, media types and ends of file names."""

from enum import StrEnum
from typing import Literal

from app.formats.table import TableFormat

FormName = Literal["json", "csv", "ndjson", "parquet", "arrow"]
"""what `format=` takes where a call answers a document or a table"""
TableFormName = Literal["csv", "ndjson", "parquet", "arrow"]
"""what `format=` takes where a call answers a table alone"""


class Form(StrEnum):
    """The format of an answer that is a document or a table; the first is the default."""

    json = "application/json"
    csv = "text/csv"
    arrow = "application/vnd.apache.arrow.stream"
    ndjson = "application/x-ndjson"
    parquet = "application/vnd.apache.parquet"

    @property
    def table(self) -> TableFormat | None:
        """The format of the table; None for a document."""
        return None if self is Form.json else TableFormat[self.name]


class TableForm(StrEnum):
    """The format of an answer that is always a table."""

    csv = Form.csv.value
    arrow = Form.arrow.value
    ndjson = Form.ndjson.value
    parquet = Form.parquet.value

    @property
    def table(self) -> TableFormat:
        """The format of the table."""
        return TableFormat[self.name]
