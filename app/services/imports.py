"""Bulk import of a long table: `unique_id, ds, y`, and any other column is a covariate."""

import csv
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, Invalid
from app.services.once import Answer, Idempotency, answer_once
from app.services.rows import Column, Problem, check_stamps, repeated, write_covariates, write_points
from app.services.series import checked_frequency, checked_timezone, is_series_id
from app.storage import series
from app.storage.engine import Database
from app.storage.scope import Scope
from app.storage.tables import SeriesRow
from models.calendar import FrequencyError, Grid, OffGridError, parse_frequency
from models.infer import infer_frequency
from models.timestamps import Stamps, TimestampError, parse_stamps, read_stamps

REQUIRED = ("unique_id", "ds", "y")
MISSING = frozenset({"", "nan", "null", "none", "na", "n/a"})
SHOWN = 1000
"""Rejected rows that are listed; the rest are counted."""


@dataclass(frozen=True)
class ImportOptions:
    """How to read a table."""

    freq: str | None
    """of series that are made; inferred from their timestamps when absent"""
    timezone: str
    ds_start: str | None
    """the timestamp of the integer step 0, where `ds` holds integers"""
    dry_run: bool
    on_error: Literal["abort", "skip"]
    on_duplicate: Literal["error", "last", "mean"]


@dataclass
class Block:
    """The rows of one series, in columns; `rows` counts from 1 below the header."""

    rows: list[int] = field(default_factory=list)
    ds: list[str] = field(default_factory=list)
    y: list[str] = field(default_factory=list)
    covariates: list[list[str]] = field(default_factory=list)
    """one list a covariate column"""


@dataclass
class Report:
    """What an import did, or would do."""

    series: int = 0
    rows: int = 0
    inserted: int = 0
    updated: int = 0
    problems: list[Problem] = field(default_factory=list)

    def body(self) -> dict[str, Any]:
        """Return the report as clients see it."""
        ordered = sorted(self.problems, key=lambda p: p.row)
        return {
            "series": self.series,
            "rows": self.rows,
            "inserted": self.inserted,
            "updated": self.updated,
            "rejected_rows": len(ordered),
            "rejected": [{"row": p.row, "code": p.code, "detail": p.detail} for p in ordered[:SHOWN]],
        }


class DryRun(Exception):
    """Rolls a transaction back whose report was asked for, not its effect."""


class ImportService:
    """What POST /series/import means."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, scope: Scope, read: Callable[[], IO[str]], options: ImportOptions, key: Idempotency | None) -> Answer:
        """Import a CSV in one transaction: whole, or with `on_error="skip"` less the rows that it names.

        Raises Invalid, which names the first bad rows; then nothing was changed.
        """
        if options.freq is not None:
            checked_frequency(options.freq)
        checked_timezone(options.timezone)
        report = Report()

        def make(session: Session) -> Answer:
            with read() as lines:
                covariates, blocks = _collect(lines, report, options)
            for series_id in sorted(blocks):
                _import_series(session, scope, series_id, blocks[series_id], covariates, options, report)
            if options.dry_run:
                raise DryRun
            return Answer(200, report.body())

        try:
            return answer_once(self._database, scope, None if options.dry_run else key, make)
        except DryRun:
            return Answer(200, report.body())


def _reject(report: Report, problems: Iterable[Problem], options: ImportOptions) -> None:
    """Note bad rows; raise Invalid where the import is to be whole."""
    report.problems.extend(problems)
    if report.problems and options.on_error == "abort":
        first = min(report.problems, key=lambda p: p.row)
        raise Invalid(
            ErrorCode(first.code),
            f"row {first.row} (counted from 1 below the header): {first.detail}; nothing was imported. "
            "Mend it, or send on_error=skip to import the other rows",
            errors=[FieldError(f"row {p.row}", p.code, p.detail) for p in report.problems[:100]],
        )


def _collect(lines: IO[str], report: Report, options: ImportOptions) -> tuple[list[str], dict[str, Block]]:
    """Read the table into one block a series; return the covariates' names and the blocks."""
    blocks: dict[str, Block] = {}
    try:
        reader = csv.reader(lines, strict=True)
        header = next(reader, [])
        places, covariates = _columns(header)
        for row, cells in enumerate(_nonempty(reader), start=1):
            report.rows = row
            if len(cells) != len(header):
                detail = f"{len(cells)} cells where the header has {len(header)}"
                _reject(report, [Problem(row, ErrorCode.csv_malformed, detail)], options)
                continue
            _take(blocks, row, cells, places)
    except (csv.Error, UnicodeDecodeError) as e:
        detail = f"the body is not a UTF-8 CSV table after row {report.rows}: {e}"
        raise Invalid(ErrorCode.csv_malformed, detail) from e
    for series_id in [i for i in blocks if not is_series_id(i)]:
        bad = blocks.pop(series_id)
        detail = f"{series_id[:60]!r} cannot be a series id"
        _reject(report, [Problem(r, ErrorCode.invalid_series_id, detail) for r in bad.rows], options)
    return covariates, blocks


def _nonempty(reader: Iterable[list[str]]) -> Iterator[list[str]]:
    return (cells for cells in reader if cells)


def _columns(header: list[str]) -> tuple[list[int], list[str]]:
    """Return the places of unique_id, ds, y and then the covariates, and the covariates' names."""
    names = [name.strip() for name in header]
    missing = [name for name in REQUIRED if name not in names]
    if missing or len(set(names)) != len(names) or not all(n.isprintable() and 0 < len(n) <= 200 for n in names):
        raise Invalid(
            ErrorCode.csv_malformed,
            f"the header must name the columns unique_id, ds and y, each column once; "
            f"{'missing: ' + ', '.join(missing) if missing else 'a name is empty, unprintable or repeated'}",
        )
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


def _import_series(
    session: Session,
    scope: Scope,
    series_id: str,
    block: Block,
    covariates: list[str],
    options: ImportOptions,
    report: Report,
) -> None:
    """Check one series' rows and write the good ones."""
    row = series.get(session, scope, series_id, lock=True)
    rows = np.array(block.rows)
    timezone = options.timezone if row is None else row.timezone
    stamps, y, problems = _parse(block, timezone, options)
    _reject(report, problems, options)
    good = ~np.isin(rows, [p.row for p in problems])
    try:
        row = row or _made(session, scope, series_id, np.unique(stamps[good]), timezone, options)
    except FrequencyError as e:
        _reject(report, [Problem(r, ErrorCode.invalid_frequency, str(e)) for r in rows[good].tolist()], options)
        return
    if options.freq is not None and parse_frequency(options.freq).alias != row.freq:
        detail = f"the series {series_id!r} exists with frequency {row.freq!r}"
        _reject(report, [Problem(r, ErrorCode.frequency_mismatch, detail) for r in rows[good].tolist()], options)
        return
    off = check_stamps(row, stamps[good], rows[good])
    _reject(report, off, options)
    good &= ~np.isin(rows, [p.row for p in off])
    places = _without_duplicates(np.flatnonzero(good), stamps, y, rows, options, report)
    inserted, updated = write_points(session, row, stamps[places], y[places])
    columns = {n: _typed([c[i] for i in places]) for n, c in zip(covariates, block.covariates, strict=True)}
    write_covariates(session, scope, row, stamps[places], columns)
    if len(places):
        series.touch(session, row)
        report.series += 1
    report.inserted += inserted
    report.updated += updated


def _made(
    session: Session, scope: Scope, series_id: str, stamps: Stamps, timezone: str, options: ImportOptions
) -> SeriesRow:
    """Make a series that the table brings. Raises FrequencyError where no frequency is given and none shows."""
    freq = infer_frequency(stamps, timezone).alias if options.freq is None else checked_frequency(options.freq)
    fields = {"id": series_id, "freq": freq, "timezone": timezone, "labels": {}, "static": {}}
    return series.add(session, scope, [fields])[0]


def _parse(
    block: Block, timezone: str, options: ImportOptions
) -> tuple[NDArray[np.int64], NDArray[np.float64], list[Problem]]:
    """Return stamps (N,), values (N,) and the rows of which one cannot be read."""
    stamps, unread = _read_ds(block.ds, timezone, options)
    problems = [Problem(block.rows[p.row], p.code, p.detail) for p in unread]
    y = np.full(len(block.y), np.nan)
    for i, text in enumerate(block.y):
        if text.strip().lower() in MISSING:
            continue
        try:
            y[i] = float(text)
        except ValueError:
            y[i] = math.inf
        if not math.isfinite(y[i]):
            y[i] = math.nan
            detail = f"{text[:60]!r} is not a finite number; leave the cell empty where a value is missing"
            problems.append(Problem(block.rows[i], ErrorCode.invalid_value, detail))
    return stamps, y, problems


def _read_ds(ds: list[str], timezone: str, options: ImportOptions) -> tuple[Stamps, list[TimestampError]]:
    if options.ds_start is None:
        return read_stamps(ds, timezone)
    if options.freq is None:
        raise Invalid(ErrorCode.invalid_frequency, "ds_start maps integer steps to times, which needs freq= as well")
    try:
        grid = Grid(parse_frequency(options.freq), timezone, int(parse_stamps([options.ds_start], timezone)[0]))
    except (TimestampError, OffGridError) as e:
        raise Invalid(ErrorCode.invalid_timestamp, f"ds_start: {e.detail}") from e
    steps = np.zeros(len(ds), np.int64)
    problems = []
    for i, text in enumerate(ds):
        if text.lstrip("-").isdecimal() and len(text) < 8:
            steps[i] = int(text)
        else:
            detail = f"{text[:60]!r} is not an integer step, which ds_start asks for"
            problems.append(TimestampError(i, ErrorCode.invalid_timestamp, detail))
    return grid.stamps(steps), problems


def _without_duplicates(
    places: NDArray[np.int64],
    stamps: Stamps,
    y: NDArray[np.float64],
    rows: NDArray[np.int64],
    options: ImportOptions,
    report: Report,
) -> NDArray[np.int64]:
    """Return the places to write, one a timestamp; `y` takes the mean in place where that is asked for."""
    again = repeated(stamps[places], rows[places])
    if not len(again):
        return places
    if options.on_duplicate == "error":
        twice = rows[places[again]].tolist()
        _reject(
            report,
            [Problem(r, ErrorCode.duplicate_timestamp, "this timestamp stands in an earlier row") for r in twice],
            options,
        )
        return np.delete(places, again)
    _, last = np.unique(stamps[places][::-1], return_index=True)
    kept = np.sort(places[::-1][last])
    if options.on_duplicate == "mean":
        values, inverse = np.unique(stamps[places], return_inverse=True)
        seen = ~np.isnan(y[places])
        total = np.bincount(inverse[seen], y[places][seen], len(values))
        counts = np.bincount(inverse[seen], minlength=len(values))
        means = np.divide(total, counts, out=np.full(len(values), np.nan), where=counts > 0)
        y[kept] = means[np.searchsorted(values, stamps[kept])]
    return kept


def _typed(cells: list[str]) -> Column:
    """Return a covariate column as numbers where every present cell is one, and as text otherwise."""
    present = [None if cell.strip().lower() in MISSING else cell for cell in cells]
    try:
        numbers = [None if cell is None else float(cell) for cell in present]
    except ValueError:
        return present
    return numbers if all(n is None or math.isfinite(n) for n in numbers) else present
