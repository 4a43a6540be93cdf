"""/covariates over HTTP."""

from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from app.storage.engine import Database
from app.storage.tables import CovariateValue

DAYS = [f"2024-01-{n:02d}T00:00:00+00:00" for n in range(1, 7)]
ODD_NAME = "air/temp (°C)"


def send(client: TestClient, series_id: str = "a", **covariates: list[Any]) -> Any:
    client.put(f"/series/{series_id}", json={"freq": "D"})
    days = DAYS[: len(next(iter(covariates.values())))]
    return client.post(f"/series/{series_id}/observations", json={"ds": days, "covariates": covariates})


def address(name: str) -> str:
    return "/covariates/" + quote(name, safe="")


def test_covariates_are_listed_with_their_kinds_and_values(client: TestClient) -> None:
    send(client, temp=[1, None, 3], sky=["wet", None, None])
    send(client, "b", temp=[5, 6, 7])
    page = client.get("/covariates", params={"limit": 1}).json()
    assert page["items"] == [{"name": "sky", "kind": "categorical", "values": 1}]
    rest = client.get("/covariates", params={"cursor": page["next_cursor"]}).json()
    assert rest == {"items": [{"name": "temp", "kind": "numeric", "values": 5}], "next_cursor": None}
    assert client.get("/covariates", params={"cursor": "x"}).json()["code"] == "invalid_cursor"


def test_a_name_may_hold_slashes(client: TestClient) -> None:
    send(client, **{ODD_NAME: [1.5]})
    assert client.get(address(ODD_NAME)).json() == {"name": ODD_NAME, "kind": "numeric", "values": 1}
    send(client, **{ODD_NAME: [None]})
    assert client.delete(address(ODD_NAME)).status_code == 204
    assert client.get(address(ODD_NAME)).json()["code"] == "covariate_not_found"


@pytest.mark.parametrize("way", ["null", "observations of the covariate", "all observations", "series"])
def test_a_kind_is_forgotten_once_its_values_are_gone(client: TestClient, way: str) -> None:
    send(client, temp=["1", "2", "-"], sky=["wet", "dry", "dry"])
    refused = client.delete("/covariates/temp")
    assert (refused.status_code, refused.json()["code"]) == (409, "covariate_in_use")
    assert "3 values, in 'a'; delete them first with DELETE" in refused.json()["detail"]
    if way == "null":
        send(client, temp=[None, None, None])
    elif way == "observations of the covariate":
        assert client.delete("/series/a/observations", params={"covariate": "temp"}).status_code == 204
        assert client.get("/series/a/observations").json()["covariates"] == {"sky": ["wet", "dry", "dry"]}
        assert client.get("/series/a").json()["count"] == 3
    else:
        client.delete("/series/a" if way == "series" else "/series/a/observations")
    assert client.get("/covariates/temp").json()["values"] == 0
    assert client.delete("/covariates/temp").status_code == 204
    assert client.delete("/covariates/temp").json()["code"] == "covariate_not_found"
    assert send(client, temp=[1, 2, 3]).status_code == 200
    assert client.get("/covariates/temp").json() == {"name": "temp", "kind": "numeric", "values": 3}


def test_missing_values_that_an_older_release_wrote_do_not_count(client: TestClient, database: Database) -> None:
    send(client, temp=["warm"])
    send(client, temp=[None])
    with database.write() as session:
        row = {"series_pk": 1, "covariate_pk": 1, "ts": 0, "value": None, "level": None}
        session.execute(insert(CovariateValue), [row])
    assert client.get("/covariates/temp").json()["values"] == 0
    assert client.put("/covariates/temp", json={"kind": "numeric"}).json()["kind"] == "numeric"
    assert client.delete("/covariates/temp").status_code == 204


def test_values_are_deleted_within_bounds(client: TestClient) -> None:
    send(client, temp=[0, 1, 2, 3], sky=["a", "b", "c", "d"])
    version = client.get("/series/a").json()["version"]
    bounds = {"start": DAYS[1], "end": DAYS[3], "covariate": ["temp", "sky"]}
    assert client.delete("/series/a/observations", params=bounds).status_code == 204
    left = client.get("/series/a/observations").json()["covariates"]
    assert left == {"temp": [0, None, None, 3], "sky": ["a", None, None, "d"]}
    assert client.get("/series/a").json()["version"] == version + 1
    unknown = client.delete("/series/a/observations", params={"covariate": "wind"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "covariate_not_found")


def test_a_kind_is_declared_before_the_values_come(client: TestClient) -> None:
    made = client.put("/covariates/shop", json={"kind": "categorical"})
    assert (made.status_code, made.json()) == (201, {"name": "shop", "kind": "categorical", "values": 0})
    assert client.put("/covariates/shop", json={"kind": "categorical"}).status_code == 200
    table = "unique_id,ds,y,shop\n" + "".join(f"a,{day},1,{i}\n" for i, day in enumerate(DAYS))
    headers = {"content-type": "text/csv"}
    assert client.post("/series/import", content=table, headers=headers).json()["covariates"] == [
        {"name": "shop", "kind": "categorical", "new": False, "values": 6}
    ]
    assert client.get("/series/a/observations").json()["covariates"] == {"shop": list("012345")}
    taken = client.put("/covariates/shop", json={"kind": "numeric"})
    assert (taken.status_code, taken.json()["code"]) == (409, "covariate_in_use")


@pytest.mark.parametrize("name", ["%00", "%20", "x" * 201])
@pytest.mark.one_database
def test_odd_names(client: TestClient, name: str) -> None:
    assert client.get(f"/covariates/{name}").status_code == 404
    assert client.delete(f"/covariates/{name}").status_code == 404
    assert client.put(f"/covariates/{name}", json={"kind": "numeric"}).status_code == 422


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unique_id", "send it under another name, such as 'unique_id_2'"),
        ("ds", "send it under another name, such as 'ds_2'"),
        (" y ", "'y': y is a column of its own in tables; send it under another name, such as 'y_2'"),
        ("__index_level_0__", "such as 'index_level_0_2'"),
        ("te\x07mp", "send it under a name without the others"),
    ],
)
@pytest.mark.one_database
def test_a_name_that_no_table_can_carry_is_refused(client: TestClient, name: str, said: str) -> None:
    client.put("/series/a", json={"freq": "D"})
    columns = {"ds": DAYS[:1], "y": [1], "covariates": {name: [2]}}
    field = f"covariates.{name.strip()}"
    ways = {
        f"body.{field}": client.post("/series/a/observations", json=columns),
        f"body.series.a.{field}": client.post("/observations", json={"series": {"a": columns}}),
        "path.name": client.put(address(name), json={"kind": "numeric"}),
    }
    for where, refused in ways.items():
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")
        assert said in refused.json()["detail"]
        assert [error["field"] for error in refused.json()["errors"]] == [where]
    assert client.get("/series/a").json()["count"] == 0
    assert client.get("/covariates").json()["items"] == []


@pytest.mark.one_database
def test_no_table_makes_such_a_covariate(client: TestClient) -> None:
    table = "unique_id,ds,y,c\n" + "".join(f"a,{day},1,2\n" for day in DAYS)
    headers = {"Content-Type": "text/csv"}
    for path in ("/series/import", "/observations"):
        for name in ("unique_id", "ds", "y", "__index_level_0__"):
            refused = client.post(path, params={"columns": f"c:{name}"}, content=table, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (422, "csv_malformed")
            assert f"the name {name!r}" in refused.json()["detail"]
    assert client.get("/covariates").json()["items"] == []
