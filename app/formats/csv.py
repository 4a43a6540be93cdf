"""A long table in CSV, read into one block of columns a series."""

import csv
from collections.abc import Iterable, Iterator
from typing import IO

from app.errors import ErrorCode, Invalid
from app.formats.table import Block
from app.scope import storable
from app.services.ingest.report import Report
from app.services.series.checks import RowProblem
from app.services.series.ids import is_series_id

REQUIRED = ("unique_id", "ds", "y")
LONGEST_CELL = 200


def read_csv(lines: IO[str], report: Report) -> tuple[list[str], dict[str, Block]]:
    """Return the covariates' names, and a block by series id.

    Raises Invalid for what is no table; rows that do not fit it are rejected.
    """
    blocks: dict[str, Block] = {}
    try:
        reader = csv.reader(lines, strict=True)
        header = next(reader, [])
        places, covariates = _columns(header)
        for row, cells in enumerate(_nonempty(reader), start=1):
            report.rows = row
            if len(cells) != len(header):
                detail = f"{len(cells)} cells where the header has {len(header)}"
                report.reject([RowProblem(row, ErrorCode.csv_malformed, detail)])
                continue
            if any(len(cell) > LONGEST_CELL or not storable(cell) for cell in cells):
                detail = f"a cell has more than {LONGEST_CELL} characters, or NUL among them"
                report.reject([RowProblem(row, ErrorCode.invalid_value, detail)])
                continue
            _take(blocks, row, cells, places)
    except (csv.Error, UnicodeDecodeError) as e:
        detail = f"the body is not a UTF-8 CSV table after row {report.rows}: {e}"
        raise Invalid(ErrorCode.csv_malformed, detail) from e
    for series_id in [i for i in blocks if not is_series_id(i)]:
        detail = f"{series_id[:60]!r} cannot be a series id"
        report.reject([RowProblem(r, ErrorCode.invalid_series_id, detail) for r in blocks.pop(series_id).rows])
    return covariates, blocks


def _nonempty(reader: Iterable[list[str]]) -> Iterator[list[str]]:
    return (cells for cells in reader if cells)


def _columns(header: list[str]) -> tuple[list[int], list[str]]:
    """Return the places of unique_id, ds, y and then the covariates, and the covariates' names."""
    names = [name.strip() for name in header]
    missing = [name for name in REQUIRED if name not in names]
    if missing or len(set(names)) != len(names) or not all(n.isprintable() and 0 < len(n) <= 200 for n in names):
        why = f"missing: {', '.join(missing)}" if missing else "a name is empty, unprintable or repeated"
        detail = f"the header must name the columns unique_id, ds and y, each column once; {why}"
        raise Invalid(ErrorCode.csv_malformed, detail)
    covariates = [name for name in names if name not in REQUIRED]
    return [names.index(name) for name in [*REQUIRED, *covariates]], covariates


def _take(blocks: dict[str, Block], row: int, cells: list[str], places: list[int]) -> None:
    block = blocks.get(cells[places[0]])
    if block is None:
        block = blocks[cells[places[0]]] = Block(covariates=[[] for _ in places[3:]])
    block.rows.append(row)
    block.ds.append(cells[places[1]].strip())
    block.y.append(cells[places[2]])
    for column, place in zip(block.covariates, places[3:], strict=True):
        column.append(cells[place])
