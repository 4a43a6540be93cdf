"""The demo: a real service learns a real data set, forecasts its hidden last three days, and gets them one by one."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from statistics import fmean
from typing import Any, cast

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.cli.demo_service import DemoService
from app.cli.terminal import error_console, follow, output_console, require_version
from app.cli.terminal_chart import draw_forecast
from gatecast_client.client import Client, ClientError

FOLDER = Path(".demo")
DATA = "bike_sharing.csv.gz"
SERIES = MODEL = "bikes"
DAY = 24
"""hours"""
WEEK = 168
"""hours"""
HIDDEN_HOURS = 3 * DAY
"""the end of the file, the days before New Year"""
LEVELS = (0.1, 0.9)
CHART_WIDTH = 100
"""characters, at most"""
TABLE_STEP = 6
"""hours between the rows of the table"""


@dataclass(frozen=True)
class DataSet:
    """Hourly values on a grid without gaps, cut where the hidden days begin."""

    known: list[tuple[str, float]]
    """(timestamp, value) of every hour that the service is given"""
    hidden: list[tuple[str, float]]
    """(timestamp, value) of the hours that it has to forecast; it is given those of a day when the day is over"""

    def csv(self) -> bytes:
        """Return the known hours as the long table that the service imports."""
        lines = (f"{SERIES},{ds},{y:g}" for ds, y in self.known)
        return "\n".join(["unique_id,ds,y", *lines, ""]).encode()

    @property
    def truth(self) -> list[float]:
        """Values of the hidden hours."""
        return [y for _, y in self.hidden]

    @property
    def days(self) -> list[list[tuple[str, float]]]:
        """The hidden hours, day by day."""
        return [self.hidden[at : at + DAY] for at in range(0, len(self.hidden), DAY)]

    def naive(self, season: int) -> list[float]:
        """Forecast each hidden hour by the value `season` hours before it.

        A season of a day or more reaches back to what is known when the hour's day begins.
        """
        values = [y for _, y in self.known + self.hidden]
        return values[-season - len(self.hidden) : -season]


@dataclass(frozen=True)
class DemoForecast:
    """The forecasts of the hidden days, one after another: every field has one value for each hour."""

    ds: list[str]
    yhat: list[float]
    lower: list[float]
    """of the 80 % interval"""
    upper: list[float]


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
        """Whether the forecast is better than season-naive of the day before.

        The service also takes a day as the season of `season_naive` in a version's metrics.
        """
        return self.forecast < self.naive_day


def demo(exit_after: bool) -> int:
    """Run the demo and return its exit status: 0 where the forecast beat season-naive."""
    console = output_console()
    service = None
    try:
        service = DemoService(FOLDER)
        with error_console().status("starting the service") as status, service:
            status.stop()
            scores = show(service.client, load(), console)
            if exit_after:
                return 0 if scores.beaten else 1
            return _serve(service, console)
    except ClientError as e:
        error_console().print(f"[red]{escape(str(e))}[/red]\n→ {escape(e.hint or 'run the demo again')}")
        if service is not None and (tail := service.log_tail()):
            error_console().print(f"the end of {service.log}:\n{escape(tail)}", style="dim")
        return 1
    except KeyboardInterrupt:
        error_console().print("interrupted; the service is stopped")
        return 130


def load() -> DataSet:
    """Read the data set that the project carries."""
    lines = gzip.decompress((files("app") / "data" / DATA).read_bytes()).decode().splitlines()
    rows = [(ds, float(y)) for _, ds, y in (line.split(",") for line in lines[1:])]
    return DataSet(rows[:-HIDDEN_HOURS], rows[-HIDDEN_HOURS:])


def show(client: Client, data: DataSet, console: Console) -> Scores:
    """Import, train, forecast the hidden days and compare with what happened. Raises ClientError."""
    console.print(f"[bold]Gatecast[/bold] runs at {client.url}")
    with error_console().status("importing"):
        report = client.import_csv(data.csv(), freq="h")
    console.print(
        f"imported {report['rows']:,} hours of bike rentals up to {data.known[-1][0]}; "
        f"the file's last {HIDDEN_HOURS} hours stay hidden"
    )
    forecast = live_through(client, data, f"{MODEL}@{train(client, console)}", console)
    scores = score(data, forecast)
    console.print(build_comparison(forecast, data.truth))
    width = min(console.width, CHART_WIDTH)
    console.print(draw_forecast(forecast.ds, forecast.yhat, forecast.lower, forecast.upper, data.truth, width))
    console.print(build_verdict(scores))
    return scores


def train(client: Client, console: Console) -> int:
    """Train on the known hours and return the version. Raises ClientError."""
    job = client.train(MODEL, {"ids": [SERIES]}, DAY)
    version = require_version(follow(client, job, error_console()))
    metrics = client.version(MODEL, version)["metrics"]
    if metrics["gate"]:
        console.print(
            f"trained {MODEL}@{version}: mean absolute error {metrics['gate']['mae']:.1f} on the last known "
            f"weeks, held back for it; season-naive {metrics['season_naive']['mae']:.1f}"
        )
    return version


def live_through(client: Client, data: DataSet, model: str, console: Console) -> DemoForecast:
    """Forecast each hidden day from the hours before it, then send its hours. Raises ClientError."""
    days = []
    for day in data.days:
        stamps = [ds for ds, _ in day]
        truth = [y for _, y in day]
        days.append(forecast_day(client, model))
        client.observe(SERIES, stamps, truth)
        name = format_day(stamps[0])
        error = compute_mae(days[-1]["yhat"], truth)
        console.print(f"{name}: forecast, then its {len(day)} hours arrive; off by {error:.1f} on average")
    lower, upper = map(str, LEVELS)
    return DemoForecast(
        ds=[ds for forecast in days for ds in forecast["ds"]],
        yhat=[y for forecast in days for y in forecast["yhat"]],
        lower=[y for forecast in days for y in forecast["quantiles"][lower]],
        upper=[y for forecast in days for y in forecast["quantiles"][upper]],
    )


def forecast_day(client: Client, model: str) -> dict[str, Any]:
    """Return the service's forecast of the day after the newest hour that it knows. Raises ClientError."""
    (forecast,) = client.forecast(model, [SERIES], quantiles=LEVELS)["forecasts"]
    if forecast["status"] != "ok":
        raise ClientError("The forecast failed", forecast["error"]["detail"], forecast["error"]["code"])
    return cast(dict[str, Any], forecast)


def format_day(stamp: str) -> str:
    """Return the day of a timestamp: `Saturday 29 December`."""
    day = date.fromisoformat(stamp[:10])
    return f"{day:%A} {day.day} {day:%B}"


def score(data: DataSet, forecast: DemoForecast) -> Scores:
    """Measure the forecasts of the hidden days, and both season-naive forecasts, against what happened."""
    bounds = zip(forecast.lower, data.truth, forecast.upper, strict=True)
    return Scores(
        forecast=compute_mae(forecast.yhat, data.truth),
        naive_day=compute_mae(data.naive(DAY), data.truth),
        naive_week=compute_mae(data.naive(WEEK), data.truth),
        inside=fmean(low <= y <= high for low, y, high in bounds),
    )


def compute_mae(forecast: Sequence[float], truth: Sequence[float]) -> float:
    """Return the mean absolute error of two sequences of one length."""
    return fmean(abs(a - b) for a, b in zip(forecast, truth, strict=True))


def build_comparison(forecast: DemoForecast, truth: Sequence[float]) -> Table:
    """Return a table of the forecasts and of what happened, a row every six hours."""
    table = Table(title=f"{SERIES}, forecast a day ahead", caption="each day was forecast from the hours before it")
    for heading in ("hour", "forecast", "80 % interval", "what happened"):
        table.add_column(heading, justify="left" if heading == "hour" else "right")
    rows = list(zip(forecast.ds, forecast.yhat, forecast.lower, forecast.upper, truth, strict=True))
    for hour, (ds, yhat, low, high, y) in list(enumerate(rows))[::TABLE_STEP]:
        cells = (ds[:16].replace("T", " "), f"{yhat:.0f}", f"{low:.0f} to {high:.0f}", f"{y:.0f}")
        table.add_row(*cells, end_section=(hour + TABLE_STEP) % DAY == 0)
    return table


def build_verdict(scores: Scores) -> Table:
    """Return a table of the mean absolute errors, the smallest first."""
    table = Table(title=f"mean absolute error over the {HIDDEN_HOURS} hidden hours", box=None)
    named = {
        f"{MODEL} by Gatecast": scores.forecast,
        "season-naive, same hour of the day before": scores.naive_day,
        "season-naive, same hour of the week before": scores.naive_week,
    }
    for name, error in sorted(named.items(), key=lambda item: item[1]):
        table.add_row(name, f"{error:.1f}")
    table.add_row("hours inside the 80 % interval", f"{scores.inside:.0%}")
    table.caption = describe_winner(scores)
    return table


def describe_winner(scores: Scores) -> str:
    """Say which of the season-naive forecasts Gatecast beat, and which it did not."""
    naive = {"the day before": scores.naive_day, "the week before": scores.naive_week}
    won = [name for name, error in naive.items() if scores.forecast < error]
    lost = [name for name in naive if name not in won]
    clauses = [f"beat {' and '.join(won)}"] if won else []
    clauses += [f"did not beat {' or '.join(lost)}"] if lost else []
    return f"Gatecast {', but '.join(clauses)}"


def _serve(service: DemoService, console: Console) -> int:
    url = service.client.url
    console.print(f"\nAPI docs {url}/docs\nlog      {service.log}\nCtrl-C ends it")
    try:
        status = service.wait()
    except KeyboardInterrupt:
        with error_console().status("stopping the service"):
            service.stop()
        console.print("stopped")
        return 0
    raise ClientError("The service ended by itself", f"with status {status}", "stopped")
