"""Series and panels: values on a time grid, with their covariates."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from models.arrays import Floats, Ints
from models.calendar.frequency import Frequency, parse_frequency
from models.calendar.grid import Grid
from models.calendar.timestamps import Stamps, from_local, parse_stamps

RESERVED = ("unique_id", "ds", "y")
"""columns of a long table that are no covariates"""


@dataclass(frozen=True, eq=False)
class Series:
    """One target over time."""

    id: str
    """name, unique in its panel"""
    y: Floats
    """(T,) a value for each step of the grid, NaN where missing"""
    grid: Grid
    """conversion of grid indexes to stamps"""
    start: int = 0
    """grid index of y[0]"""
    covariates: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """name -> (L,) values from the position of y[0] on, float64 or text; known-future ones reach past `y`"""
    static: Mapping[str, float | str] = field(default_factory=dict)
    """name -> value"""

    def __post_init__(self) -> None:
        if self.y.ndim != 1 or self.y.dtype != np.float64:
            raise ValueError(f"series {self.id!r}: y must be a one-dimensional float64 array")

    def stamps(self, first: int, last: int) -> Stamps:
        """Return the stamps of the positions first..last-1 of `y`, which may lie past its end."""
        return self.grid.stamps(np.arange(self.start + first, self.start + last, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Panel:
    """Series of one frequency."""

    frequency: Frequency
    series: tuple[Series, ...]

    def __post_init__(self) -> None:
        if len({s.id for s in self.series}) != len(self.series):
            raise ValueError("two series of the panel have the same id")
        wrong = next((s.id for s in self.series if not s.grid.follows(self.frequency)), None)
        if wrong is not None:
            raise ValueError(f"series {wrong!r} has another frequency than the panel")

    @staticmethod
    def from_arrays(
        values: Mapping[str, ArrayLike], freq: str, start: str = "2000-01-01", timezone: str = "UTC"
    ) -> "Panel":
        """Build a panel of arrays (T,) that all begin at `start`, a wall time of `timezone` on the grid."""
        frequency = parse_frequency(freq)
        grid = Grid(frequency, timezone, anchor=int(parse_stamps([start], timezone, daily=frequency.is_daily)[0]))
        series = (Series(name, np.array(y, dtype=np.float64), grid) for name, y in values.items())
        return Panel(frequency, tuple(series))

    @staticmethod
    def from_frame(frame: pd.DataFrame, freq: str, timezone: str = "UTC") -> "Panel":
        """Build a panel of a long table `unique_id, ds, y`; a step without a row is a missing value.

        Other columns are covariates, numeric or text; rows after a series' last value carry known-future ones.
        `ds` are timestamps, or ISO 8601 texts; naive ones are wall times of `timezone`. Raises ValueError for
        duplicates and for numbers in `ds`, TimestampError for other texts, OffGridError off the grid.
        """
        frequency = parse_frequency(freq)
        groups = frame.groupby("unique_id", sort=False, observed=True)
        return Panel(frequency, tuple(_build_series(str(name), table, frequency, timezone) for name, table in groups))


def _build_series(name: str, table: pd.DataFrame, frequency: Frequency, timezone: str) -> Series:
    """Build a series of the rows of one `unique_id`. Raises ValueError for duplicates, OffGridError off the grid."""
    stamps = _read_ds(name, table["ds"], frequency, timezone)
    grid = Grid(frequency, timezone, int(stamps.min()))
    index = grid.index(stamps)
    if len(np.unique(index)) != len(index):
        raise ValueError(f"series {name!r} has two rows of one timestamp")
    y = np.full(int(index.max()) + 1, np.nan)
    y[index] = table["y"].to_numpy(dtype=np.float64)
    columns = {str(c): _spread_column(table[c], index) for c in table.columns if c not in RESERVED}
    end = observed_span(y)[1]
    # rows after the last value hold known-future covariates
    return Series(name, y[: end or len(y)], grid, covariates=columns)


def _read_ds(name: str, ds: "pd.Series[Any]", frequency: Frequency, timezone: str) -> Stamps:
    """Return the stamps of a column. Raises ValueError for numbers, TimestampError for what is no timestamp."""
    if pd.api.types.is_numeric_dtype(ds.dtype):
        raise ValueError(f"series {name!r}: ds has numbers; convert them with pd.to_datetime, which needs their unit")
    if not pd.api.types.is_datetime64_any_dtype(ds.dtype) and all(isinstance(value, str) for value in ds):
        return parse_stamps(ds.tolist(), timezone, daily=frequency.is_daily)
    index = pd.DatetimeIndex(ds).as_unit("us")
    if index.tz is None:
        return from_local(index.to_numpy().view(np.int64), timezone)
    return index.tz_convert("UTC").tz_localize(None).to_numpy().view(np.int64)


def _spread_column(values: "pd.Series[Any]", index: Ints) -> NDArray[Any]:
    """Spread a covariate's values (N,) over the steps of the grid, at their indexes (N,): (L,)."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers = np.full(int(index.max()) + 1, np.nan)
        numbers[index] = values.to_numpy(dtype=np.float64)
        return numbers
    words = np.full(int(index.max()) + 1, None, dtype=object)
    words[index] = [None if pd.isna(v) else str(v) for v in values]
    return words


def keep_last(series: Series, length: int) -> Series:
    """Return the last steps of a series, as many as `length` where it has them, and its covariates from there on."""
    skipped = max(0, len(series.y) - length)
    if not skipped:
        return series
    columns = {name: values[skipped:] for name, values in series.covariates.items()}
    return replace(series, y=series.y[skipped:].copy(), start=series.start + skipped, covariates=columns)


def observed_span(y: Floats) -> tuple[int, int]:
    """Return (first, end): the first observed position and the one after the last; (0, 0) without any."""
    present = np.flatnonzero(~np.isnan(y))
    return (int(present[0]), int(present[-1]) + 1) if len(present) else (0, 0)
