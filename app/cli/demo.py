"""The demo: a real service learns a real data set, forecasts its hidden last weeks, and gets them day by day."""

from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli.demo_data import DAY, HIDDEN_WEEKS, SERIES, WEATHER, DataSet, Hours, load
from app.cli.demo_report import DemoForecast, Scores, format_day, print_report
from app.cli.demo_service import DemoService
from app.cli.terminal import error_console, follow, output_console, require_version
from gatecast_client.client import Client
from gatecast_client.errors import ClientError

FOLDER = Path(".demo")
MODEL = "bikes"
UNTRAINED = "auto"
LEVELS = (0.1, 0.9)
TRAINING: dict[str, object] = {
    "covariates": {"known_future": list(WEATHER)},
    "country": "US",
    "network": {"lookbacks": []},
    "training": {"epochs": 20},
}
"""One network, not an ensemble, and steps, not seconds: it takes less than a minute and comes out the same each time.
Chosen by the eight weeks before the hidden ones. Mean absolute errors there: no covariates and 12 epochs 54.7, weather
39.8, weather and holidays 38.5; with both and 20 epochs 36.4; an ensemble of three for 10 epochs 40.1"""


def demo(exit_after: bool) -> int:
    """Run the demo and return its exit status: 0 where the forecast beat both season-naive forecasts by a tenth."""
    console = output_console()
    service = None
    try:
        service = DemoService(FOLDER)
        with error_console().status("starting the service") as status, service:
            status.stop()
            scores = show(service.client, load(), console)
            if exit_after:
                return 0 if scores.won else 1
            return _serve(service, console)
    except ClientError as e:
        error_console().print(f"[red]{escape(str(e))}[/red]\n→ {escape(e.hint or 'run the demo again')}")
        if service is not None and (tail := service.log_tail()):
            error_console().print(f"the end of {service.log}:\n{escape(tail)}", style="dim")
        return 1
    except KeyboardInterrupt:
        error_console().print("interrupted; the service is stopped")
        return 130


def show(client: Client, data: DataSet, console: Console) -> Scores:
    """Import, train, forecast the hidden weeks and compare with what happened. Raises ClientError."""
    console.print(f"[bold]Gatecast[/bold] runs at {client.url}")
    with error_console().status("importing"):
        report = client.import_csv(data.known.csv(), freq="h")
    console.print(
        f"imported {report['rows']:,} hours of bike rentals up to {data.known.ds[-1][:10]}, and their weather;\n"
        f"the {HIDDEN_WEEKS} weeks after that stay hidden (UCI Bike Sharing, CC BY 4.0;\n"
        "the weather that came stands in for a forecast of it)"
    )
    print_untrained(client, data, console)
    forecast = live_through(client, data, f"{MODEL}@{train(client, console)}")
    return print_report(data, forecast, console)


def print_untrained(client: Client, data: DataSet, console: Console) -> None:
    """Forecast the first hidden day by the built-in model, which needs no training. Raises ClientError."""
    forecast = forecast_untrained(client)
    total, actual = sum(forecast["yhat"]), sum(data.days[0].y)
    console.print(
        f"before any training the model {UNTRAINED} forecasts {total:,.0f} rentals on {format_day(forecast['ds'][0])}; "
        f"there were {actual:,.0f}"
    )


def train(client: Client, console: Console) -> int:
    """Train on the known hours and return the version. Raises ClientError."""
    job = client.train(MODEL, {"ids": [SERIES]}, DAY, **TRAINING)
    version = require_version(follow(client, job, error_console()))
    metrics = client.version(MODEL, version)["metrics"]
    if metrics["gate"]:
        console.print(
            f"trained {MODEL}@{version}: error {metrics['gate']['mae']:.1f} on the last known weeks, "
            f"held back; season-naive {metrics['season_naive']['mae']:.1f}"
        )
    return version


def live_through(client: Client, data: DataSet, model: str) -> DemoForecast:
    """Forecast each hidden day from the hours before it, then send its hours. Raises ClientError."""
    days = []
    untrained: list[float] = []
    console = error_console()
    bars = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*bars, console=console, transient=True) as bar:
        task = bar.add_task("forecasting each day, then its hours arrive", total=len(data.days))
        for day in data.days:
            days.append(forecast_day(client, model, day))
            untrained += forecast_untrained(client)["yhat"]
            client.observe(SERIES, day.ds, day.y, covariates=day.weather)
            bar.advance(task)
            # a log file has no live bar: it gets a line a week
            if not console.is_terminal and len(days) % 7 == 0:
                console.print(f"forecast {len(days)} of {len(data.days)} days, up to {format_day(day.ds[0])}")
    lower, upper = map(str, LEVELS)
    return DemoForecast(
        ds=[ds for forecast in days for ds in forecast["ds"]],
        yhat=[y for forecast in days for y in forecast["yhat"]],
        lower=[y for forecast in days for y in forecast["quantiles"][lower]],
        upper=[y for forecast in days for y in forecast["quantiles"][upper]],
        untrained=untrained,
    )


def forecast_day(client: Client, model: str, day: Hours) -> dict[str, Any]:
    """Return the service's forecast of a day from the hours before it and the day's weather. Raises ClientError."""
    return _require(client.forecast(model, [SERIES], quantiles=LEVELS, future={SERIES: day.weather}))


def forecast_untrained(client: Client) -> dict[str, Any]:
    """Return the built-in model's forecast of the next day. Raises ClientError."""
    return _require(client.forecast(UNTRAINED, [SERIES], DAY))


def _require(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the one forecast of an answer. Raises ClientError."""
    (forecast,) = answer["forecasts"]
    if forecast["status"] != "ok":
        raise ClientError("The forecast failed", forecast["error"]["detail"], forecast["error"]["code"])
    return cast(dict[str, Any], forecast)


def _serve(service: DemoService, console: Console) -> int:
    url = service.client.url
    console.print(f"\ndashboard {url}\nAPI docs  {url}/docs\nlog       {service.log}\nCtrl-C ends it")
    try:
        status = service.wait()
    except KeyboardInterrupt:
        with error_console().status("stopping the service"):
            service.stop()
        console.print("stopped")
        return 0
    raise ClientError("The service ended by itself", f"with status {status}", "stopped")
