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
from types import TracebackType
from typing import Any, Self

import pytest
from rich.console import Console

from app.cli import demo as demo_module
from app.cli import demo_service
from app.cli.demo import DAY, HIDDEN_HOURS, WEEK, DataSet, DemoForecast, Scores, build_verdict, demo, load, score, show
from app.cli.demo_service import DemoService, build_environment, find_free_port
from gatecast_client.client import Client, ClientError
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
    return [forecast_of([ds for ds, _ in day], [y + error for _, y in day]) for day in data.days]


def forecast_of(stamps: list[str], values: list[float]) -> dict[str, Any]:
    quantiles = {"0.1": [v - 30 for v in values], "0.9": [v + 30 for v in values]}
    ds = [f"{stamp}+00:00" for stamp in stamps]
    return {"series_id": "bikes", "status": "ok", "ds": ds, "yhat": values, "quantiles": quantiles}


def script(service: ScriptedService, days: list[dict[str, Any]]) -> None:
    report = {"series": 1, "rows": 17_472, "inserted": 17_472, "updated": 0, "rejected": []}
    service.on("POST", "/series/import", report)
    service.on("POST", "/train", job("queued"), status=202)
    service.on("GET", "/jobs/j1", job("succeeded", version=1))
    metrics = {"gate": {"mae": 50.0}, "season_naive": {"mae": 99.0}}
    service.on("GET", "/models/bikes/versions/1", {"version": 1, "metrics": metrics})
    service.on("POST", "/forecast", *({"model": "bikes", "version": 1, "forecasts": [one]} for one in days))
    service.on("POST", OBSERVATIONS, {"inserted": 24, "updated": 0, "version": 2})


def shown(service: ScriptedService, data: DataSet) -> str:
    """Run the demo's story against a scripted service, and return what it prints."""
    told = io.StringIO()
    with Client(service.url) as client:
        show(client, data, Console(file=told, width=100))
    return told.getvalue()


def test_the_data_is_hourly_without_gaps_and_three_days_of_it_are_hidden(data: DataSet) -> None:
    stamps = [datetime.fromisoformat(ds) for ds, _ in data.known + data.hidden]
    assert {b - a for a, b in pairwise(stamps)} == {timedelta(hours=1)}
    assert len(data.hidden) == HIDDEN_HOURS == 72
    assert stamps[0] == datetime(2011, 1, 1)
    assert stamps[-1] == datetime(2012, 12, 31, 23)
    assert [[ds for ds, _ in day][:: DAY - 1] for day in data.days] == [
        [f"2012-12-{day}T00:00:00", f"2012-12-{day}T23:00:00"] for day in (29, 30, 31)
    ]
    assert [y for _, y in data.known[:3]] == [16.0, 40.0, 32.0]


def test_nothing_hidden_reaches_the_service(data: DataSet) -> None:
    table = data.csv().decode()
    assert table.startswith("unique_id,ds,y\nbikes,2011-01-01T00:00:00,16\n")
    assert "2012-12-28T23:00:00" in table
    assert "2012-12-29" not in table
    assert table.count("\n") == len(data.known) + 1


def test_season_naive_repeats_what_is_known_when_the_day_begins(data: DataSet) -> None:
    values = dict(data.known + data.hidden)
    for season in (DAY, WEEK):
        naive = data.naive(season)
        assert len(naive) == HIDDEN_HOURS
        for (ds, _), value in zip(data.hidden, naive, strict=True):
            before = datetime.fromisoformat(ds) - timedelta(hours=season)
            assert before.date() < datetime.fromisoformat(ds).date()
            assert value == values[before.isoformat()]
    assert data.naive(DAY)[DAY:] == data.truth[:-DAY]


def test_scores_are_mean_absolute_errors(data: DataSet) -> None:
    stamps, y = [ds for ds, _ in data.hidden], data.truth
    off = [v + 10 for v in y]
    scores = score(data, DemoForecast(stamps, off, lower=y[:36] + [v + 1 for v in y[36:]], upper=off))
    assert scores.forecast == pytest.approx(10)
    assert scores.inside == 0.5
    assert scores.naive_week == pytest.approx(39.764, abs=1e-3)
    assert scores.naive_day == pytest.approx(48.222, abs=1e-3)


@pytest.mark.parametrize(
    ("day", "week", "beaten", "told"),
    [
        (11, 11, True, "beat the day before and the week before"),
        (11, 9, True, "beat the day before, but did not beat the week before"),
        (9, 11, False, "beat the week before, but did not beat the day before"),
        (10, 10, False, "did not beat the day before or the week before"),
    ],
)
def test_the_day_before_must_be_beaten_and_each_comparison_is_told(
    day: float, week: float, beaten: bool, told: str
) -> None:
    scores = Scores(forecast=10, naive_day=day, naive_week=week, inside=0.8)
    assert scores.beaten is beaten
    table = build_verdict(scores)
    assert table.caption == f"Gatecast {told}"
    assert {f"{day}.0", f"{week}.0"} <= set(table.columns[1].cells)


def test_each_day_is_forecast_before_its_hours_arrive(service: ScriptedService, data: DataSet) -> None:
    script(service, forecasts_of(data, 10))
    shown(service, data)
    (train,) = [asked for asked in service.asked if asked.path == "/train"]
    assert train.json == {"model": "bikes", "series": {"ids": ["bikes"]}, "horizon": DAY}
    lived = [asked for asked in service.asked if asked.path in {"/forecast", OBSERVATIONS}]
    assert [asked.path for asked in lived] == ["/forecast", OBSERVATIONS] * 3
    assert {asked.json["model"] for asked in lived[::2]} == {"bikes@1"}
    arrived = [list(zip(asked.json["ds"], asked.json["y"], strict=True)) for asked in lived[1::2]]
    assert arrived == data.days


@pytest.mark.parametrize(("error", "winner"), [(10, "Gatecast beat"), (200, "Gatecast did not beat")])
def test_the_demo_prints_the_forecast_beside_the_truth_and_says_who_won(
    service: ScriptedService, data: DataSet, error: float, winner: str
) -> None:
    script(service, forecasts_of(data, error))
    text = shown(service, data)
    for part in ("80 % interval", "• what happened", "season-naive", winner, "50.0", "99.0"):
        assert part in text
    for name in ("Saturday 29", "Sunday 30", "Monday 31"):
        assert f"{name} December: forecast, then its 24 hours arrive; off by {error:.1f} on average" in text
    for (ds, _), y in zip(data.hidden[::6], data.truth[::6], strict=True):
        (row,) = [line for line in text.splitlines() if ds[:16].replace("T", " ") in line]
        assert [cell.strip() for cell in row.split("│")[2:5:2]] == [f"{y + error:.0f}", f"{y:.0f}"]
    assert "\x1b" not in text


@pytest.mark.parametrize(("error", "status"), [(40, 0), (49, 1)])
def test_the_exit_status_says_whether_the_day_before_was_beaten(
    service: ScriptedService, data: DataSet, monkeypatch: pytest.MonkeyPatch, error: float, status: int
) -> None:
    script(service, forecasts_of(data, error))
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
    given = {"PATH": "/bin", "GATECAST_DATABASE_URL": "postgresql://real", "GATECAST_AUTH": "on"}
    made = build_environment(given, tmp_path, 8001)
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
