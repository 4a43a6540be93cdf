"""The rows of benchmarks.zero_shot: windows of test rows, none of which any pretraining has seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LONGEST = 1024
"""steps of a context, for all that forecast"""


@dataclass(frozen=True)
class ZeroShotRow:
    """A data set, and how its windows are cut."""

    name: str
    file: str
    freq: str
    """pandas' name, as flaircast takes it"""
    season: int
    """steps of season-naive's; 1: none"""
    horizon: int
    hints: tuple[int, ...]
    """seasons that the frequency suggests"""
    fine: bool
    """hourly or finer"""
    kind: str = ""
    """value of the column `freq` that is kept, where the file has several"""

    @property
    def is_coarse(self) -> bool:
        """Whether a step is a week at least."""
        return not self.fine and self.freq != "D"


@dataclass(frozen=True, eq=False)
class JudgedWindow:
    """What is known at an origin, and what came after it."""

    history: Floats
    actual: Floats


HOUR, DAY = (24, 168), (7, 365)
ROWS: Sequence[ZeroShotRow] = (
    ZeroShotRow("M4 Hourly", "m4_hourly", "H", 24, 48, HOUR, fine=True),
    ZeroShotRow("vic_elec", "vic_elec", "30T", 48, 48, (48, 336), fine=True),
    ZeroShotRow("GEFCom load", "gefcom2012_load", "H", 24, 24, HOUR, fine=True),
    ZeroShotRow("metro traffic", "metro_traffic", "H", 24, 24, HOUR, fine=True),
    ZeroShotRow("bike sharing", "bike_sharing", "H", 24, 24, HOUR, fine=True),
    ZeroShotRow("ETTh1", "etth1", "H", 24, 96, HOUR, fine=True),
    ZeroShotRow("ETTm1", "ettm1", "15T", 96, 96, (96, 672), fine=True),
    ZeroShotRow("M3 yearly", "m3", "A", 1, 6, (), fine=False, kind="yearly"),
    ZeroShotRow("M3 quarterly", "m3", "Q", 4, 8, (4,), fine=False, kind="quarterly"),
    ZeroShotRow("M3 monthly", "m3", "M", 12, 18, (12,), fine=False, kind="monthly"),
    ZeroShotRow("M4 Yearly", "m4_yearly", "A", 1, 6, (), fine=False),
    ZeroShotRow("us_births", "us_births", "D", 7, 28, DAY, fine=False),
    ZeroShotRow("monthly_aus", "monthly_aus", "M", 12, 18, (12,), fine=False),
    ZeroShotRow("M5", "m5_last447", "D", 7, 28, DAY, fine=False),
)


def read_windows(row: ZeroShotRow, data: Path, most: int) -> list[JudgedWindow]:
    """Read at most `most` windows of a row's test values, evenly spread over its series and their time."""
    columns = ["unique_id", "y", "split", *(["freq"] if row.kind else [])]
    frame = pd.read_parquet(data / f"{row.file}.parquet", columns=columns)
    if row.kind:
        frame = frame[frame["freq"] == row.kind]
    windows = list(_cut(row, frame, most))
    return [windows[k] for k in np.linspace(0, len(windows) - 1, min(most, len(windows))).astype(int)]


def _cut(row: ZeroShotRow, frame: pd.DataFrame, most: int) -> Iterator[JudgedWindow]:
    names = frame["unique_id"].unique()
    chosen = [names[k] for k in np.linspace(0, len(names) - 1, min(len(names), most)).astype(int)]
    frame = frame[frame["unique_id"].isin(chosen)]
    for _, series in frame.groupby("unique_id", observed=True):
        y = series["y"].to_numpy(np.float64)
        test = int((series["split"] != "test").sum())
        for end in range(test, len(y) - row.horizon + 1, row.horizon):
            known = y[max(0, end - LONGEST) : end]
            actual = y[end : end + row.horizon]
            enough = np.isfinite(known).sum() > 2 * row.season and np.isfinite(actual).all() and np.ptp(known) > 0
            if enough:
                yield JudgedWindow(_fill(known), actual)


def _fill(known: Floats) -> Floats:
    """Fill gaps with the value before, which the peers cannot read."""
    present = np.flatnonzero(np.isfinite(known))
    first = known[present[0] :]
    latest = np.maximum.accumulate(np.where(np.isfinite(first), np.arange(len(first)), 0))
    return np.asarray(first[latest])
