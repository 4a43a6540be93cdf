"""The demo's pieces: its data, its arithmetic, what it prints, and the service that it starts and ends."""

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from app import demo as demo_module
from app import demo_service
from app.client import Client, ClientError
from app.demo import DAY, HIDDEN_HOURS, WEEK, DataSet, Scores, demo, load, score, show
from app.demo_service import DemoService, environment, free_port
from tests.unit.scripted_service import ScriptedService, job

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


def forecast_of(data: DataSet, values: list[float]) -> dict[str, Any]:
    quantiles = {"0.1": [v - 30 for v in values], "0.9": [v + 30 for v in values]}
    origin = data.known[-1][0] + "+00:00"
    stamps = [ds + "+00:00" for ds, _ in data.hidden]
    return {
        "series_id": "bikes",
        "status": "ok",
        "origin": origin,
        "ds": stamps,
        "yhat": values,
        "quantiles": quantiles,
    }


def script(service: ScriptedService, one: dict[str, Any]) -> None:
    report = {"series": 1, "rows": 17_112, "inserted": 17_112, "updated": 0, "rejected": []}
    service.on("POST", "/series/import", report)
    service.on("POST", "/train", job("queued"), status=202)
    service.on("GET", "/jobs/j1", job("succeeded", version=1))
    metrics = {"gate": {"mae": 50.0}, "season_naive": {"mae": 99.0}}
    service.on("GET", "/models/bikes/versions/1", {"version": 1, "metrics": metrics})
    service.on("POST", "/forecast", {"model": "bikes", "version": 1, "forecasts": [one]})


def test_the_data_is_hourly_without_gaps_and_three_days_of_it_are_hidden(data: DataSet) -> None:
    stamps = [datetime.fromisoformat(ds) for ds, _ in data.known + data.hidden]
    assert {b - a for a, b in pairwise(stamps)} == {timedelta(hours=1)}
    assert len(data.hidden) == HIDDEN_HOURS == 72
    assert stamps[0] == datetime(2011, 1, 1)
    assert [y for _, y in data.known[:3]] == [16.0, 40.0, 32.0]


def test_nothing_hidden_reaches_the_service(data: DataSet) -> None:
    table = data.csv().decode()
    assert table.startswith("unique_id,ds,y\nbikes,2011-01-01T00:00:00,16\n")
    assert "2012-12-13T23:00:00" in table
    assert "2012-12-14" not in table
    assert table.count("\n") == len(data.known) + 1


def test_season_naive_repeats_the_same_hour_of_the_day_and_of_the_week_before(data: DataSet) -> None:
    known = dict(data.known)
    for season in (DAY, WEEK):
        for (ds, _), value in zip(data.hidden[:DAY], data.naive(season), strict=False):
            before = datetime.fromisoformat(ds) - timedelta(hours=season)
            assert value == known[before.isoformat()]
    assert data.naive(DAY)[DAY:] == data.naive(DAY)[:DAY] * 2


def test_scores_are_mean_absolute_errors(data: DataSet) -> None:
    scores = score(data, forecast_of(data, [y + 10 for y in data.truth]))
    assert scores.forecast == pytest.approx(10)
    assert scores.inside == 1
    assert scores.naive_week == pytest.approx(33.889, abs=1e-3)
    assert scores.naive_day == pytest.approx(95.972, abs=1e-3)


@pytest.mark.parametrize(("day", "week", "beaten"), [(9, 9, False), (9, 11, False), (11, 9, False), (11, 11, True)])
def test_both_season_naive_forecasts_must_be_beaten(day: float, week: float, beaten: bool) -> None:
    assert Scores(forecast=10, naive_day=day, naive_week=week, inside=0.8).beaten is beaten


@pytest.mark.parametrize(("error", "verdict"), [(10, "Gatecast beat"), (200, "Gatecast did not beat")])
def test_the_demo_prints_the_forecast_beside_the_truth_and_says_who_won(
    service: ScriptedService, data: DataSet, error: float, verdict: str
) -> None:
    script(service, forecast_of(data, [y + error for y in data.truth]))
    told = io.StringIO()
    with Client(service.url) as client:
        show(client, data, Console(file=told, width=100))
    text = told.getvalue()
    for part in ("2012-12-14 12:00", "80 % interval", "• what happened", "season-naive", verdict, "50.0", "99.0"):
        assert part in text
    assert "\x1b" not in text
    train = next(asked for asked in service.asked if asked.path == "/train")
    assert train.json == {"model": "bikes", "series": {"ids": ["bikes"]}, "horizon": HIDDEN_HOURS}


def test_a_series_that_is_refused_ends_the_demo_with_the_reason(service: ScriptedService, data: DataSet) -> None:
    script(service, {"series_id": "bikes", "status": "error", "error": {"code": "no_history", "detail": "no y"}})
    with Client(service.url) as client, pytest.raises(ClientError, match="no y"):
        show(client, data, Console(file=io.StringIO()))


def test_settings_of_a_real_deployment_do_not_reach_the_demo(tmp_path: Path) -> None:
    given = {"PATH": "/bin", "GATECAST_DATABASE_URL": "postgresql://real", "GATECAST_AUTH": "on"}
    made = environment(given, tmp_path, 8001)
    assert made == {
        "PATH": "/bin",
        "GATECAST_DATA_DIR": str(tmp_path),
        "GATECAST_HOST": "127.0.0.1",
        "GATECAST_PORT": "8001",
    }


def test_another_port_is_taken_where_the_usual_one_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        usual = taken.getsockname()[1]
        monkeypatch.setattr(demo_service, "USUAL_PORT", usual)
        assert free_port() not in (0, usual)
    assert free_port() == usual


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
        "import pathlib, sys, time; from app import demo_service; demo_service.USUAL_PORT = 0\n"
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
