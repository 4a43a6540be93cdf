"""A service of real processes for each test."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.processes import ONE_JOB, Service
from tests.trained import Trained, altered

N = 400


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    """Nothing is started yet; everything is ended afterwards."""
    service = Service(tmp_path, database_url, **ONE_JOB)
    yield service
    service.stop()


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> Trained:
    """Another version, which forecasts something else."""
    return altered(trained, tmp_path_factory.mktemp("other"))


def seasonal(n: int = N, seed: int = 0) -> list[float]:
    """Return hourly values with a daily season, a trend and noise."""
    t = np.arange(n)
    noise = np.random.default_rng(seed).normal(0, 0.5, n)
    return [round(float(v), 4) for v in 20 + 6 * np.sin(2 * np.pi * t / 24) + 0.01 * t + noise]


def stamps(n: int = N) -> list[str]:
    """Return hourly timestamps from 2024-01-01 on."""
    hours = np.datetime64("2024-01-01T00:00:00") + np.arange(n).astype("m8[h]")
    return [f"{t}+00:00" for t in np.datetime_as_string(hours, unit="s")]


def store(service: Service, series_id: str = "a", n: int = N) -> None:
    """Make a series with observations."""
    service.call("POST", "/series", {"id": series_id, "freq": "h"})
    service.call("POST", f"/series/{series_id}/observations", {"ds": stamps(n), "y": seasonal(n)})
