"""Finding series, their newest values and their labels over HTTP."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.services.stored import store


def make(client: TestClient, series_id: str, **fields: Any) -> None:
    response = client.post("/series", json={"id": series_id, "freq": "h", **fields})
    assert response.status_code == 201, response.text


def find(client: TestClient, query: str) -> list[str]:
    answer = client.get(f"/series?{query}")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


@pytest.fixture
def shelf(client: TestClient) -> TestClient:
    make(client, "Bikes/North", labels={"city": "Köln"}, description="100% of the docks")
    make(client, "bikes/south", labels={"city": "Bonn", "size_m": "7"})
    make(client, "trams", labels={"Line": "ÄÖ"}, description="Counted BY hand")
    return client


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("BIKES", ["Bikes/North", "bikes/south"]),
        ("by HAND", ["trams"]),
        ("line", ["trams"]),
        ("äö", ["trams"]),
        ("KÖLN", ["Bikes/North"]),
        ("city:bonn", ["bikes/south"]),
        ("%25", ["Bikes/North"]),
        ("_", ["bikes/south"]),
        ("s_u", []),
        ("/", ["Bikes/North", "bikes/south"]),
        ("\\", []),
        ('":"', []),
    ],
)
def test_a_text_is_looked_for_in_ids_descriptions_and_labels(shelf: TestClient, q: str, found: list[str]) -> None:
    assert find(shelf, f"q={q}") == found


def test_a_search_combines_with_the_other_filters_and_pages(shelf: TestClient) -> None:
    assert find(shelf, "q=bikes&prefix=bikes") == ["bikes/south"]
    assert find(shelf, "q=bikes&label=city:Köln") == ["Bikes/North"]
    first = shelf.get("/series?q=s&limit=2").json()
    assert [item["id"] for item in first["items"]] == ["Bikes/North", "bikes/south"]
    assert find(shelf, f"q=s&limit=2&cursor={first['next_cursor']}") == ["trams"]


@pytest.mark.one_database
@pytest.mark.parametrize(
    "query", [f"q={'x' * 201}", "q=%00", "recent=0", "recent=201", "recent=x", "q=a&q=b", "like=a"]
)
def test_what_cannot_be_looked_for_is_refused(client: TestClient, query: str) -> None:
    refused = client.get(f"/series?{query}")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")


def test_the_newest_values_come_with_each_series_of_a_page(client: TestClient) -> None:
    store(client, "a", [1.0, 2.0, float("nan"), 4.0, float("nan")], "Europe/Berlin")
    store(client, "b", [5.5])
    make(client, "c")
    items = client.get("/series?recent=2").json()["items"]
    assert [item["recent"] for item in items] == [
        {"ds": ["2024-01-01T02:00:00+01:00", "2024-01-01T04:00:00+01:00"], "y": [2.0, 4.0]},
        {"ds": ["2024-01-01T00:00:00+00:00"], "y": [5.5]},
        {"ds": [], "y": []},
    ]
    assert client.get("/series").json()["items"] == [
        {name: value for name, value in item.items() if name != "recent"} for item in items
    ]
    table = client.get("/series?recent=1&prefix=b&format=csv").text.splitlines()
    assert table[0].endswith(",count,recent")
    assert table[1].endswith(',1,"{""ds"":[""2024-01-01T00:00:00+00:00""],""y"":[5.5]}"')


def test_labels_are_counted_and_page_by_key_and_value(shelf: TestClient) -> None:
    make(shelf, "ferries", labels={"city": "Bonn", "Line": "a"})
    everything = shelf.get("/labels").json()
    assert everything == {
        "items": [
            {"key": "Line", "value": "a", "series": 1},
            {"key": "Line", "value": "ÄÖ", "series": 1},
            {"key": "city", "value": "Bonn", "series": 2},
            {"key": "city", "value": "Köln", "series": 1},
            {"key": "size_m", "value": "7", "series": 1},
        ],
        "next_cursor": None,
    }
    pages = []
    cursor = ""
    while cursor is not None:
        page = shelf.get(f"/labels?limit=2{cursor and f'&cursor={cursor}'}").json()
        pages += [page["items"]]
        cursor = page["next_cursor"]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [item for page in pages for item in page] == everything["items"]
    assert [item["value"] for item in shelf.get("/labels?q=KÖ").json()["items"]] == ["Köln"]
    assert shelf.get("/labels?q=city:b").json()["items"] == [{"key": "city", "value": "Bonn", "series": 2}]
    assert shelf.get("/labels?q=_m&format=csv").text == 'key,value,series\n"size_m","7",1\n'
    assert shelf.get("/labels?cursor=x").json()["code"] == "invalid_cursor"
