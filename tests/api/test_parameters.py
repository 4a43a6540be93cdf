from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.parameters import drop_nulls

pytestmark = pytest.mark.one_database


def drop(schema: dict[str, Any]) -> dict[str, Any]:
    document = {"paths": {"/a": {"get": {"parameters": [{"name": "one", "in": "query", "schema": schema}]}}}}
    drop_nulls(document)
    return schema


def test_a_parameter_with_one_type_has_it_at_once() -> None:
    before = {"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}], "title": "One"}
    assert drop(before) == {"type": "string", "maxLength": 9, "title": "One"}


def test_a_parameter_with_two_types_keeps_both() -> None:
    before = {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}
    assert drop(before) == {"anyOf": [{"type": "string"}, {"type": "integer"}]}


def test_a_parameter_without_null_stays() -> None:
    assert drop({"type": "integer", "minimum": 1}) == {"type": "integer", "minimum": 1}


def test_no_parameter_of_the_document_is_null(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    parameters = [
        (path, parameter)
        for path, item in document["paths"].items()
        for operation in item.values()
        for parameter in operation.get("parameters", ())
    ]
    assert len(parameters) > 100
    assert [(path, one["name"]) for path, one in parameters if {"type": "null"} in one["schema"].get("anyOf", ())] == []
