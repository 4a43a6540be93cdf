"""The demo's data: hourly bike rentals and the weather beside them, cut where the hidden weeks begin."""

import csv
import gzip
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

DATA = "bike_sharing.csv.gz"
SERIES = "bikes"
DAY = 24
"""hours"""
WEEK = 7 * DAY
HIDDEN_WEEKS = 8
"""the end of the file: enough that Thanksgiving or Christmas alone decides nothing"""
HIDDEN_HOURS = HIDDEN_WEEKS * WEEK
NUMBERS = ("temp", "humidity", "windspeed")
"""of the weather, as the source scales them"""
WEATHER = (*NUMBERS, "weather")
"""covariates; the last one is a text"""


@dataclass(frozen=True)
class Hours:
    """Hours that follow each other, in columns of one length."""

    ds: list[str]
    """timestamps"""
    y: list[float]
    """rented bikes"""
    weather: Mapping[str, list[float | str]]
    """covariates by name"""

    def cut(self, start: int, end: int) -> "Hours":
        """Return the hours from `start` on and before `end`, by position."""
        weather = {name: column[start:end] for name, column in self.weather.items()}
        return Hours(self.ds[start:end], self.y[start:end], weather)

    def csv(self) -> bytes:
        """Return the hours as the long table that the service imports."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(("unique_id", "ds", "y", *self.weather))
        for ds, y, *weather in zip(self.ds, self.y, *self.weather.values(), strict=True):
            writer.writerow((SERIES, ds, y, *weather))
        return table.getvalue().encode()


@dataclass(frozen=True)
class DataSet:
    """The whole file."""

    known: Hours
    """what the service is given"""
    hidden: Hours
    """what it has to forecast: it is given the hours of a day when the day is over"""

    @property
    def days(self) -> list[Hours]:
        """The hidden hours, day by day."""
        return [self.hidden.cut(at, at + DAY) for at in range(0, len(self.hidden.y), DAY)]

    def naive(self, season: int) -> list[float]:
        """Forecast each hidden hour by the value `season` hours before it.

        A season of a day or more reaches back to what is known when the hour's day begins.
        """
        values = self.known.y + self.hidden.y
        return values[-season - len(self.hidden.y) : -season]


def load() -> DataSet:
    """Read the data set that the project carries."""
    text = gzip.decompress((files("app") / "data" / DATA).read_bytes()).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    weather: dict[str, list[float | str]] = {name: [float(row[name]) for row in rows] for name in NUMBERS}
    weather["weather"] = [row["weather"] for row in rows]
    whole = Hours([row["ds"] for row in rows], [float(row["y"]) for row in rows], weather)
    start = len(rows) - HIDDEN_HOURS
    return DataSet(whole.cut(0, start), whole.cut(start, len(rows)))
