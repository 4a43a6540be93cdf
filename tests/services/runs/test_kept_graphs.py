"""The graph of a configuration is traced once; losing what is kept loses nothing."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.storage.engine import Database
from tests.services.stored import QUICK, run, store
from tests.trained import HORIZON, values

pytestmark = [pytest.mark.one_database, pytest.mark.training]
NETWORK = {**QUICK["network"], "basis": False}


def train(client: TestClient, database: Database, settings: Settings, **training: int) -> list[float]:
    """Train with a seed and a number of steps, and return the forecast."""
    body = {"model": "m", "series": {"ids": ["a"]}, "horizon": HORIZON, "promote": "always", "network": NETWORK}
    options = {**QUICK["training"], **training}
    job = run(client, database, settings, client.post("/train", json={**body, "training": options}))
    assert (job["status"], job["error"]) == ("succeeded", None)
    told = client.post("/forecast", json={"model": f"m@{job['version']}", "series": ["a"]}).json()
    forecast: list[float] = told["forecasts"][0]["yhat"]
    return forecast


@pytest.mark.slow
def test_another_training_of_a_configuration_puts_its_weights_into_the_kept_graph(
    client: TestClient, database: Database, settings: Settings, tmp_path: Path
) -> None:
    settings = settings.model_copy(update={"cache_dir": tmp_path / "cache"})
    store(client, "a", values())
    first = train(client, database, settings)
    (kept,) = settings.graphs.iterdir()
    content = kept.read_bytes()
    other = train(client, database, settings, seed=1, epochs=2)
    assert [path.name for path in settings.graphs.iterdir()] == [kept.name]
    assert kept.read_bytes() == content
    assert max(abs(a - b) for a, b in zip(first, other, strict=True)) > 0.01, "the weights are its own"

    kept.write_bytes(content[:100])  # the disk was full, say
    assert train(client, database, settings) == pytest.approx(first, rel=1e-12)
    assert kept.read_bytes() == content, "it was traced again"


@pytest.mark.slow
def test_without_a_folder_to_keep_graphs_in_training_goes_on(
    client: TestClient, database: Database, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    settings = settings.model_copy(update={"cache_dir": tmp_path / "file"})
    store(client, "a", values())
    assert len(train(client, database, settings)) == HORIZON
