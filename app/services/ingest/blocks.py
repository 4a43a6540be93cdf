"""A table's rows, gathered by series."""

from app.errors import ErrorCode, RowError
from app.formats.table import Block, LongTable
from app.services.ingest.report import ImportReport
from app.services.series.ids import is_series_id

MISSING_IDS = frozenset({"", "nan", "<na>"})
"""cells of `unique_id` that stand for a missing id, in lower case"""


def collect_blocks(table: LongTable, report: ImportReport) -> dict[str, Block]:
    """Return a block by series id; rows that do not fit the table, or that no series may have, are rejected."""
    blocks: dict[str, Block] = {}
    for row in table.rows:
        report.rows += 1
        if isinstance(row, RowError):
            report.reject([row])
            continue
        block = blocks.get(row.series_id)
        if block is None:
            block = blocks[row.series_id] = Block(covariates=[[] for _ in table.covariates])
        block.add(row)
    for series_id in list(blocks):
        detail = _explain_id(series_id)
        if detail is not None:
            code = ErrorCode.invalid_series_id
            report.reject([RowError(r, code, detail) for r in blocks.pop(series_id).rows])
    return blocks


def _explain_id(series_id: str) -> str | None:
    """Return why a cell names no series, or None where it does."""
    if series_id.lower() in MISSING_IDS:
        seen = f"is {series_id!r}" if series_id else "is empty"
        return f"unique_id {seen}, which is how a missing id is written; give the row the id of its series"
    return None if is_series_id(series_id) else f"{series_id[:60]!r} cannot be a series id"
