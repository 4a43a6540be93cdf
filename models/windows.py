"""Series, panels, and the one window cutter that training, prediction and backtest share.

A window is an origin (the position of the last value that the network sees), the T values up to it and the
H values after it. Windows are cut by index from one packed array in which NaN stands to the left of every
series, so that a short history is a padded one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from models.calendar import Frequency, Grid, calendar_features, parse_frequency
from models.timestamps import Stamps, from_local, parse_stamps

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Series:
    """One target over time."""

    id: str
    """unique in its panel"""
    y: Floats
    """(T,) values a step of the grid, NaN where missing"""
    grid: Grid
    """maps grid indexes to stamps"""
    start: int = 0
    """grid index of y[0]"""

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
        wrong = next((s.id for s in self.series if s.grid.frequency != self.frequency), None)
        if wrong is not None:
            raise ValueError(f"series {wrong!r} has another frequency than the panel")

    @staticmethod
    def from_arrays(
        values: Mapping[str, ArrayLike], freq: str, start: str = "2000-01-01", timezone: str = "UTC"
    ) -> "Panel":
        """Build a panel of arrays (T,) that all begin at `start`, a wall time of `timezone` on the grid."""
        frequency = parse_frequency(freq)
        grid = Grid(frequency, timezone, int(parse_stamps([start], timezone)[0]))
        series = (Series(name, np.array(y, dtype=np.float64), grid) for name, y in values.items())
        return Panel(frequency, tuple(series))

    @staticmethod
    def from_frame(frame: pd.DataFrame, freq: str, timezone: str = "UTC") -> "Panel":
        """Build a panel of a long table `unique_id, ds, y`; steps that it lacks are missing values.

        Naive `ds` are wall times of `timezone`. Raises ValueError for duplicates, OffGridError off the grid.
        """
        frequency = parse_frequency(freq)
        groups = frame.groupby("unique_id", sort=False, observed=True)
        return Panel(frequency, tuple(_series(str(name), table, frequency, timezone) for name, table in groups))


def _series(name: str, table: pd.DataFrame, frequency: Frequency, timezone: str) -> Series:
    ds = pd.DatetimeIndex(table["ds"]).as_unit("us")
    if ds.tz is None:
        stamps = from_local(ds.to_numpy().view(np.int64), timezone)
    else:
        stamps = ds.tz_convert("UTC").tz_localize(None).to_numpy().view(np.int64)
    grid = Grid(frequency, timezone, int(stamps.min()))
    index = grid.index(stamps)
    if len(np.unique(index)) != len(index):
        raise ValueError(f"series {name!r} has two rows of one timestamp")
    y = np.full(int(index.max()) + 1, np.nan)
    y[index] = table["y"].to_numpy(dtype=np.float64)
    return Series(name, y, grid)


class Batch(TypedDict):
    """What a network reads."""

    y: Floats
    """(B, T) values, NaN where missing or before the series began"""
    calendar: Ints
    """(B, T + H, 4) calendar integers of context and horizon"""


class Indexable(Protocol):
    """A NumPy array or a torch tensor: anything that takes an index array."""

    def __getitem__(self, index: Any, /) -> Any: ...


A = TypeVar("A")


def cut(packed: Indexable, ends: Any, offsets: Any) -> Any:
    """Cut windows by index: packed (N, ...), ends (B,), offsets (W,) -> (B, W, ...), NumPy or torch alike."""
    return packed[ends[:, None] + offsets]


@dataclass(frozen=True, eq=False)
class Packed:
    """Values of many series in one array, NaN between them."""

    values: Floats
    """(N,)"""
    first: Ints
    """(S,) index in `values` of each series' y[0]"""


def pack(series: Sequence[Series], ends: Sequence[int], padding: int) -> Packed:
    """Pack y[:end] of each series, with `padding` NaN before each and after the last."""
    sizes = np.array([padding + end for end in ends], np.int64)
    first = np.cumsum(sizes) - sizes + padding
    values = np.full(int(sizes.sum()) + padding, np.nan)
    for one, at, end in zip(series, first.tolist(), ends, strict=True):
        values[at : at + end] = one.y[:end]
    return Packed(values, first)


def assemble(series: Sequence[Series], origins: Ints, context_length: int, horizon: int) -> Batch:
    """Cut the windows at `origins`.

    Args:
        series: of each window, (B,); a series may stand there more than once.
        origins: (B,) positions in the series' `y` of the last value that may be seen.
    """
    y = np.full((len(series), context_length), np.nan)
    for row, (one, origin) in enumerate(zip(series, origins.tolist(), strict=True)):
        seen = one.y[max(0, origin + 1 - context_length) : origin + 1]
        y[row, context_length - len(seen) :] = seen
    return Batch(y=y, calendar=_calendar(series, origins, context_length, horizon))


def _calendar(series: Sequence[Series], origins: Ints, context_length: int, horizon: int) -> Ints:
    """Return (B, T + H, 4); windows that cover the same time share one computation."""
    offsets = np.arange(1 - context_length, horizon + 1, dtype=np.int64)
    rows: dict[object, int] = {}
    stamps: dict[str, list[tuple[int, Stamps]]] = {}
    inverse = np.empty(len(series), np.int64)
    for window, (one, origin) in enumerate(zip(series, origins.tolist(), strict=True)):
        grid, index = one.grid, one.start + origin
        tick = grid.frequency.kind == "tick"
        key = (grid.timezone, grid.anchor + index * grid.frequency.step) if tick else (grid, index)
        if key not in rows:
            rows[key] = len(rows)
            stamps.setdefault(grid.timezone, []).append((rows[key], grid.stamps(index + offsets)))
        inverse[window] = rows[key]
    table = np.empty((len(rows), len(offsets), 4), np.int64)
    for timezone, members in stamps.items():
        table[[row for row, _ in members]] = calendar_features(np.stack([s for _, s in members]), timezone)
    return table[inverse]


def actuals(series: Sequence[Series], origins: Ints, horizon: int) -> Floats:
    """Return what came after each origin: (B, H), NaN where missing or past the end of the series."""
    y = np.full((len(series), horizon), np.nan)
    for row, (one, origin) in enumerate(zip(series, origins.tolist(), strict=True)):
        seen = one.y[origin + 1 : origin + 1 + horizon]
        y[row, : len(seen)] = seen
    return y


def observed_span(y: Floats) -> tuple[int, int]:
    """Return (first, end): the first observed position and the one after the last; (0, 0) without any."""
    present = np.flatnonzero(~np.isnan(y))
    return (int(present[0]), int(present[-1]) + 1) if len(present) else (0, 0)
