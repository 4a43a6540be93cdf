"""`point`: yhat as the median or the mean, by POST and GET, of new versions and of old ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.storage.engine import Database
from models.data.series import Panel
from models.export.export import export
from models.inference.means import compute_mean
from models.planning.defaults import default_config
from models.training.fit import fit
from tests.kept import GRAPHS, alone
from tests.services.stored import store
from tests.trained import HORIZON, LEVELS, Trained, publish, values

pytestmark = [pytest.mark.one_database, pytest.mark.training]


def counts(seed: int = 0) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return hourly counts, most of them zero."""
    return np.random.default_rng(seed).poisson(0.4, 400).astype(np.float64)


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A small version of counts, whose graph gives the mean."""
    panel = Panel.from_arrays({"a": counts()}, freq="h", start="2024-01-01")
    options: dict[str, Any] = {"network": {"hidden": 8}, "training": {"epochs": 2, "steps_per_epoch": 20}}
    fitted = fit(panel, default_config(panel, HORIZON, LEVELS, **options))
    folder = tmp_path_factory.mktemp("counting")
    with alone():
        export(fitted, folder, GRAPHS)
    return Trained(folder, fitted, panel)


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained, counting: Trained) -> Any:
    """The model `m` of an earlier release, whose graph gives quantiles alone, and `n` of counts."""
    publish(database, settings, trained)
    publish(database, settings, counting, "n")
    store(client, "a", values())
    store(client, "c", counts())
    return client


def post(client: TestClient, model: str, series: str, **more: object) -> Any:
    answer = client.post("/forecast", json={"model": model, "series": [series], **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["forecasts"][0]


def get(client: TestClient, model: str, series: str, **more: Any) -> Any:
    answer = client.get("/forecast", params={"model": model, "series": series, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["forecasts"][0]


def test_an_older_version_answers_with_the_mean_of_its_quantiles(served: TestClient) -> None:
    median, mean = (post(served, "m", "a", point=point) for point in ("median", "mean"))
    assert median["yhat"] == median["quantiles"]["0.5"]
    assert mean["quantiles"] == median["quantiles"]
    expected = compute_mean(list(map(np.array, median["quantiles"].values())), LEVELS)
    np.testing.assert_allclose(mean["yhat"], expected, rtol=1e-12)
    # whatever levels are asked for, the mean is that of all that were trained
    few = post(served, "m", "a", point="mean", quantiles=[0.5], horizon=5)
    assert few["yhat"] == mean["yhat"][:5]


def test_counts_have_whole_quantiles_and_a_mean_that_is_not(served: TestClient, counting: Trained) -> None:
    forecast = post(served, "n", "c", point="mean", quantiles=[0.1, 0.3, 0.5, 0.77, 0.9])
    assert all(value == round(value) for column in forecast["quantiles"].values() for value in column)
    assert forecast["quantiles"]["0.5"] == [0] * HORIZON
    assert 0.2 < np.mean(forecast["yhat"]) < 0.7, "0.4 a step were drawn"
    assert post(served, "n", "c")["yhat"] == [0] * HORIZON


@pytest.mark.parametrize(("model", "series"), [("m", "a"), ("n", "c")])
def test_get_says_the_same_and_answers_are_not_mixed_up(served: TestClient, model: str, series: str) -> None:
    for more in ({}, {"max_age": 60}):  # kept by state, and by request
        for _ in range(2):
            for point in ("median", "mean", None):
                asked = {} if point is None else {"point": point}
                assert get(served, model, series, **asked, **more) == post(served, model, series, **asked)
    tags = {
        served.get("/forecast", params={"model": model, "series": series, "point": point}).headers["etag"]
        for point in ("median", "mean")
    }
    assert len(tags) == 2


def test_tables_and_streams_have_it_too(served: TestClient) -> None:
    body = {"model": "n", "series": ["c"], "point": "mean"}
    mean = post(served, "n", "c", point="mean")["yhat"]
    lines = served.post("/forecast?format=csv", json=body).text.splitlines()[1:]
    assert [float(line.split(",")[2]) for line in lines] == mean
    many = served.post("/forecast", json={**body, "series": ["c"] * 100}).json()["forecasts"]
    assert all(forecast["yhat"] == mean for forecast in many)


@pytest.mark.parametrize("point", ["mode", "Mean", "", 1])
def test_an_unknown_point_is_refused(served: TestClient, point: object) -> None:
    refused = served.post("/forecast", json={"model": "m", "series": ["a"], "point": point})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "body.point")
    refused = served.get("/forecast", params={"model": "m", "series": "a", "point": str(point)})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "query.point")
    assert served.get("/forecast/chart", params={"model": "m", "series": "a", "point": str(point)}).status_code == 422


def test_the_point_of_a_floor_is_itself(
    client: TestClient, database: Database, settings: Settings, trained: Trained
) -> None:
    publish(database, settings, trained, promoted=False)
    store(client, "a", values())
    both = [post(client, "m", "a", on_missing="season_naive", point=point) for point in ("median", "mean")]
    assert both[0]["fallback"]
    assert both[0] == both[1]


def test_a_chart_and_its_link_draw_the_mean(served: TestClient) -> None:
    asked = {"model": "n", "series": "c"}
    tags = [served.get("/forecast/chart", params={**asked, **more}).headers["etag"] for more in ({}, {"point": "mean"})]
    assert tags[0] != tags[1]
    link = served.post("/forecast/chart", json={"model": "n", "series": ["c"], "point": "mean"}).json()["url"]
    assert "point=mean" in link
    assert served.get(link).headers["etag"] == tags[1]


def test_the_graph_s_mean_is_the_network_s(counting: Trained, tmp_path: Path) -> None:
    import torch

    from app.serving.runtime import load_version
    from models.data.windows import assemble, graph_inputs_of

    version = load_version(counting.digest, lambda name: (counting.folder / name).read_bytes())
    origins = np.array([100, 200, 399])
    inputs = graph_inputs_of(assemble([counting.panel.series[0]] * 3, origins, version.config), version.config)
    quantiles, mean = version.run_outputs(inputs)
    with torch.inference_mode():
        expected = counting.fitted.network.forecast(**{k: torch.from_numpy(v) for k, v in inputs.items()})
    np.testing.assert_array_equal(quantiles, expected.quantiles.numpy())
    np.testing.assert_allclose(mean, expected.mean.numpy(), atol=1e-5)
    assert not (quantiles % 1).any()
