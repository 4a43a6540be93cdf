"""Seconds and minutes of the soak that `python -m tests.e2e.soak` runs for longer, on two processes."""

from pathlib import Path

import pytest

from tests.e2e.processes import Service
from tests.e2e.soak import SMALL, Soak
from tests.trained import Trained

LENGTHS = [6.0, pytest.param(90.0, marks=pytest.mark.slow)]


@pytest.mark.one_database
@pytest.mark.parametrize("seconds", LENGTHS)
def test_mixed_work_meets_no_wrong_answer(
    database_url: str, tmp_path: Path, trained: Trained, other: Trained, seconds: float
) -> None:
    service = Service(tmp_path, database_url, **SMALL)
    try:
        soak = Soak.started(service, {"trained": trained, "other": other}, processes=2)
        soak.run(seconds)
    finally:
        service.stop()
    assert soak.failures == []
    assert all(soak.said[what] for what in ("POST", "GET", "history", "origin", "appended", "rewritten", "promoted"))
