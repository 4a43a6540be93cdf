"""/forecast/chart over HTTP: pictures of real forecasts, and what cannot be drawn says why."""

import struct
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app
from app.serving.charts.drawer import UNDER_WAY
from app.storage.engine import Database
from tests.services.stored import hours, numbers, store
from tests.trained import HORIZON, Trained, publish, values

SVG = "{http://www.w3.org/2000/svg}"
ODD = "Müll/<b> a+b & c"
pytestmark = pytest.mark.one_database


@pytest.fixture
def served(client: TestClient, database: Database, settings: Settings, trained: Trained) -> TestClient:
    publish(database, settings, trained)
    client.post("/series", json={"id": "a", "freq": "h", "timezone": "Europe/Berlin", "unit": "kWh"})
    y = values()
    y[-5] = np.nan
    client.post("/series/a/observations", json={"ds": hours(0, 400), "y": numbers(y)})
    return client


def chart(client: TestClient, *series: str, headers: dict[str, str] | None = None, **more: Any) -> Any:
    params = {"model": "m", "series": list(series or ("a",)), **more}
    return client.get("/forecast/chart", params=params, headers=headers)


def texts(svg: bytes) -> list[str]:
    return ["".join(one.itertext()) for one in ET.fromstring(svg).iter(f"{SVG}text")]


def parts(svg: bytes) -> set[str]:
    return {one.get("id", "") for one in ET.fromstring(svg).iter(f"{SVG}g")}


def group(svg: bytes, name: str) -> ET.Element:
    return next(one for one in ET.fromstring(svg).iter(f"{SVG}g") if one.get("id") == name)


def points(svg: bytes, name: str) -> int:
    """Return how many points the lines of a group have."""
    paths = [one.get("d") or "" for one in group(svg, name).iter(f"{SVG}path")]
    return sum(one.count("L") + one.count("M") for one in paths)


def marks(svg: bytes, name: str) -> int:
    """Return how many marks a group has."""
    return len(list(group(svg, name).iter(f"{SVG}use")))


def test_history_median_interval_title_and_unit(served: TestClient) -> None:
    response = chart(served, history=30)
    assert (response.status_code, response.headers["content-type"]) == (200, "image/svg+xml")
    svg = response.content
    assert {"history-0", "median-0", "interval-80-0", "origin-0"} <= parts(svg)
    assert {"a", "kWh", f"m@1 · {HORIZON} steps", "Observed", "Median", "80 % interval", "Origin"} <= set(texts(svg))
    assert any("Europe/Berlin" in text for text in texts(svg))
    assert points(svg, "history-0") == 29  # one of thirty is missing
    assert points(svg, "median-0") == HORIZON + 1  # from the origin on
    assert "draw;dur=" in response.headers["server-timing"]
    assert "model;dur=" in response.headers["server-timing"]
    assert response.headers["cache-control"] == "private, no-cache"


def test_by_default_two_seasons_or_three_horizons_are_shown(served: TestClient) -> None:
    assert points(chart(served).content, "history-0") == 48 - 1
    everything = chart(served, history=400).content
    assert points(everything, "history-0") > 300  # points that would lie on others are left out
    assert chart(served, history=5000).content == everything


def test_png_has_the_size_that_is_asked_for(served: TestClient) -> None:
    response = chart(served, format="png", width=700, height=333)
    assert response.headers["content-type"] == "image/png"
    assert response.content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", response.content[16:24]) == (700, 333)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("image/png", "image/png"),
        ("image/svg+xml", "image/svg+xml"),
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "image/svg+xml"),
        ("image/png;q=0.9, image/svg+xml;q=0.2", "image/png"),
        ("image/*, image/svg+xml;q=0", "image/png"),
        ("*/*", "image/svg+xml"),
        ("text/html, IMAGE/PNG ; Q=0.1", "image/png"),
    ],
)
def test_accept_chooses(served: TestClient, accept: str, kind: str) -> None:
    response = chart(served, headers={"Accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (200, kind)
    assert "Accept" in response.headers["vary"].split(", ")


def test_what_is_not_offered_is_refused_and_format_counts_more(served: TestClient) -> None:
    for accept in ("application/json", "image/webp", "image/svg+xml;q=0, image/png;q=x"):
        response = chart(served, headers={"Accept": accept})
        assert (response.status_code, response.json()["code"]) == (406, "not_acceptable")
    assert chart(served, format="png", headers={"Accept": "application/json"}).status_code == 200


def test_dark_differs_and_equal_charts_have_equal_bytes(served: TestClient) -> None:
    light = chart(served).content
    assert chart(served).content == light
    assert chart(served, theme="light").content == light
    dark = chart(served, theme="dark").content
    assert dark != light
    assert b"#10161d" in dark
    assert b"#10161d" not in light
    assert chart(served, format="png").content == chart(served, format="png").content


def test_304_until_something_that_is_drawn_changes(served: TestClient) -> None:
    tag = chart(served).headers["etag"]
    for known in (tag, f'"other", {tag}', "*"):
        again = chart(served, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert "draw" not in again.headers["server-timing"]
    assert chart(served, theme="dark", headers={"If-None-Match": tag}).status_code == 200
    served.put("/series/a", json={"freq": "h", "timezone": "Europe/Berlin", "unit": "MWh"})
    changed = chart(served, headers={"If-None-Match": tag})
    assert (changed.status_code, "MWh" in texts(changed.content)) == (200, True)
    served.post("/series/a/observations", json={"ds": hours(400, 401), "y": [25.0]})
    assert chart(served, headers={"If-None-Match": changed.headers["etag"]}).status_code == 200


def test_many_series_have_a_panel_each_and_one_without_a_forecast_says_why(served: TestClient) -> None:
    store(served, "b", values(seed=1))
    served.post("/series", json={"id": "daily", "freq": "D"})
    served.post("/series/daily/observations", json={"ds": ["2024-01-01T00:00:00Z"], "y": [1.0]})
    svg = chart(served, "b", "daily", "a", "none", title="Stations").content
    assert {"median-0", "median-2", "history-1", "note-1", "note-3"} <= parts(svg)
    assert not {"median-1", "median-3", "history-3"} & parts(svg)
    found = " ".join(texts(svg))
    assert all(text in texts(svg) for text in ("Stations", "a", "b", "daily", "none"))
    assert "the series has frequency 'D', the model 'h'" in found
    assert "there is no series 'none'" in found


def test_where_no_series_has_a_forecast_the_answer_is_the_problem(served: TestClient) -> None:
    problem = chart(served, "none", "nobody").json()
    assert (problem["status"], problem["code"], len(problem["errors"])) == (404, "series_not_found", 2)
    served.post("/series", json={"id": "empty", "freq": "h"})
    problem = chart(served, "empty").json()
    assert (problem["status"], problem["code"]) == (422, "no_history")
    floor = chart(served, "empty", "a", on_missing="season_naive")
    assert floor.status_code == 200


def test_an_earlier_origin_shows_what_came_after_it(served: TestClient) -> None:
    assert "later-0" not in parts(chart(served).content)
    svg = chart(served, origin=hours(299, 300)[0], history=20).content
    assert marks(svg, "later-0") == HORIZON
    assert points(svg, "history-0") == 20
    assert "Observed after the origin" in texts(svg)


def test_quantiles_become_intervals_and_lines(served: TestClient) -> None:
    svg = chart(served, quantiles="0.1,0.2,0.8,0.7").content
    assert {"interval-60-0", "quantile-0.1-0", "quantile-0.7-0", "median-0"} <= parts(svg)
    assert "interval-80-0" not in parts(svg)
    assert "quantiles 0.1, 0.7" in texts(svg)


def test_odd_names_are_text(served: TestClient) -> None:
    served.post("/series", json={"id": ODD, "freq": "h", "unit": "$m^3$\x07<&"})
    body = {"ds": hours(0, 60), "y": numbers(values(60))}
    assert served.post(f"/series/{ODD.replace('/', '%2F')}/observations", json=body).status_code == 200
    svg = chart(served, ODD, title="</text><script>x</script>$\\frac$\n日本").content
    assert b"<script" not in svg
    assert {"</text><script>x</script>$\\frac$ 日本", "$m^3$ <&"} <= set(texts(svg))
    assert ODD in texts(chart(served, ODD).content)
    assert chart(served, ODD, format="png").content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"model": "none"}, 404, "model_not_found"),
        ({"series": [f"s{i}" for i in range(13)]}, 422, "invalid_input"),
        ({"series": []}, 422, "invalid_input"),
        ({"series": ["x" * 201]}, 422, "invalid_input"),
        ({"horizon": 0}, 422, "invalid_input"),
        ({"horizon": HORIZON + 1}, 422, "horizon_too_long"),
        ({"quantiles": "a"}, 422, "invalid_input"),
        ({"quantiles": "0.5,1"}, 422, "invalid_input"),
        ({"quantiles": "0.01"}, 422, "quantile_out_of_range"),
        ({"history": 0}, 422, "invalid_input"),
        ({"history": 5001}, 422, "invalid_input"),
        ({"theme": "pink"}, 422, "invalid_input"),
        ({"width": 319}, 422, "invalid_input"),
        ({"width": 100_000}, 422, "invalid_input"),
        ({"height": 100_000}, 422, "invalid_input"),
        ({"format": "gif"}, 422, "invalid_input"),
        ({"title": "x" * 201}, 422, "invalid_input"),
        ({"origin": "yesterday"}, 422, "invalid_timestamp"),
        ({"on_missing": "guess"}, 422, "invalid_input"),
        ({"colour": "red"}, 422, "invalid_input"),
    ],
)
def test_bad_queries(served: TestClient, more: dict[str, Any], status: int, code: str) -> None:
    response = served.get("/forecast/chart", params={"model": "m", "series": "a", **more})
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"]


def test_a_crowd_is_turned_away_and_a_slow_chart_is_given_up(served: TestClient, settings: Settings) -> None:
    hasty = Settings(**{**settings.model_dump(exclude={"on_loopback"}), "chart_seconds": 1e-6})
    with TestClient(create_app(hasty)) as other:
        slow = chart(other)
        assert (slow.status_code, slow.json()["code"]) == (503, "chart_unavailable")
        assert int(slow.headers["retry-after"]) > 0
        places = other.app.state.services.charts._drawer.process.slots  # type: ignore[attr-defined]
        for _ in range(UNDER_WAY):
            assert places.acquire(blocking=False)
        assert "try again" in chart(other).json()["detail"]
        assert other.post("/forecast", json={"model": "m", "series": ["a"]}).status_code == 200


def test_a_page_asks_for_all_of_its_charts_at_once(served: TestClient) -> None:
    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda history: chart(served, history=history), range(20, 32)))
    assert [one.status_code for one in found] == [200] * 12
    assert [points(one.content, "history-0") for one in found] == [history - 1 for history in range(20, 32)]


def test_the_built_in_model_is_drawn_before_anything_is_trained(client: TestClient) -> None:
    store(client, "a", values())
    response = chart(client, "none", "a", model="auto", history=100)
    assert response.status_code == 200, response.text
    assert "auto@1 · 24 steps" in texts(response.content)
    assert points(response.content, "history-1") == 100
