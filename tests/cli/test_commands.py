"""The commands import, train and forecast, against a real server that is scripted."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from app.cli import commands
from tests.scripted_service import ScriptedService, job, progress

OK = {
    "series_id": "a",
    "status": "ok",
    "origin": "2024-01-01T00:00:00+00:00",
    "ds": ["2024-01-02T00:00:00+00:00", "2024-01-03T00:00:00+00:00"],
    "yhat": [10.0, 11.5],
    "quantiles": {"0.1": [8.0, 9.0], "0.9": [12.0, 13.25]},
    "warnings": ["history is short"],
}
REFUSED = {"series_id": "b", "status": "error", "error": {"code": "no_history", "detail": "b has no observations"}}


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with ScriptedService() as running:
        yield running


def run(service: ScriptedService, *arguments: str) -> Result:
    app = typer.Typer()
    commands.register(app)
    return CliRunner().invoke(app, [*arguments, "--url", service.url], env={"COLUMNS": "200"})


def script_training(service: ScriptedService, *states: dict[str, Any], **version: Any) -> None:
    service.on("POST", "/train", job("queued"), status=202)
    service.on("GET", "/jobs/j1", *states)
    service.on("GET", "/models/m/versions/3", {"version": 3, "promoted": True, "reason": None, **version})


def test_import_tells_what_it_did_and_which_rows_were_refused(service: ScriptedService, tmp_path: Path) -> None:
    rejected = [{"row": 2, "code": "invalid_timestamp", "detail": "'x' is no timestamp"}]
    report = {"series": 1, "rows": 2, "inserted": 1, "updated": 0, "rejected": rejected}
    report["assumed"] = [{"series_id": "b", "freq": "D"}]
    service.on("POST", "/series/import", report)
    file = tmp_path / "table.csv"
    file.write_text("unique_id,ds,y\na,2024-01-01,1\na,x,2\n")
    options = ("--timezone", "Europe/Berlin", "--ambiguous", "infer", "--empty-y", "keep", "--on-error", "skip")
    result = run(service, "import", str(file), "--freq", "D", *options)
    assert result.exit_code == 0
    assert "imported 2 rows of 1 series: 1 new, 0 replaced, 1 rejected" in result.stdout
    assert "row 2: 'x' is no timestamp" in result.stderr
    assert "b has too few rows to show a frequency, and takes that of the others, D" in result.stderr
    assert service.asked[0].query == {
        "freq": ["D"],
        "timezone": ["Europe/Berlin"],
        "ambiguous": ["infer"],
        "empty_y": ["keep"],
        "on_error": ["skip"],
        "on_duplicate": ["error"],
        "dry_run": ["false"],
    }
    assert service.asked[0].body == file.read_bytes()


def test_train_watches_the_job_and_names_the_version(service: ScriptedService) -> None:
    states = [job("running", progress=progress(n, 2)) for n in (1, 2)]
    script_training(service, job("queued"), *states, job("succeeded", version=3))
    result = run(service, "train", "m", "--series", "a", "--horizon", "24", "--epochs", "2")
    assert result.exit_code == 0, result.output
    assert "m@3 is live" in result.stdout
    assert "waiting for a worker" in result.stderr
    assert "epoch 2 of 2 · loss 0.25, validation 0.3 · 12 s left" in result.stderr
    body = {"model": "m", "series": {"ids": ["a"]}, "horizon": 24, "training": {"epochs": 2}}
    assert service.asked[0].json == body


def test_train_searches_and_begins_from_a_version(service: ScriptedService) -> None:
    searching = progress(1, 2) | {"phase": "search", "trial": 3, "trials": 20}
    script_training(service, job("running", progress=searching), job("succeeded", version=3))
    result = run(service, "train", "m", "--all", "--horizon", "2", "--search", "20")
    assert "trial 3 of 20, epoch 1 of 2" in result.stderr
    assert service.asked[0].json["search"] == {"trials": 20}
    run(service, "train", "m", "--all", "--horizon", "2", "--warm-start", "other@4")
    body = next(asked.json for asked in reversed(service.asked) if asked.path == "/train")
    assert (body["warm_start"], "search" in body) == ("other@4", False)


def test_train_names_the_cleaning(service: ScriptedService) -> None:
    script_training(service, job("succeeded", version=3))
    options = ["--gaps", "season", "--outliers", "clip", "--aggregate", "W-MON:mean", "--max-filled", "0.1"]
    run(service, "train", "m", "--all", "--horizon", "2", *options)
    aggregate = {"freq": "W-MON", "by": "mean"}
    cleaning = {"gaps": "season", "outliers": "clip", "aggregate": aggregate, "max_filled": 0.1}
    assert service.asked[0].json["cleaning"] == cleaning


def test_train_says_why_a_version_is_not_live(service: ScriptedService) -> None:
    script_training(service, job("succeeded", version=3), promoted=False, reason="the champion is better")
    result = run(service, "train", "m", "--all", "--horizon", "2")
    assert "m@3 is not live: the champion is better" in result.stdout
    assert service.asked[0].json["series"] == "all"


@pytest.mark.parametrize("promoted", [True, False])
def test_refresh_names_the_revision_and_says_why(service: ScriptedService, promoted: bool) -> None:
    made = {"version": 3, "revision": 2, "promoted": promoted, "reason": "mae 1 against 2", "data_end": None}
    service.on("POST", "/models/m/refresh", job("queued", kind="refresh"), status=202)
    service.on("GET", "/jobs/j1", job("succeeded", kind="refresh", version=3, result=made))
    result = run(service, "refresh", "m")
    assert result.exit_code == 0, result.output
    assert f"m@3.2 {'is live' if promoted else 'is not live'}: mae 1 against 2" in result.stdout


def test_refresh_ends_with_the_job_s_own_reason(service: ScriptedService) -> None:
    service.on("POST", "/models/m/refresh", job("queued", kind="refresh"), status=202)
    error = {"code": "artifact_unavailable", "detail": "version 3 cannot be loaded"}
    service.on("GET", "/jobs/j1", job("failed", kind="refresh", error=error))
    result = run(service, "refresh", "m")
    assert (result.exit_code, "The refresh failed" in result.stderr) == (1, True)
    assert error["detail"] in result.stderr


def test_train_selects_by_labels(service: ScriptedService) -> None:
    script_training(service, job("succeeded", version=3))
    run(service, "train", "m", "--label", "city:Ulm", "--label", "kind:a:b", "--horizon", "2")
    assert service.asked[0].json["series"] == {"labels": {"city": "Ulm", "kind": "a:b"}}


@pytest.mark.parametrize(
    ("status", "error"),
    [("failed", {"code": "diverged", "detail": "the loss is not finite"}), ("cancelled", None)],
)
def test_train_ends_with_the_job_s_own_reason(
    service: ScriptedService, status: str, error: dict[str, str] | None
) -> None:
    script_training(service, job(status, error=error))
    result = run(service, "train", "m", "--all", "--horizon", "2")
    assert result.exit_code == 1
    assert f"The training {status}" in result.stderr
    assert (error or {"detail": "made no version"})["detail"] in result.stderr
    assert "GET /jobs/j1" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["train", "m", "--horizon", "2"], "say which series"),
        (["train", "m", "--horizon", "2", "--all", "--series", "a"], "say which series"),
        (["train", "m", "--horizon", "2", "--label", "city"], "key:value"),
        (["train", "m", "--horizon", "2", "--all", "--quantiles", "10,90"], "between 0 and 1"),
        (["forecast", "m"], "--series"),
    ],
)
def test_a_bad_command_is_refused_before_anything_is_sent(
    service: ScriptedService, arguments: list[str], complaint: str
) -> None:
    result = run(service, *arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not service.asked


def test_forecast_prints_a_table_with_the_levels_and_warnings(service: ScriptedService) -> None:
    service.on("POST", "/forecast", {"model": "m", "version": 3, "forecasts": [OK]})
    result = run(service, "forecast", "m", "--series", "a", "--quantiles", "0.1,0.9")
    assert result.exit_code == 0
    for told in ("a by m@3", "2024-01-03T00:00:00+00:00", "11.5", "13.25", "0.9", "history is short"):
        assert told in result.stdout
    assert service.asked[0].json["quantiles"] == [0.1, 0.9]


def test_forecast_as_json_is_the_answer_itself(service: ScriptedService) -> None:
    answer = {"model": "m", "version": 3, "forecasts": [OK]}
    service.on("POST", "/forecast", answer)
    assert json.loads(run(service, "forecast", "m", "--series", "a", "--json", "--point", "mean").stdout) == answer
    assert service.asked[0].json == {"model": "m", "series": ["a"], "point": "mean"}


def test_a_series_that_cannot_be_forecast_fails_the_command_and_keeps_the_others(service: ScriptedService) -> None:
    service.on("POST", "/forecast", {"model": "m", "version": 3, "forecasts": [OK, REFUSED]})
    result = run(service, "forecast", "m", "--series", "a", "--series", "b")
    assert result.exit_code == 1
    assert "11.5" in result.stdout
    assert "b: b has no observations" in result.stderr


def test_ids_are_shown_as_they_are_written(service: ScriptedService) -> None:
    service.on("POST", "/forecast", {"model": "m", "version": 3, "forecasts": [{**OK, "series_id": "[red]x[/]"}]})
    assert "[red]x[/]" in run(service, "forecast", "m", "--series", "[red]x[/]").stdout


def test_a_refusal_is_told_with_its_code_and_what_to_do(service: ScriptedService) -> None:
    service.problem("POST", "/forecast", 401, detail="send a key", code="unauthorized")
    result = run(service, "forecast", "m", "--series", "a")
    assert result.exit_code == 1
    assert "Refused: send a key (unauthorized)" in result.stderr
    assert "--key or GATECAST_KEY" in result.stderr
    assert "Traceback" not in result.output


def test_ctrl_c_leaves_the_training_running_and_says_how_to_end_it(service: ScriptedService) -> None:
    script_training(service, job("running", progress=progress(1, 9)))
    code = """
import signal, typer
from app.cli import commands

signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell runs in the background ignores it
app = typer.Typer()
commands.register(app)
app()
"""
    command = [sys.executable, "-c", code, "train", "m", "--all", "--horizon", "2", "--url", service.url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 30
        while not any(asked.path == "/jobs/j1" for asked in service.asked):
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the training goes on" in said
    assert "POST" in said
    assert "/jobs/j1/cancel" in said
    assert not any(asked.path.endswith("/cancel") for asked in service.asked)
