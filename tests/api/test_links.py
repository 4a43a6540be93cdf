import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.links import THINGS

pytestmark = pytest.mark.one_database


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def links(document: dict[str, Any]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    return [
        (label, answer, link)
        for label, operation in operations(document).items()
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    ]


def test_each_link_names_an_operation_and_parameters_that_it_has(document: dict[str, Any]) -> None:
    named = {operation["operationId"]: operation for operation in operations(document).values()}
    for label, _, link in links(document):
        parameters = {one["name"]: one for one in named[link["operationId"]].get("parameters", [])}
        assert set(link["parameters"]) <= set(parameters), label
        in_path = {name for name, one in parameters.items() if one["in"] == "path"}
        assert in_path <= set(link["parameters"]), f"{label} says too little for {link['operationId']}"


def test_each_link_reads_what_its_answer_or_its_request_has(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for label, answer, link in links(document):
        for expression in link["parameters"].values():
            if expression.startswith("$request.path."):
                assert expression.removeprefix("$request.path.") in re.findall(r"{(\w+)}", label)
                continue
            first = expression.removeprefix("$response.body#/").partition("/")[0]
            schema = schemas[answer["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]
            assert first in schema["properties"], (label, expression)


def test_everything_that_is_named_in_a_path_is_reached_by_a_link(document: dict[str, Any]) -> None:
    reached = {link["operationId"] for _, _, link in links(document)}
    named = {label: one["operationId"] for label, one in operations(document).items() if "{" in label}
    assert {label for label, one in named.items() if one not in reached} == set()


def test_what_makes_a_thing_links_to_what_deletes_it(document: dict[str, Any]) -> None:
    deleting = {operation["operationId"] for label, operation in operations(document).items() if "DELETE" in label}
    for source in (
        "POST /series",
        "PUT /alerts/{name}",
        "PUT /ingest/rules/{name}",
        "POST /keys",
        "PUT /projects/{name}",
    ):
        answers = operations(document)[source]["responses"].values()
        assert any(deleting & set(answer.get("links", {})) for answer in answers), source
    assert {label for thing in THINGS for label, _ in thing.told} <= set(operations(document))
