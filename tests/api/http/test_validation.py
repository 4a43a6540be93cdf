"""Errors of validation name only what stands in the request, whatever is sent to whichever field."""

import copy
import json
import re
from collections.abc import Iterator
from inspect import isclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from pydantic import BaseModel

from app.config import Settings
from app.main import create_app

pytestmark = pytest.mark.one_database

JSON = {"content-type": "application/json"}
WRONG: tuple[Any, ...] = (None, True, -1, 1e300, "", "\ud800\x00", [], [[]], [True, {}], {}, {"": {"": []}}, [[{}] * 3])
INTERNAL = re.compile(
    r"function[-_(]|0x|tagged-union|union\[|literal\[|list\[|dict\[|chain|nullable|instance of|dictionary"
    r"|[A-Z]\w+In\b"
)
Path = tuple[str | int, ...]


def list_paths(annotation: Any) -> Iterator[Path]:
    """Yield where values stand in a body of a type, with one name or index for each object and list."""
    yield ()
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Annotated:
        yield from list_paths(arguments[0])
    elif origin in (Union, UnionType):
        for part in arguments:
            yield from list_paths(part)
    elif origin in (list, dict):
        step = 0 if origin is list else "k"
        yield from ((step, *path) for path in list_paths(arguments[-1]))
    elif isclass(annotation) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from ((name, *path) for path in list_paths(field.annotation))


def put(body: Any, path: Path, value: Any) -> Any:
    """Return a body with a value at a path."""
    if not path:
        return value
    step, *rest = path
    changed = copy.deepcopy(body)
    if isinstance(step, int):
        return [put(changed[0] if isinstance(changed, list) and changed else None, tuple(rest), value)]
    changed = changed if isinstance(changed, dict) else {}
    return {**changed, step: put(changed.get(step), tuple(rest), value)}


def stands(field: str, sent: Any) -> bool:
    """Say whether a field's path leads into what was sent, or to a name that is missing there."""
    _, *names = field.split(".")
    for at, name in enumerate(names):
        if isinstance(sent, dict) and name not in sent:
            return at == len(names) - 1
        if not isinstance(sent, dict | list):
            return False
        sent = sent[int(name)] if isinstance(sent, list) else sent[name]
    return True


def list_bodies(settings: Settings) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield method, path, type and example of every body."""
    for item in create_app(settings).operations:
        for method, operation in item.operations.items():
            if operation.body == "json":
                assert isinstance(operation.route, APIRoute)
                assert operation.route.body_field is not None
                annotation = operation.route.body_field.field_info.annotation
                models = [part for part in get_args(annotation) or (annotation,) if part is not type(None)]
                extra = models[0].model_config.get("json_schema_extra", {})
                yield method, re.sub(r"{[^}]+}", "x", item.template), models[0], extra.get("example", {})


def test_wrong_types_in_every_field(client: TestClient, settings: Settings) -> None:
    refused = 0
    for method, path, model, example in list_bodies(settings):
        for at in sorted(set(list_paths(model)), key=str):
            for wrong in WRONG:
                body = put(example, at, wrong)
                content = json.dumps(body).encode()
                response = client.request(method, path, content=content, headers=JSON)
                assert response.status_code < 500, (path, body, response.text)
                if response.status_code != 422 or response.json()["code"] != "invalid_input":
                    continue
                problem = response.json()
                words = problem["detail"] + "".join(error["detail"] for error in problem.get("errors", []))
                fields = [error["field"] for error in problem.get("errors", [])]
                assert not INTERNAL.search(words + " ".join(fields)), (path, body, problem)
                odd = [field for field in fields if field.startswith("body") and not stands(field, body)]
                assert odd == [], (path, body, problem)
                assert len(set(map(str, problem.get("errors", [])))) == len(problem.get("errors", []))
                refused += 1
    assert refused > 1000


@pytest.mark.parametrize(
    ("path", "body", "field", "detail"),
    [
        ("/train", {"series": "1"}, "body.series", 'send {"ids": […]}, {"labels": {…}} or "all"'),
        ("/backtest", {"series": ["a"]}, "body.series", 'send {"ids": […]}, {"labels": {…}} or "all"'),
        ("/train", {"series": {"ids": [1]}}, "body.series.ids.0", "send text"),
        ("/train", {"series": {"id": ["a"]}}, "body.series.id", "there is no such field: did you mean 'ids'?"),
        ("/train", {"horzon": 3}, "body.horzon", "there is no such field: did you mean 'horizon'?"),
        ("/train", {"network": {"lookback": 3}}, "body.network.lookback", "did you mean 'context_length'?"),
        ("/train", {"search": {"space": {"cell": [[]]}}}, "body.search.space.cell.0", "send a number from"),
        ("/forecast", {"series": "1"}, "body.series", 'send a list of ids, or {"labels": {…}}'),
        ("/forecast", {"history": {"a": {"tz": "UTC"}}}, "body.history.a.tz", "did you mean 'timezone'?"),
        ("/series", {"labels": {"": "x"}}, "body.labels", "as a name:"),
        ("/series", {"static": {"s": []}}, "body.static.s", "send a finite number"),
        ("/series/a/observations", {"covariates": {"b": [[]]}}, "body.covariates.b.0", "send a finite number"),
        ("/series/a/observations", {"y": [{}]}, "body.y.0", "send a finite number"),
        ("/series/a/observations", {"values": []}, "body.values", "did you mean 'y'?"),
    ],
)
def test_what_is_told(client: TestClient, path: str, body: dict[str, Any], field: str, detail: str) -> None:
    errors = client.post(path, json=body).json()["errors"]
    told = [error["detail"] for error in errors if error["field"].startswith(field)]
    assert len(told) == 1, errors
    assert detail in told[0]


def test_true_and_false_are_one_and_zero(client: TestClient) -> None:
    static = {"open": True, "closed": False, "kind": "x", "size": 2}
    series = {"id": "a", "freq": "h", "static": static}
    assert client.post("/series", json=series).json()["static"] == {"open": 1, "closed": 0, "kind": "x", "size": 2}
    ds = ["2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z", "2024-01-01T02:00:00Z"]
    rows = {"ds": ds, "y": [True, False, 2.5], "covariates": {"holiday": [True, None, False]}}
    assert client.post("/series/a/observations", json=rows).json()["inserted"] == 3
    found = client.get("/series/a/observations").json()
    assert found["y"] == [1.0, 0.0, 2.5]
    assert found["covariates"]["holiday"] == [1.0, None, 0.0]
    assert not any(isinstance(value, bool) for value in [*found["y"], *found["covariates"]["holiday"]])
