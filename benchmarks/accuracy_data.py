"""The data sets of the accuracy table, each cut by its own protocol into what is trained on and what is judged.

Shapes: S series, W windows a series, H horizon. A data set is a list of parts: M3 has one a frequency, and
electricity prices are refitted once a year. With `holdout` the same kind of part lies inside the training split.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.timestamps import parse_stamps
from models.data.series import Panel, Series

Ints = NDArray[np.int64]

FIRST_STEP = "2000-01-01"
"""where series that count steps begin: the competitions hide their dates, and this one stands for none"""
DAY = 24
YEAR_OF_DAYS = 364
M5_HORIZON = 28
M5_STATES = ("CA", "TX", "WI")


@dataclass(frozen=True, eq=False)
class Part:
    """One training and the windows that judge it."""

    panel: Panel
    """what is trained on: nothing of the span that is judged"""
    series: tuple[Series, ...]
    """(S,) whole series that are judged"""
    origins: Ints
    """(S, W) positions in `y` of the last value that may be seen; -1: the series has no history"""
    horizon: int
    seasons: tuple[int, ...]
    """seasons of season-naive; the first one scales MASE"""
    known_future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    refreshed: bool = False
    """whether the model is refreshed before each window"""

    def take(self, chosen: Sequence[int] | Ints, stride: int = 1) -> "Part":
        """Return the part judged on some of its series, and on every `stride`-th window, the last one included."""
        kept = self.origins[np.asarray(chosen, np.int64), ::-1][:, ::stride][:, ::-1]
        return replace(self, series=tuple(self.series[row] for row in chosen), origins=kept)


Loader = Callable[[Path, bool], list[Part]]
"""(path of the data file, holdout) -> parts"""


def m4(freq: str, horizon: int, season: int) -> Loader:
    """Return the loader of an M4 file: one origin a series, its test rows are the horizon."""

    def load(path: Path, holdout: bool) -> list[Part]:
        frame = pd.read_parquet(path)
        return [_last_windows(frame, freq, horizon, season, holdout)]

    return load


def m3(path: Path, holdout: bool) -> list[Part]:
    """Load the four frequencies of M3, each with its own model.

    The series of kind `other` have no season and mixed steps; `YS` stands for a frequency without a season.
    """
    frame = pd.read_parquet(path)
    protocol = {"yearly": ("YS", 6, 1), "quarterly": ("QS", 8, 4), "monthly": ("MS", 18, 12), "other": ("YS", 8, 1)}
    return [_last_windows(frame[frame["freq"] == kind], *how, holdout) for kind, how in protocol.items()]


def _last_windows(frame: pd.DataFrame, freq: str, horizon: int, season: int, holdout: bool) -> Part:
    """Judge each series on the `horizon` steps after its training rows, or with `holdout` on the last of those."""
    values, train = frame["y"].to_numpy(np.float64), (frame["split"] == "train").to_numpy()
    whole = {name: values[rows][train[rows]] if holdout else values[rows] for name, rows in _runs(frame["unique_id"])}
    full = Panel.from_arrays(whole, freq, start=FIRST_STEP).series
    ends = [len(one.y) - horizon for one in full]
    return part_of(full, ends, np.array(ends, np.int64)[:, None] - 1, horizon, (season,))


def long_horizon(freq: str, horizon: int, season: int) -> Loader:
    """Return the loader of a set of channels, in units of each channel's training rows (mean 0, deviation 1).

    Every window of the test rows is judged, one step apart; its context may reach back before them. Training
    sees the training and the validation rows; with `holdout` the validation rows are judged instead. A row that
    repeats a timestamp is dropped, and steps that lack a row are missing values.
    """

    def load(path: Path, holdout: bool) -> list[Part]:
        frame = pd.read_parquet(path)
        learned = frame[frame["split"] == "train"].groupby("unique_id", observed=True)["y"]
        ids = frame["unique_id"].astype(object)
        frame["y"] = (frame["y"] - ids.map(learned.mean())) / ids.map(learned.std(ddof=0))
        judged, seen = ("val", ["train", "val"]) if holdout else ("test", ["train", "val", "test"])
        frame = frame[frame["split"].isin(seen)].drop_duplicates(["unique_id", "ds"])
        full = Panel.from_frame(frame[["unique_id", "ds", "y"]], freq).series
        begin = frame.loc[frame["split"] == judged, "ds"].min()
        end = _position(full[0], begin)
        every = np.arange(end - 1, len(full[0].y) - horizon, dtype=np.int64)
        return [part_of(full, [end] * len(full), np.tile(every, (len(full), 1)), horizon, (season,))]

    return load


def electricity(market: str) -> Loader:
    """Return the loader of a market's day-ahead prices with two covariates that are known ahead.

    The 728 test days are judged by a model that saw what was before them and, from the 365th on, by one that saw
    the first 364 too, refreshed before each day. With `holdout` the last 364 days before the test days are judged.
    """

    def load(path: Path, holdout: bool) -> list[Part]:
        frame = pd.read_parquet(path)
        frame = frame[frame["unique_id"] == market]
        full = Panel.from_frame(frame[["unique_id", "ds", "y", "exog1", "exog2"]], "h").series
        test = int((frame["split"] == "train").sum())
        year = YEAR_OF_DAYS * DAY
        starts = [test - year] if holdout else [test, test + year]
        days = np.arange(YEAR_OF_DAYS, dtype=np.int64) * DAY
        known = ("exog1", "exog2")
        parts = [part_of(full, [at], at - 1 + days[None], DAY, (DAY, 7 * DAY), known_future=known) for at in starts]
        return [replace(part, refreshed=True) for part in parts]

    return load


def m5(path: Path, holdout: bool) -> list[Part]:
    """Load the M5 tail: daily sales, one origin a series, with what is known of each day and each shop.

    `snap` is the flag of the shop's state and `event` says that the day has one; the calendar's codes of events
    are left out, because the test days are coded otherwise than the days before. Series begin with their first
    sale; those whose first sale lies in the test days have no history.
    """
    frame = pd.read_parquet(path)
    days = pd.read_parquet(path.with_name("m5_calendar.parquet"))
    grid = Grid(parse_frequency("D"), "UTC", int(parse_stamps([str(days["ds"].iloc[0])], "UTC")[0]))
    event = (days["event_name_1"] != "0").to_numpy(np.float64)
    snap = {state: days[f"snap_{state}"].to_numpy(np.float64) for state in M5_STATES}
    values, train = frame["y"].to_numpy(np.float64), (frame["split"] == "train").to_numpy()
    full = []
    for name, rows in _runs(frame["unique_id"]):
        start = (frame["ds"].iloc[rows.start] - days["ds"].iloc[0]).days
        y = values[rows][train[rows]] if holdout else values[rows]
        if len(y) < M5_HORIZON:
            continue  # of a holdout, which needs so many days before the test days
        shop, along = name[-4:], slice(start, start + len(y))
        known = {"snap": snap[shop[:2]][along], "event": event[along]}
        full.append(Series(name, y, grid, start, known, {"department": name.rsplit("_", 3)[0], "shop": shop}))
    ends = [len(one.y) - M5_HORIZON for one in full]
    origins = np.array(ends, np.int64)[:, None] - 1
    return [part_of(full, ends, origins, M5_HORIZON, (7,), ("snap", "event"), ("department", "shop"))]


def part_of(
    full: Sequence[Series],
    ends: Sequence[int],
    origins: Ints,
    horizon: int,
    seasons: tuple[int, ...],
    known_future: tuple[str, ...] = (),
    static: tuple[str, ...] = (),
) -> Part:
    """Return the part that trains on what lies before each series' end."""
    before = tuple(_until(one, end) for one, end in zip(full, ends, strict=True) if end > 0)
    return Part(Panel(full[0].grid.frequency, before), tuple(full), origins, horizon, seasons, known_future, static)


def _until(one: Series, end: int) -> Series:
    """Return the first steps of a series, covariates included."""
    return replace(one, y=one.y[:end], covariates={name: values[:end] for name, values in one.covariates.items()})


def _runs(ids: "pd.Series[str]") -> Iterator[tuple[str, slice]]:
    """Return each id with its rows, which stand together."""
    codes = pd.factorize(ids)[0]
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    for begin, end in pairwise(edges):
        yield str(ids.iloc[begin]), slice(begin, end)


def _position(one: Series, stamp: pd.Timestamp) -> int:
    """Return the position of a stamp in the series' `y`."""
    return int(one.grid.index(parse_stamps([str(stamp)], "UTC"))[0]) - one.start
