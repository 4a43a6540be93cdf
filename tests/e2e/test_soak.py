"""A minute and a half of the soak that `python -m tests.e2e.soak` runs for longer, on two processes."""

from pathlib import Path

import pytest

from tests.e2e.processes import Service
from tests.e2e.soak import SMALL, Soak
from tests.trained import Trained

SECONDS = 90.0


@pytest.mark.slow
@pytest.mark.one_database
def test_mixed_work_meets_no_wrong_answer(database_url: str, tmp_path: Path, trained: Trained, other: Trained) -> None:
    service = Service(tmp_path, database_url, **SMALL)
    try:
        soak = Soak.started(service, {"trained": trained, "other": other}, processes=2)
        soak.run(SECONDS)
    finally:
        service.stop()
    assert soak.failures == []
    assert all(soak.said[what] for what in ("POST", "GET", "history", "origin", "appended", "rewritten", "promoted"))
