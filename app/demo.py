"""The demo: a real data set goes into a real service, less three days that the forecast then meets."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.chart import forecast_chart
from app.client import Client, ClientError
from app.demo_service import DemoService
from app.terminal import errors, finished, follow, output

FOLDER = Path(".demo")
DATA = "bike_sharing.csv.gz"
SERIES = MODEL = "bikes"
DAY, WEEK = 24, 168
HIDDEN_FROM = "2012-12-14T00:00:00"
"""A Friday. Not the file's end: that is Christmas and New Year, and the network knows no holidays."""
HIDDEN_HOURS = 3 * DAY
LEVELS = (0.1, 0.9)
CHART_WIDTH = 100
TABLE_STEP = 6
"""hours between the rows of the table"""


@dataclass(frozen=True)
class DataSet:
    """Hourly values on a grid without gaps, cut where the hidden days begin."""

    known: list[tuple[str, float]]
    """(timestamp, value) of every hour that the service is given"""
    hidden: list[tuple[str, float]]
    """the hours that it has to forecast"""

    def csv(self) -> bytes:
        """Return the known hours as the long table that the service imports."""
        lines = (f"{SERIES},{ds},{y:g}" for ds, y in self.known)
        return "\n".join(["unique_id,ds,y", *lines, ""]).encode()

    @property
    def truth(self) -> list[float]:
        """The hidden values."""
        return [y for _, y in self.hidden]

    def naive(self, season: int) -> list[float]:
        """Forecast the hidden hours by repeating the last `season` known ones."""
        last = [y for _, y in self.known[-season:]]
        return [last[hour % season] for hour in range(len(self.hidden))]


@dataclass(frozen=True)
class Scores:
    """Mean absolute errors over the hidden hours."""

    forecast: float
    naive_day: float
    naive_week: float
    inside: float
    """share of hours within the 80 % interval"""

    @property
    def beaten(self) -> bool:
        """Whether the forecast is better than the season-naive of the day and that of the week."""
        return self.forecast < min(self.naive_day, self.naive_week)


def demo(exit_after: bool) -> int:
    """Run the demo and return its exit status: 0 where the forecast beat season-naive."""
    console, service = output(), None
    try:
        service = DemoService(FOLDER)
        with errors().status("starting the service") as status, service:
            status.stop()
            scores = show(service.client, load(), console)
            if exit_after:
                return 0 if scores.beaten else 1
            return _serve(service, console)
    except ClientError as e:
        errors().print(f"[red]{escape(str(e))}[/red]\n→ {escape(e.hint or 'run the demo again')}")
        if service is not None and (tail := service.log_tail()):
            errors().print(f"the end of {service.log}:\n{escape(tail)}", style="dim")
        return 1
    except KeyboardInterrupt:
        errors().print("interrupted; the service is stopped")
        return 130


def load() -> DataSet:
    """Read the data set that the project carries."""
    lines = gzip.decompress((files("app") / "data" / DATA).read_bytes()).decode().splitlines()
    rows = [(ds, float(y)) for _, ds, y in (line.split(",") for line in lines[1:])]
    cut = next(i for i, (ds, _) in enumerate(rows) if ds == HIDDEN_FROM)
    return DataSet(rows[:cut], rows[cut : cut + HIDDEN_HOURS])


def show(client: Client, data: DataSet, console: Console) -> Scores:
    """Import, train, forecast and print the forecast beside what happened. Raises ClientError."""
    console.print(f"[bold]Gatecast[/bold] runs at {client.url}")
    with errors().status("importing"):
        report = client.import_csv(data.csv(), freq="h")
    console.print(
        f"imported {report['rows']:,} hours of bike rentals up to {data.known[-1][0]}; "
        f"the {HIDDEN_HOURS} hours after it stay hidden"
    )
    version = train(client, console)
    (one,) = client.forecast(f"{MODEL}@{version}", [SERIES], quantiles=LEVELS)["forecasts"]
    if one["status"] != "ok":
        raise ClientError("The forecast failed", one["error"]["detail"], one["error"]["code"])
    scores = score(data, one)
    lower, upper = (one["quantiles"][str(level)] for level in LEVELS)
    console.print(comparison(one, data.truth))
    width = min(console.width, CHART_WIDTH)
    console.print(forecast_chart(one["ds"], one["yhat"], lower, upper, data.truth, width))
    console.print(verdict(scores))
    return scores


def train(client: Client, console: Console) -> int:
    """Train on the known hours and return the version. Raises ClientError."""
    job = client.train(MODEL, {"ids": [SERIES]}, HIDDEN_HOURS)
    version = finished(follow(client, job, errors()))
    metrics = client.version(MODEL, version)["metrics"]
    if metrics["gate"]:
        console.print(
            f"trained {MODEL}@{version}: mean absolute error {metrics['gate']['mae']:.1f} on the last known "
            f"weeks, held back for it; season-naive {metrics['season_naive']['mae']:.1f}"
        )
    return version


def score(data: DataSet, one: dict[str, Any]) -> Scores:
    """Compare a forecast of the hidden hours, and both season-naive forecasts, with what happened."""
    lower, upper = (one["quantiles"][str(level)] for level in LEVELS)
    bounds = zip(lower, data.truth, upper, strict=True)
    return Scores(
        forecast=mae(one["yhat"], data.truth),
        naive_day=mae(data.naive(DAY), data.truth),
        naive_week=mae(data.naive(WEEK), data.truth),
        inside=fmean(low <= y <= high for low, y, high in bounds),
    )


def mae(forecast: Sequence[float], truth: Sequence[float]) -> float:
    """Return the mean absolute error of two sequences of one length."""
    return fmean(abs(a - b) for a, b in zip(forecast, truth, strict=True))


def comparison(one: dict[str, Any], truth: Sequence[float]) -> Table:
    """Lay the forecast beside what happened, a row every six hours."""
    table = Table(title=f"{SERIES}: forecast from {one['origin']}")
    for heading in ("hour", "forecast", "80 % interval", "what happened"):
        table.add_column(heading, justify="left" if heading == "hour" else "right")
    lower, upper = (one["quantiles"][str(level)] for level in LEVELS)
    rows = list(zip(one["ds"], one["yhat"], lower, upper, truth, strict=True))
    for ds, yhat, low, high, y in rows[::TABLE_STEP]:
        table.add_row(ds[:16].replace("T", " "), f"{yhat:.0f}", f"{low:.0f} to {high:.0f}", f"{y:.0f}")
    return table


def verdict(scores: Scores) -> Table:
    """Lay out the mean absolute errors, the best one first."""
    table = Table(title=f"mean absolute error over the {HIDDEN_HOURS} hidden hours", box=None)
    named = {
        f"{MODEL} by Gatecast": scores.forecast,
        "season-naive, same hour of the day before": scores.naive_day,
        "season-naive, same hour of the week before": scores.naive_week,
    }
    for name, error in sorted(named.items(), key=lambda item: item[1]):
        table.add_row(name, f"{error:.1f}")
    table.add_row("hours inside the 80 % interval", f"{scores.inside:.0%}")
    table.caption = "Gatecast beat season-naive" if scores.beaten else "Gatecast did not beat season-naive"
    return table


def _serve(service: DemoService, console: Console) -> int:
    url = service.client.url
    console.print(f"\ndashboard  {url}/\nAPI docs   {url}/docs\nlog        {service.log}\nCtrl-C ends it")
    try:
        status = service.wait()
    except KeyboardInterrupt:
        with errors().status("stopping the service"):
            service.stop()
        console.print("stopped")
        return 0
    raise ClientError("The service ended by itself", f"with status {status}", "stopped")
