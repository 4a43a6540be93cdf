"""The demo's pieces: its data, its arithmetic, what it prints, and the service that it starts and ends."""

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import astuple
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from app.cli import demo as demo_module
from app.cli import demo_service
from app.cli.demo import demo, show
from app.cli.demo_data import DAY, HIDDEN_HOURS, WEATHER, WEEK, DataSet, load
from app.cli.demo_report import DemoForecast, Scores, average, build_table, describe_verdict, score_weeks
from app.cli.demo_service import DemoService, build_environment, find_free_port
from gatecast_client.client import Client
from gatecast_client.errors import ClientError
from tests.scripted_service import ScriptedService, job

OBSERVATIONS = "/series/bikes/observations"
DIES = [sys.executable, "-c", "print('the disk is full'); raise SystemExit(3)"]
# answers /readyz on the port that it is given, in a child process of its own, as the service does
SERVES = [sys.executable, str(Path(__file__).parent / "ready_program.py")]


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with ScriptedService() as running:
        yield running


@pytest.fixture(autouse=True)
def _any_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests that run side by side not meet at the usual port."""
    monkeypatch.setattr(demo_service, "USUAL_PORT", 0)


@pytest.fixture(scope="module")
def data() -> DataSet:
    return load()


def forecasts_of(data: DataSet, error: float) -> list[dict[str, Any]]:
    """Return the service's answers for the hidden days, each of them off by `error` in every hour."""
    return [forecast_of(day.ds, [y + error for y in day.y]) for day in data.days]


def forecast_of(stamps: list[str], values: list[float]) -> dict[str, Any]:
    quantiles = {"0.1": [v - 30 for v in values], "0.9": [v + 30 for v in values]}
    ds = [f"{stamp}+00:00" for stamp in stamps]
    return {"series_id": "bikes", "status": "ok", "ds": ds, "yhat": values, "quantiles": quantiles}


def naive_errors(data: DataSet, season: int) -> NDArray[np.float64]:
    """Return the absolute error of the value `season` hours before, for every hidden hour."""
    y = np.array(data.known.y + data.hidden.y)
    return np.abs(y[season:] - y[:-season])[-HIDDEN_HOURS:]


def script(service: ScriptedService, days: list[dict[str, Any]]) -> None:
    report = {"series": 1, "rows": 16_200, "inserted": 16_200, "updated": 0, "rejected": []}
    service.on("POST", "/series/import", report)
    service.on("POST", "/train", job("queued"), status=202)
    service.on("GET", "/jobs/j1", job("succeeded", version=1))
    metrics = {"gate": {"mae": 50.0}, "season_naive": {"mae": 99.0}}
    service.on("GET", "/models/bikes/versions/1", {"version": 1, "metrics": metrics})
    service.on("POST", "/forecast", *interleave_untrained(days))
    service.on("POST", OBSERVATIONS, {"inserted": 24, "updated": 0, "version": 2})


def interleave_untrained(days: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the answers in their order: the built-in model's of the first day, and of each day after the trained
    one's."""
    answers = [{"model": "auto", "version": 1, "forecasts": [days[0]]}]
    for one in days:
        answers.append({"model": "bikes", "version": 1, "forecasts": [one]})
        answers.append({"model": "auto", "version": 1, "forecasts": [one]})
    return answers


def shown(service: ScriptedService, data: DataSet) -> str:
    """Run the demo's story against a scripted service, and return what it prints."""
    told = io.StringIO()
    with Client(service.url) as client:
        show(client, data, Console(file=told, width=100))
    return told.getvalue()


def test_the_data_is_hourly_without_gaps_and_eight_weeks_of_it_are_hidden(data: DataSet) -> None:
    stamps = [datetime.fromisoformat(ds) for ds in data.known.ds + data.hidden.ds]
    assert {b - a for a, b in pairwise(stamps)} == {timedelta(hours=1)}
    assert len(data.hidden.y) == HIDDEN_HOURS == 8 * 7 * 24
    assert stamps[0] == datetime(2011, 1, 1)
    assert stamps[-1] == datetime(2012, 12, 31, 23)
    assert len(data.days) == 56
    assert {(day.ds[0][10:], day.ds[-1][10:], len(day.y)) for day in data.days} == {("T00:00:00", "T23:00:00", DAY)}
    assert [data.days[0].ds[0], data.days[-1].ds[-1]] == ["2012-11-06T00:00:00", "2012-12-31T23:00:00"]
    assert data.known.y[:3] == [16.0, 40.0, 32.0]


def test_each_hour_has_its_weather(data: DataSet) -> None:
    assert tuple(data.known.weather) == tuple(data.hidden.weather) == WEATHER
    assert [column[1] for column in data.known.weather.values()] == [9.02, 80.0, 0.0, "clear"]
    assert {len(column) for column in data.days[3].weather.values()} == {DAY}
    assert set(data.known.weather["weather"]) == set(data.hidden.weather["weather"]) == {"clear", "mist", "rain"}


def test_nothing_hidden_reaches_the_service_with_the_table(data: DataSet) -> None:
    table = data.known.csv().decode()
    assert table.startswith(
        "unique_id,ds,y,temp,humidity,windspeed,weather\nbikes,2011-01-01T00:00:00,16.0,9.84,81.0,0.0,clear\n"
    )
    assert "2012-11-05T23:00:00" in table
    assert "2012-11-06" not in table
    assert table.count("\n") == len(data.known.y) + 1


def test_season_naive_repeats_what_is_known_when_the_day_begins(data: DataSet) -> None:
    values = dict(zip(data.known.ds + data.hidden.ds, data.known.y + data.hidden.y, strict=True))
    for season in (DAY, WEEK):
        naive = data.naive(season)
        assert len(naive) == HIDDEN_HOURS
        for ds, value in zip(data.hidden.ds, naive, strict=True):
            before = datetime.fromisoformat(ds) - timedelta(hours=season)
            assert before.date() < datetime.fromisoformat(ds).date()
            assert value == values[before.isoformat()]
    assert data.naive(DAY)[DAY:] == data.hidden.y[:-DAY]


def test_scores_are_mean_absolute_errors_by_week_and_of_all_weeks(data: DataSet) -> None:
    y = data.hidden.y
    off = [v + 10 * (1 + hour // WEEK) for hour, v in enumerate(y)]  # by 10 in the first week, by 80 in the last
    inside = [v if hour % WEEK < WEEK // 4 else v + 1 for hour, v in enumerate(y)]
    weeks = score_weeks(data, DemoForecast(data.hidden.ds, off, lower=inside, upper=off, untrained=data.hidden.y))
    assert [week.forecast for week in weeks] == pytest.approx([10 * n for n in range(1, 9)])
    assert [week.inside for week in weeks] == [0.25] * 8
    day, week_before = (naive_errors(data, season) for season in (DAY, WEEK))
    assert [week.naive_day for week in weeks] == pytest.approx(day.reshape(8, WEEK).mean(1))
    assert [week.naive_week for week in weeks] == pytest.approx(week_before.reshape(8, WEEK).mean(1))
    assert astuple(average(weeks)) == pytest.approx((45, day.mean(), week_before.mean(), 0, 0.25))


@pytest.mark.parametrize(
    ("day", "week", "won", "verdict"),
    [
        (100, 100, True, "Gatecast beat both: 10.0% below the day before, 10.0% below"),
        (200, 112, True, "Gatecast beat both: 55.0% below the day before, 19.6% below"),
        (200, 99, False, "Gatecast did not beat both by 10%: 55.0% below the day before, 9.1%"),
        (99, 200, False, "Gatecast did not beat both by 10%: 9.1% below the day before, 55.0%"),
        (
            75,
            60,
            False,
            "Gatecast did not beat both by 10%: 20.0% above the day before, 50.0% above",
        ),
    ],
)
def test_both_must_be_beaten_by_a_tenth_and_each_comparison_is_told(
    day: float, week: float, won: bool, verdict: str
) -> None:
    scores = Scores(forecast=90, naive_day=day, naive_week=week, untrained=80, inside=0.8)
    assert scores.won is won
    assert describe_verdict(scores).startswith(verdict)


def test_the_table_has_a_row_for_each_week_and_one_for_all(data: DataSet) -> None:
    weeks = [Scores(10 + n, 20 + n, 30 + n, 40 + n, n / 10) for n in range(8)]
    table = build_table(data.hidden.ds, weeks, average(weeks))
    week, *columns = ([str(cell) for cell in column.cells] for column in table.columns)
    assert week == [
        "6 Nov to 12 Nov",
        "13 Nov to 19 Nov",
        "20 Nov to 26 Nov",
        "27 Nov to 3 Dec",
        "4 Dec to 10 Dec",
        "11 Dec to 17 Dec",
        "18 Dec to 24 Dec",
        "25 Dec to 31 Dec",
        "all 8 weeks",
    ]
    assert [column[3] for column in columns] == ["13.0", "43.0", "23.0", "33.0", "30%"]
    assert [column[-1] for column in columns] == ["13.5", "43.5", "23.5", "33.5", "35%"]


def test_each_day_is_forecast_with_its_weather_before_its_hours_arrive(service: ScriptedService, data: DataSet) -> None:
    script(service, forecasts_of(data, 10))
    shown(service, data)
    (train,) = [asked for asked in service.asked if asked.path == "/train"]
    assert train.json == {
        "model": "bikes",
        "series": {"ids": ["bikes"]},
        "horizon": DAY,
        "covariates": {"known_future": list(WEATHER)},
        "country": "US",
        "network": {"lookbacks": []},
        "training": {"epochs": 20},
    }
    lived = [asked for asked in service.asked if asked.path in {"/forecast", OBSERVATIONS}]
    assert [asked.path for asked in lived] == ["/forecast", *["/forecast", "/forecast", OBSERVATIONS] * 56]
    trained, untrained = lived[1::3], [lived[0], *lived[2::3]]
    assert {asked.json["model"] for asked in trained} == {"bikes@1"}
    assert [asked.json["future"] for asked in trained] == [{"bikes": day.weather} for day in data.days]
    assert {(asked.json["model"], asked.json["horizon"]) for asked in untrained} == {("auto", DAY)}
    arrived = [asked.json for asked in lived[3::3]]
    assert arrived == [{"ds": day.ds, "y": day.y, "covariates": day.weather} for day in data.days]


@pytest.mark.parametrize(("error", "verdict"), [(10, "Gatecast beat both"), (200, "Gatecast did not beat both")])
def test_the_demo_prints_a_week_the_errors_and_who_won(
    service: ScriptedService, data: DataSet, error: float, verdict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    script(service, forecasts_of(data, error))
    text = shown(service, data)
    for part in ("80 % interval", "• what happened", "an ordinary week, 6 Nov to 12 Nov", verdict, "50.0", "99.0"):
        assert part in text
    for part in (
        "16,200 hours",
        "up to 2012-11-05",
        "8 weeks",
        "UCI Bike Sharing, CC BY 4.0",
        "stands in for a forecast",
    ):
        assert part in " ".join(text.split())
    errors = [error, error, naive_errors(data, DAY).mean(), naive_errors(data, WEEK).mean()]
    (total,) = [line for line in text.splitlines() if "all 8 weeks" in line]
    cells = [cell.strip() for cell in total.split("│")[2:7]]
    assert cells == [*(f"{e:.1f}" for e in errors), "100%" if error <= 30 else "0%"]
    assert "\x1b" not in text
    progress = capsys.readouterr().err.splitlines()
    assert [line for line in progress if line.startswith("forecast")][::7] == [
        "forecast 7 of 56 days, up to 12 Nov",
        "forecast 56 of 56 days, up to 31 Dec",
    ]


@pytest.mark.parametrize(("above", "status"), [(-0.01, 0), (0.01, 1)])
def test_the_exit_status_says_whether_both_were_beaten_by_a_tenth(
    service: ScriptedService, data: DataSet, monkeypatch: pytest.MonkeyPatch, above: float, status: int
) -> None:
    best = min(naive_errors(data, season).mean() for season in (DAY, WEEK))
    script(service, forecasts_of(data, 0.9 * best + above))
    monkeypatch.setattr(demo_module, "DemoService", lambda folder: Running(Client(service.url)))
    assert demo(exit_after=True) == status


class Running:
    """A service that another one runs already: it starts and ends nothing but its client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.client.close()


def test_a_series_that_is_refused_ends_the_demo_with_the_reason(service: ScriptedService, data: DataSet) -> None:
    script(service, [{"series_id": "bikes", "status": "error", "error": {"code": "no_history", "detail": "no y"}}])
    with Client(service.url) as client, pytest.raises(ClientError, match="no y"):
        show(client, data, Console(file=io.StringIO()))
    assert OBSERVATIONS not in {asked.path for asked in service.asked}


def test_settings_of_a_real_deployment_do_not_reach_the_demo(tmp_path: Path) -> None:
    given = {
        "PATH": "/bin",
        "OMP_NUM_THREADS": "8",
        "GATECAST_DATABASE_URL": "postgresql://real",
        "GATECAST_DEVICE": "cuda",
        "GATECAST_AUTH": "on",
    }
    made = build_environment(given, tmp_path, 8001)
    assert made == {
        "PATH": "/bin",
        "OMP_NUM_THREADS": "1",
        "GATECAST_DEVICE": "cpu",
        "GATECAST_DATA_DIR": str(tmp_path),
        "GATECAST_HOST": "127.0.0.1",
        "GATECAST_PORT": "8001",
    }


def test_another_port_is_taken_where_the_usual_one_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        usual = taken.getsockname()[1]
        monkeypatch.setattr(demo_service, "USUAL_PORT", usual)
        assert find_free_port() not in (0, usual)
    assert find_free_port() == usual


def test_a_folder_that_is_not_the_demo_s_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "thesis.tex"
    kept.write_text("years of work")
    with pytest.raises(ClientError, match="Not a folder of the demo"), DemoService(tmp_path, DIES):
        pass
    assert kept.read_text() == "years of work"


def test_a_service_that_dies_ends_the_demo_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_module, "FOLDER", tmp_path / "demo")
    monkeypatch.setattr(demo_module, "DemoService", lambda folder: DemoService(folder, DIES))
    assert demo(exit_after=True) == 1
    said = capsys.readouterr().err
    assert "it ended with status 3" in said
    assert "the disk is full" in said


def test_the_service_and_its_children_end_with_the_demo_which_begins_empty_again(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    for _ in range(2):
        with DemoService(folder, SERVES) as service:
            assert service.client.ready()
            assert sorted(f.name for f in folder.iterdir()) == ["children", "service.log"]
            processes = [int(pid) for pid in (folder / "children").read_text().split()]
        assert not any(is_alive(pid) for pid in processes)
        with Client(service.client.url) as client:
            assert not client.ready()


def test_a_terminated_demo_takes_its_service_along(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time; from app.cli import demo_service; demo_service.USUAL_PORT = 0\n"
        "with demo_service.DemoService(pathlib.Path(sys.argv[1]), sys.argv[2:]):\n"
        "    print('up', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "demo"), *SERVES]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        processes = [int(pid) for pid in (tmp_path / "demo" / "children").read_text().split()]
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
    assert not any(is_alive(pid) for pid in processes)


def is_alive(pid: int) -> bool:
    """Say whether a process still runs, once it had a moment to be reaped."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except (ProcessLookupError, FileNotFoundError):
            return False
        time.sleep(0.05)
    return True
