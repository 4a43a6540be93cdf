"""The API against its OpenAPI document, by Schemathesis, for 90 seconds: `benchmarks.conformance` asks for longer."""

from pathlib import Path

import pytest

from benchmarks.conformance_report import read_report
from benchmarks.conformance_run import Budget, ask, serve

pytestmark = [pytest.mark.slow, pytest.mark.one_database]
SECONDS = 90
MANY = 1000
"""cases that so short a run has on a loaded machine"""
NEVER = {
    "DELETE /models/{name}/versions/{number}": "few versions may go, and a short run may name none of them",
}
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
