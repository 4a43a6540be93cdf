"""Commands that call a running service: train, refresh and forecast; those that move tables are in `transfer`."""

import json
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape

from app.cli.terminal import (
    Key,
    Url,
    build_forecast_table,
    error_console,
    follow,
    name_kind,
    output_console,
    parse_labels,
    report_errors,
    require_version,
)
from app.cli.transfer import export_table, import_tables
from gatecast_client.client import DEFAULT_URL, Client
from gatecast_client.jobs import Job

INTERRUPTED = 130
"""exit status after Ctrl-C"""

SeriesIds = Annotated[list[str] | None, typer.Option("--series", help="A series' id; repeat it for more.")]
Labels = Annotated[list[str] | None, typer.Option(help="Series with this label, key:value; all must hold.")]
AllSeries = Annotated[bool, typer.Option("--all", help="Every series.")]
Quantiles = Annotated[str | None, typer.Option(help="Levels between 0 and 1, such as 0.1,0.5,0.9.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Passes over the data; chosen if absent.")]
TimeBudget = Annotated[float | None, typer.Option(min=1, help="Seconds that training may take.")]
Trials = Annotated[int | None, typer.Option(min=1, help="Try this many other networks first, and train the best.")]
WarmStart = Annotated[str | None, typer.Option(help="Start from a version, name@version, or from auto.")]
Promote = Annotated[
    Literal["if_better", "always", "never"] | None, typer.Option(help="When the new version goes live.")
]
Gaps = Annotated[
    Literal["leave", "linear", "season"] | None, typer.Option(help="What becomes of missing steps that are read.")
]
Outliers = Annotated[Literal["leave", "clip"] | None, typer.Option(help="What becomes of outliers that are read.")]
Aggregate = Annotated[
    str | None, typer.Option(help="Train on longer steps, FREQ or FREQ:mean, such as D or W-MON:mean.")
]
MaxFilled = Annotated[float | None, typer.Option(min=0, max=1, help="Share of a series' steps that gaps may fill.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("import")(import_tables)
    app.command("export")(export_table)
    app.command("train")(train)
    app.command("refresh")(refresh)
    app.command("forecast")(forecast)


def train(
    model: Annotated[str, typer.Argument(help="Name of the model; a new version of it is made.")],
    horizon: Annotated[int, typer.Option(min=1, help="Steps to predict.")],
    series: SeriesIds = None,
    label: Labels = None,
    all_series: AllSeries = False,
    quantiles: Quantiles = None,
    epochs: Epochs = None,
    time_budget: TimeBudget = None,
    search: Trials = None,
    warm_start: WarmStart = None,
    promote: Promote = None,
    gaps: Gaps = None,
    outliers: Outliers = None,
    aggregate: Aggregate = None,
    max_filled: MaxFilled = None,
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Train a model in the service's worker and watch it."""
    selector = _parse_selector(series or [], label or [], all_series)
    options = {
        "quantiles": _parse_levels(quantiles),
        "training": _build_training(epochs, time_budget),
        "search": {"trials": search} if search is not None else None,
        "warm_start": warm_start,
        "promote": promote,
        "cleaning": _build_cleaning(gaps, outliers, aggregate, max_filled),
    }
    with report_errors(), Client(url, key) as client:
        job = _watch(client, client.train(model, selector, horizon, **options))
        version = client.version(model, require_version(job))
    live = "is live" if version["promoted"] else f"is not live: {version['reason']}"
    output_console().print(f"{escape(model)}@{version['version']} {escape(live)}")


def refresh(
    model: Annotated[str, typer.Argument(help="Name of the model, whose champion takes new values in.")],
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Refresh a model without training: its champion takes new observations into what needs none."""
    with report_errors(), Client(url, key) as client:
        job = _watch(client, client.refresh(model))
        version = require_version(job)
    made = job["result"] or {}
    live = "is live" if made["promoted"] else "is not live"
    output_console().print(f"{escape(model)}@{version}.{made['revision']} {live}: {escape(made['reason'])}")


def _build_training(epochs: int | None, time_budget: float | None) -> dict[str, float] | None:
    """Return the `training` options of POST /train; None where the service chooses them all."""
    budget = {"epochs": epochs, "time_budget_s": time_budget}
    return {name: value for name, value in budget.items() if value is not None} or None


def _build_cleaning(
    gaps: str | None, outliers: str | None, aggregate: str | None, max_filled: float | None
) -> dict[str, Any] | None:
    """Return `cleaning` of POST /train; None where nothing is cleaned. `aggregate` is FREQ or FREQ:BY."""
    freq, _, by = (aggregate or "").partition(":")
    options = {
        "gaps": gaps,
        "outliers": outliers,
        "aggregate": {"freq": freq, "by": by or "sum"} if aggregate else None,
        "max_filled": max_filled,
    }
    return {name: value for name, value in options.items() if value is not None} or None


def _watch(client: Client, job: Job) -> Job:
    """Show a job's progress until it ends, and return it as it ended. Ctrl-C ends the watching alone."""
    try:
        return follow(client, job, error_console())
    except KeyboardInterrupt:
        path = f"{client.url}/jobs/{job['id']}"
        error_console().print(f"no longer watching; the {name_kind(job)} goes on\n→ cancel it: POST {path}/cancel")
        error_console().print(f"→ look at it: GET {path}")
        raise typer.Exit(INTERRUPTED) from None


def forecast(
    model: Annotated[str, typer.Argument(help="Name of the model, name@version or name@version.revision.")],
    series: SeriesIds = None,
    horizon: Annotated[int | None, typer.Option(min=1, help="Steps, at most as many as trained.")] = None,
    quantiles: Quantiles = None,
    point: Annotated[
        Literal["median", "mean"] | None, typer.Option(help="What yhat is of the forecast distribution.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the service's answer as it is.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Forecast stored series."""
    if not series:
        raise typer.BadParameter("name at least one series with --series ID")
    levels = _parse_levels(quantiles)
    with report_errors(), Client(url, key) as client, error_console().status("forecasting"):
        response = client.forecast(model, series, horizon, levels, point=point)
    if as_json:
        typer.echo(json.dumps(response, ensure_ascii=False))
    else:
        _print_forecasts(response)
    failed = [result for result in response["forecasts"] if result["status"] != "ok"]
    for result in failed:
        error_console().print(f"{escape(result['series_id'])}: {escape(result['error']['detail'])}", style="red")
    if failed:
        raise typer.Exit(1)


def _print_forecasts(response: dict[str, Any]) -> None:
    version = f"{response['model']}@{response['version']}"
    if response.get("revision"):
        version += f".{response['revision']}"
    for result in response["forecasts"]:
        if result["status"] == "ok":
            output_console().print(build_forecast_table(result, version))


def _parse_selector(ids: list[str], labels: list[str], everything: bool) -> dict[str, object] | str:
    if sum((bool(ids), bool(labels), everything)) != 1:
        raise typer.BadParameter("say which series: --series ID (repeatable), or --label key:value, or --all")
    if everything:
        return "all"
    if ids:
        return {"ids": ids}
    return {"labels": parse_labels(labels)}


def _parse_levels(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        levels = [float(part) for part in text.split(",")]
    except ValueError:
        levels = []
    if not levels or not all(0 < level < 1 for level in levels):
        raise typer.BadParameter("give levels between 0 and 1, such as 0.1,0.5,0.9", param_hint="--quantiles")
    return levels
