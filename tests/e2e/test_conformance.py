"""The API against its OpenAPI document, by Schemathesis, for a minute: `benchmarks.conformance` asks for longer."""

from pathlib import Path

import pytest

from benchmarks.conformance_report import read_report
from benchmarks.conformance_run import Budget, ask, serve

pytestmark = [pytest.mark.slow, pytest.mark.one_database]
SECONDS = 60
MANY = 1000
"""cases that a minute has on a loaded machine"""
NEVER: dict[str, str] = {}
"""operations that may go without a success, and why"""


def test_all_answers_are_as_the_document_says(tmp_path: Path) -> None:
    with serve(tmp_path) as (caller, seed):
        document = caller.call("GET", "/openapi.json")
        path, _ = ask(tmp_path, caller, seed, Budget(examples=3, seconds=SECONDS, seed=1))
    report = read_report(path, document)
    assert report.examples == []
    assert report.errors == []
    assert report.cases > MANY
    assert report.links > 0
    assert set(report.unreached) <= set(NEVER)
