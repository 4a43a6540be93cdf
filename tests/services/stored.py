"""Uploading hourly series of 2024 over HTTP, and running the trainings that were asked for."""

from typing import Any

import numpy as np
from fastapi.testclient import TestClient

from app.config import Settings
from app.services.runs.attempt import Attempt
from app.services.runs.dispatch import run as run_job
from app.storage import jobs
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database
from app.storage.jobs import Fence
from tests.trained import HORIZON, STATIC, beside, moved

QUICK: dict[str, Any] = {
    "network": {
        "context_length": 48,
        "segment": 12,
        "hidden": 8,
        "lookbacks": [],
        "ets": False,
        "anchor": 0.0,
        "linear": False,
        "smoothing": 0,
        "statistical": 0,
        "prophet": 0,
    },
    "training": {"epochs": 1, "steps_per_epoch": 10},
}
"""of a training that takes a second"""


def hours(first: int, last: int) -> list[str]:
    """Return the hours first..last-1 of 2024, in UTC."""
    start = np.datetime64("2024-01-01T00:00:00")
    return [f"{t}+00:00" for t in np.datetime_as_string(start + np.arange(first, last).astype("m8[h]"), unit="s")]


def numbers(y: Any) -> list[float | None]:
    """Return values as JSON, null where missing."""
    return [None if np.isnan(v) else float(v) for v in y]


def store(client: TestClient, series_id: str, y: Any, timezone: str = "UTC") -> None:
    """Make a series with the values `y` from the beginning of 2024 on."""
    client.post("/series", json={"id": series_id, "freq": "h", "timezone": timezone})
    body = {"ds": hours(0, len(y)), "y": numbers(y)}
    assert client.post(f"/series/{series_id}/observations", json=body).status_code == 200


def store_beside(client: TestClient, series_id: str, *, n: int = 400, known: int = HORIZON, seed: int = 0) -> None:
    """Make a series with n values, and covariates that reach `known` steps further, the past ones too."""
    client.post("/series", json={"id": series_id, "freq": "h", "static": STATIC["a" if seed == 0 else "b"]})
    columns = {name: values[: n + known] for name, values in beside(400 + HORIZON, seed).items()}
    y = [*numbers(moved(400, seed)[:n]), *([None] * known)]
    body = {"ds": hours(0, n + known), "y": y, "covariates": columns}
    assert client.post(f"/series/{series_id}/observations", json=body).status_code == 200


def claimed(database: Database, job: str) -> Fence:
    """Begin an attempt, as a worker does."""
    with database.write() as session:
        fence = jobs.claim(session, job)
    assert fence is not None
    return fence


def run(client: TestClient, database: Database, settings: Settings, response: Any) -> Any:
    """Run the job of an accepted training as the worker's child would, and return it as it ended."""
    assert response.status_code == 202, response.text
    return run_queued(client, database, settings, response.json()["id"])


def run_queued(client: TestClient, database: Database, settings: Settings, job: str) -> Any:
    """Run a queued job as the worker's child would, and return it as it ended."""
    run_job(Attempt(settings, database, ArtifactStore(settings.artifacts), claimed(database, job)))
    return client.get(f"/jobs/{job}").json()
