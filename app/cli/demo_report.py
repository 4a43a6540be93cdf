"""What the demo says in the end: its errors week by week, a week drawn, and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import fmean

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.demo_data import DAY, HIDDEN_WEEKS, WEEK, DataSet
from app.cli.terminal_chart import draw_forecast

MARGIN = 0.1
"""share by which the forecast's error has to be smaller than that of each season-naive forecast"""
CHART_WIDTH = 100
"""characters, at most"""
CAPTION = (
    "untrained: the built-in model, which knows no weather\n"
    "day before, week before: the same hour then (season-naive)\n"
    "inside: hours inside the 80 % interval"
)


@dataclass(frozen=True)
class DemoForecast:
    """The forecasts of the hidden days, one after another: every field has one value for each hour."""

    ds: list[str]
    yhat: list[float]
    lower: list[float]
    """of the 80 % interval"""
    upper: list[float]
    untrained: list[float]
    """by the built-in model"""


@dataclass(frozen=True)
class Scores:
    """Mean absolute errors over some of the hidden hours."""

    forecast: float
    naive_day: float
    naive_week: float
    untrained: float
    inside: float
    """share of hours within the 80 % interval"""

    @property
    def won(self) -> bool:
        """Whether the forecast beat both season-naive forecasts by MARGIN or more."""
        return self.forecast <= (1 - MARGIN) * min(self.naive_day, self.naive_week)


def score_weeks(data: DataSet, forecast: DemoForecast) -> list[Scores]:
    """Measure the forecasts, and both season-naive forecasts, in each of the hidden weeks.

    Weeks are of one length, so that the mean of their scores is that of all hours.
    """
    truth = data.hidden.y
    naive_day = data.naive(DAY)
    naive_week = data.naive(WEEK)
    weeks = []
    for at in range(0, len(truth), WEEK):
        hours = slice(at, at + WEEK)
        bounds = zip(forecast.lower[hours], truth[hours], forecast.upper[hours], strict=True)
        week = Scores(
            forecast=compute_mae(forecast.yhat[hours], truth[hours]),
            naive_day=compute_mae(naive_day[hours], truth[hours]),
            naive_week=compute_mae(naive_week[hours], truth[hours]),
            untrained=compute_mae(forecast.untrained[hours], truth[hours]),
            inside=fmean(low <= y <= high for low, y, high in bounds),
        )
        weeks.append(week)
    return weeks


def average(weeks: Sequence[Scores]) -> Scores:
    """Return the scores of all hours from those of weeks."""
    return Scores(
        forecast=fmean(week.forecast for week in weeks),
        naive_day=fmean(week.naive_day for week in weeks),
        naive_week=fmean(week.naive_week for week in weeks),
        untrained=fmean(week.untrained for week in weeks),
        inside=fmean(week.inside for week in weeks),
    )


def compute_mae(forecast: Sequence[float], truth: Sequence[float]) -> float:
    """Return the mean absolute error of two sequences of one length."""
    return fmean(abs(a - b) for a, b in zip(forecast, truth, strict=True))


def print_report(data: DataSet, forecast: DemoForecast, console: Console) -> Scores:
    """Print a week, the errors of all weeks and the verdict; return the scores of all hidden hours."""
    weeks = score_weeks(data, forecast)
    scores = average(weeks)
    ordinary = min(range(len(weeks)), key=lambda week: abs(weeks[week].forecast - scores.forecast))
    hours = slice(ordinary * WEEK, (ordinary + 1) * WEEK)
    console.print(f"\nan ordinary week, {format_week(forecast.ds[hours])}: its error is nearest to the mean")
    console.print(draw_week(data, forecast, hours, min(console.width, CHART_WIDTH)))
    console.print(build_table(forecast.ds, weeks, scores))
    console.print(describe_verdict(scores), style="bold")
    return scores


def draw_week(data: DataSet, forecast: DemoForecast, hours: slice, width: int) -> Text:
    """Draw the forecast of some hours beside what happened."""
    return draw_forecast(
        forecast.ds[hours],
        forecast.yhat[hours],
        forecast.lower[hours],
        forecast.upper[hours],
        data.hidden.y[hours],
        width,
    )


def build_table(ds: Sequence[str], weeks: Sequence[Scores], scores: Scores) -> Table:
    """Return a table of the errors, a row for each week and one for all of them."""
    table = Table(title="mean absolute error, in bikes an hour", caption=CAPTION)
    table.add_column("week")
    for heading in ("Gatecast", "untrained", "day before", "week before", "inside"):
        table.add_column(heading, justify="right")
    for number, week in enumerate(weeks):
        name = format_week(ds[number * WEEK : (number + 1) * WEEK])
        table.add_row(name, *_format_cells(week), end_section=week is weeks[-1])
    table.add_row(f"all {HIDDEN_WEEKS} weeks", *_format_cells(scores), style="bold")
    return table


def describe_verdict(scores: Scores) -> str:
    """Say by how much Gatecast beat each season-naive forecast, and which it did not beat by enough."""
    naive = {"the day before": scores.naive_day, "the week before": scores.naive_week}
    clauses = [f"{_format_gain(scores.forecast, error)} {name}" for name, error in naive.items()]
    verdict = "Gatecast beat both" if scores.won else f"Gatecast did not beat both by {MARGIN:.0%}"
    gained = f"; training gained {1 - scores.forecast / scores.untrained:.0%} over the built-in model"
    return f"{verdict}: {', '.join(clauses)}{gained if scores.forecast < scores.untrained else ''}"


def format_day(stamp: str) -> str:
    """Return the day of a timestamp: `29 Dec`."""
    day = date.fromisoformat(stamp[:10])
    return f"{day.day} {day:%b}"


def format_week(ds: Sequence[str]) -> str:
    """Return the first and the last day of some timestamps: `27 Nov to 3 Dec`."""
    return f"{format_day(ds[0])} to {format_day(ds[-1])}"


def _format_gain(forecast: float, naive: float) -> str:
    """Return by how much an error differs from season-naive's: `43.9% below`."""
    gain = 1 - forecast / naive
    return f"{abs(gain):.1%} {'below' if gain >= 0 else 'above'}"


def _format_cells(scores: Scores) -> tuple[str, ...]:
    errors = (scores.forecast, scores.untrained, scores.naive_day, scores.naive_week)
    return (*(f"{error:.1f}" for error in errors), f"{scores.inside:.0%}")
