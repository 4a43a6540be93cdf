import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.conformance_report import list_lines, read_report

DOCUMENT: dict[str, Any] = {"paths": {"/series": {"get": {}, "post": {}}, "/series/{series_id}": {"get": {}}}}


def scenario(*cases: tuple[str, str, int, str]) -> dict[str, Any]:
    recorder: dict[str, Any] = {"cases": {}, "interactions": {}, "checks": {}}
    for number, (method, path, status, outcome) in enumerate(cases):
        recorder["cases"][str(number)] = {"value": {"method": method, "path": path}, "is_transition_applied": False}
        recorder["interactions"][str(number)] = {"response": {"status_code": status}}
        recorder["checks"][str(number)] = [{"name": "status_code_conformance", "status": outcome}]
    return {"ScenarioFinished": {"phase": "fuzzing", "recorder": recorder}}


def write(path: Path, *events: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def test_cases_are_counted_by_operation_and_answer(tmp_path: Path) -> None:
    first = scenario(("GET", "/series", 200, "success"), ("GET", "/series", 422, "success"))
    second = scenario(("GET", "/series/{series_id}", 404, "success"), ("POST", "/series", 500, "failure"))
    report = read_report(write(tmp_path / "report", first, second, {"EngineFinished": {}}), DOCUMENT)
    assert (report.cases, report.failures, report.phases) == (4, 1, {"fuzzing": 4})
    assert report.unreached == ["POST /series", "GET /series/{series_id}"]
    assert report.examples == ["POST /series: status_code_conformance, 500"]
    tally = report.operations["GET /series"]
    assert (tally.cases, tally.succeeded, tally.refused, tally.missing) == (2, 1, 1, 0)
    assert next(line for line in list_lines(report) if line.startswith("GET /series ")).split()[2:] == [
        *("2", "50", "50", "0", "0")
    ]


def test_scenarios_that_were_skipped_count_nothing(tmp_path: Path) -> None:
    skipped = {"ScenarioFinished": {"phase": "examples", "recorder": {"label": "GET /series"}}}
    report = read_report(write(tmp_path / "report", skipped, {"EngineFinished": {}}), DOCUMENT)
    assert (report.cases, report.failures, report.errors) == (0, 0, [])


def test_a_run_that_did_not_end_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did not end"):
        read_report(write(tmp_path / "report", scenario(("GET", "/series", 200, "success"))), DOCUMENT)
