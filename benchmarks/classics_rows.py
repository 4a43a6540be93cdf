"""The rows of benchmarks.classics: series that everybody tries, from textbooks and made by a line of arithmetic.

The textbook rows were chosen before any of them had been forecast, and are not replaced.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Values = NDArray[np.float64]

WINDOWS = 8
"""origins of a row, where its length allows"""
BERLIN = "Europe/Berlin"
HOURS_KNOWN = 85 * 24
"""from the first of January to the 27th of March: the forecast of the week after crosses the change of clocks"""


@dataclass(frozen=True)
class Must:
    """What the newest forecast of a row must hold, whatever the peers reach."""

    mae: float | None = None
    """most mean absolute error"""
    share: float | None = None
    """most error of any step, as a share of the last actual value"""
    covered: bool = False
    """every actual value lies inside the 80 % interval"""
    width: float | None = None
    """most mean width of the 80 % interval"""
    naive: tuple[str, float] | None = None
    """a peer, and how many times its error is allowed"""
    warning: str = ""
    """a warning that the forecast must carry"""


@dataclass(frozen=True, eq=False)
class Classic:
    """A series, and how it is judged."""

    name: str
    freq: str
    season: int
    """steps of the season that the peers are told; 1: none"""
    horizon: int
    y: Values
    """(N,) values, the last `horizon` of them ahead of the newest origin"""
    start: str = "2000-01-01"
    timezone: str = "UTC"
    windows: int = WINDOWS
    must: Must = Must()
    ranked: bool = True
    """counts in the geometric mean and among the rows that may not fall behind"""

    @property
    def origins(self) -> list[int]:
        """How many values are known at each origin, oldest first: a horizon apart, half of the values at least."""
        newest = len(self.y) - self.horizon
        room = max(0, newest - max(len(self.y) // 2, 2 * self.season + 2))
        count = min(self.windows, 1 + room // self.horizon)
        return [newest - k * self.horizon for k in range(count - 1, -1, -1)]


def read_textbooks(data: Path) -> list[Classic]:
    """Read the rows that come from files."""
    tables = {name: _read(data / f"{name}.parquet") for name in ("classics", "monthly_aus", "us_births")}
    passengers = tables["classics"]["AirPassengers"]
    rows = [Classic("AirPassengers", "MS", 12, 12, passengers, "1949-01-01", must=Must(mae=18.5))]
    rows += [
        Classic(name, freq, season, horizon, tables["classics"][name][-longest:], start)
        for name, freq, season, horizon, longest, start in (
            ("nottem", "MS", 12, 12, 240, "1920-01-01"),
            ("UKgas", "QS", 4, 8, 108, "1960-01-01"),
            ("lynx", "YS", 1, 6, 114, "1821-01-01"),
            ("a10", "MS", 12, 12, 204, "1991-07-01"),
            ("ausbeer", "QS", 4, 8, 211, "1956-01-01"),
            ("gasoline", "W-SUN", 52, 26, 520, "2007-01-07"),
            ("hyndsight", "D", 7, 14, 365, "2014-04-30"),
            ("goog", "D", 1, 10, 400, "2013-02-25"),
        )
    ]
    rows.append(Classic("us_births", "D", 7, 28, tables["us_births"]["us_births"][-3 * 365 :], "1986-01-01"))
    retail = "retail/Western Australia/Takeaway food services"
    rows.append(Classic("takeaway food", "MS", 12, 18, tables["monthly_aus"][retail], "1982-04-01"))
    return rows


def make_rows() -> list[Classic]:
    """Make the rows that a line of arithmetic gives."""
    return [make() for make in MADE.values()]


def _read(path: Path) -> Mapping[str, Values]:
    frame = pd.read_parquet(path)
    grouped = frame.sort_values(["unique_id", "ds"]).groupby("unique_id", observed=True)["y"]
    return {str(name): values.to_numpy(np.float64) for name, values in grouped}


def _make_line() -> Classic:
    y = np.arange(1.0, 113.0)
    return Classic("line to 100", "MS", 1, 12, y, windows=1, must=Must(share=0.002, covered=True), ranked=False)


def _make_slope() -> Classic:
    y = 100 + 0.5 * np.arange(330.0)
    return Classic("half a day", "D", 1, 30, y, windows=1, must=Must(share=0.002, covered=True), ranked=False)


def _make_growth() -> Classic:
    y = 400 * 1.02 ** np.arange(48.0)
    return Classic("2 % a month", "MS", 1, 12, y, windows=1, must=Must(share=0.01), ranked=False)


def _make_step() -> Classic:
    y = np.where(np.arange(194) < 150, 100.0, 200.0) + _noise(1).normal(0, 2, 194)
    must = Must(naive=("naive", 1.2), width=3 * 2 * 1.2816 * 2)
    return Classic("level stepped", "D", 7, 14, y, windows=1, must=must, ranked=False)


def _make_sine() -> Classic:
    y = 50 + 20 * np.sin(2 * np.pi * np.arange(744.0) / 24)
    return Classic("sine", "h", 24, 24, y, windows=1, must=Must(share=0.01), ranked=False)


def _make_office() -> Classic:
    hours = HOURS_KNOWN + 7 * 24
    local = pd.date_range("2025-01-01", periods=hours, freq="h", tz=BERLIN)
    is_open = (local.hour >= 8) & (local.hour < 18)
    y = np.where(is_open, 50.0, 10.0) + _noise(2).normal(0, 0.5, hours)
    start = "2025-01-01T00:00:00+01:00"
    return Classic("office, clocks change", "h", 24, 7 * 24, y, start, BERLIN, 1, Must(mae=1.0), ranked=False)


def _make_spike() -> Classic:
    hours = np.arange(1024.0)
    y = 50 + 8 * np.sin(2 * np.pi * hours / 24) + _noise(3).normal(0, 1, 1024)
    y[999] = 5000.0
    return Classic("spike", "h", 24, 24, y, windows=1, must=Must(mae=5.0, warning="outlier_at_origin"), ranked=False)


def _make_weekly() -> Classic:
    weeks = np.arange(173.0)
    y = 200 + 60 * np.sin(2 * np.pi * weeks / 52.18) + 25 * np.cos(4 * np.pi * weeks / 52.18)
    y += _noise(4).normal(0, 4, 173)
    return Classic(
        "weekly, yearly season", "W-SUN", 52, 13, y, "2000-01-02", windows=1, must=Must(naive=("season_naive", 1.0))
    )


def _make_intermittent() -> Classic:
    noise = _noise(5)
    y = np.where(noise.random(132) < 0.25, noise.poisson(3, 132) + 1.0, 0.0)
    return Classic("intermittent", "MS", 12, 12, y)


def _make_constant() -> Classic:
    return Classic("constant", "D", 7, 14, np.full(214, 42.0), windows=1, must=Must(mae=0.0, width=0.0), ranked=False)


def _make_zeros() -> Classic:
    return Classic("zeros", "D", 7, 14, np.zeros(214), windows=1, must=Must(mae=0.0, width=0.0), ranked=False)


def _make_discontinued() -> Classic:
    y = np.concatenate([_noise(6).poisson(20, 120), np.zeros(74)]).astype(np.float64)
    return Classic("discontinued", "D", 7, 14, y, windows=1, must=Must(mae=0.2), ranked=False)


def _make_short() -> Classic:
    y = np.array([12.0, 15, 11, 14, 18, 16, 17, 19, 18, 21, 20, 22, 23])
    return Classic("ten points", "MS", 1, 3, y, windows=1, must=Must(naive=("naive", 1.5)), ranked=False)


def _make_large() -> Classic:
    months = np.arange(108.0)
    y = 1e15 * (1 + 0.01 * months + 0.2 * np.sin(2 * np.pi * months / 12)) + _noise(7).normal(0, 1e13, 108)
    return Classic("1e15", "MS", 12, 12, y, windows=1, must=Must(naive=("season_naive", 1.0)), ranked=False)


def _noise(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


MADE: Mapping[str, Callable[[], Classic]] = {
    "line": _make_line,
    "slope": _make_slope,
    "growth": _make_growth,
    "step": _make_step,
    "sine": _make_sine,
    "office": _make_office,
    "spike": _make_spike,
    "weekly": _make_weekly,
    "intermittent": _make_intermittent,
    "constant": _make_constant,
    "zeros": _make_zeros,
    "discontinued": _make_discontinued,
    "short": _make_short,
    "large": _make_large,
}
