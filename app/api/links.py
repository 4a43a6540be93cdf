"""Links of the OpenAPI document: from what makes or shows a thing to what reads, changes and deletes it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

JSON = "application/json"
BODY = "$response.body"
ID = f"{BODY}#/id"
NAME = f"{BODY}#/name"
MODEL = f"{BODY}#/model"
SENT_NAME = "$request.path.name"
SENT_SERIES = "$request.path.series_id"


@dataclass(frozen=True)
class Thing:
    """What is made: by which answers its name is told, and which operations take that name."""

    parameter: str
    """of the operations that take it; in their path but for those of `queries`"""
    told: Sequence[tuple[str, str]]
    """an operation as `METHOD /path`, and the runtime expression of the name in its answers with a body"""
    operations: Sequence[str]
    """those that read, change or delete it"""
    queries: Sequence[tuple[str, str]] = ()
    """further ones that take the name in a query, and the parameter"""
    others: tuple[tuple[str, str], ...] = ()
    """further parameters of all operations, and where their values stand"""


_OF_A_MODEL = (
    "GET /models/{name}",
    "DELETE /models/{name}",
    "GET /models/{name}/versions",
    "PUT /models/{name}/champion",
    "POST /models/{name}/refresh",
    "PUT /models/{name}/schedule",
    "DELETE /models/{name}/schedule",
    "GET /models/{name}/archive",
    "GET /models/{name}/skill",
    "PUT /models/{name}/watch",
    "GET /models/{name}/watch",
    "DELETE /models/{name}/watch",
    "GET /models/{name}/watch/alarms",
)
THINGS = (
    Thing(
        "series_id",
        [
            ("POST /series", ID),
            ("PUT /series/{series_id}", ID),
            ("POST /series/import", f"{BODY}#/series_ids/0"),
            ("POST /series/{series_id}/observations", SENT_SERIES),
        ],
        [
            "GET /series/{series_id}",
            "PUT /series/{series_id}",
            "DELETE /series/{series_id}",
            "GET /series/{series_id}/health",
            "POST /series/{series_id}/observations",
            "GET /series/{series_id}/observations",
            "DELETE /series/{series_id}/observations",
        ],
        queries=[("GET /series/export", "series"), ("GET /models", "series")],
    ),
    Thing(
        "name",
        [("PUT /covariates/{name}", NAME)],
        ["GET /covariates/{name}", "PUT /covariates/{name}", "DELETE /covariates/{name}"],
    ),
    Thing(
        "name",
        [("PUT /ingest/rules/{name}", NAME)],
        ["GET /ingest/rules/{name}", "PUT /ingest/rules/{name}", "DELETE /ingest/rules/{name}"],
    ),
    Thing(
        "job_id",
        [
            ("POST /train", ID),
            ("POST /models/{name}/refresh", ID),
            ("POST /backtest", ID),
            ("POST /anomalies", ID),
        ],
        [
            "GET /jobs/{job_id}",
            "GET /jobs/{job_id}/events",
            "GET /jobs/{job_id}/log",
            "GET /jobs/{job_id}/losses",
            "GET /jobs/{job_id}/trials",
            "POST /jobs/{job_id}/cancel",
        ],
    ),
    Thing(
        "backtest_id",
        [("POST /backtest", ID)],
        ["GET /backtests/{backtest_id}", "GET /backtests/{backtest_id}/forecasts"],
    ),
    Thing("scan_id", [("POST /anomalies", ID)], ["GET /anomalies/{scan_id}"]),
    Thing(
        "name",
        [
            ("POST /train", MODEL),
            ("GET /models/{name}", NAME),
            ("PUT /models/{name}/champion", SENT_NAME),
            ("PUT /models/{name}/schedule", SENT_NAME),
            ("PUT /models/{name}/watch", SENT_NAME),
        ],
        _OF_A_MODEL,
        queries=[("GET /jobs", "model")],
    ),
    Thing(
        "number",
        [("PUT /models/{name}/champion", f"{BODY}#/champion")],
        [
            "GET /models/{name}/versions/{number}",
            "DELETE /models/{name}/versions/{number}",
            "GET /models/{name}/versions/{number}/bundle",
        ],
        others=(("name", SENT_NAME),),
    ),
    Thing(
        "name",
        [("PUT /alerts/{name}", NAME)],
        [
            "GET /alerts/{name}",
            "PUT /alerts/{name}",
            "DELETE /alerts/{name}",
            "GET /alerts/{name}/events",
            "POST /alerts/{name}/test",
        ],
    ),
    Thing(
        "number",
        [("POST /keys", ID), ("POST /keys/{number}/rotate", ID)],
        ["GET /keys/{number}", "POST /keys/{number}/rotate", "DELETE /keys/{number}"],
    ),
    Thing(
        "name",
        [("PUT /projects/{name}", NAME)],
        ["GET /projects/{name}", "PUT /projects/{name}", "DELETE /projects/{name}"],
        queries=[("GET /keys", "project")],
    ),
)


def add_links(document: dict[str, Any]) -> None:
    """Write the links into an OpenAPI document. Raises KeyError for one of an operation that is not there."""
    for thing in THINGS:
        for source, expression in thing.told:
            for answer in _list_answers(document, _find(document, source), expression):
                links = answer.setdefault("links", {})
                for target, parameters in _list_targets(thing, expression):
                    operation_id = _find(document, target)["operationId"]
                    links[operation_id] = {"operationId": operation_id, "parameters": parameters}


def _list_targets(thing: Thing, expression: str) -> Iterator[tuple[str, dict[str, str]]]:
    for target in thing.operations:
        yield target, {thing.parameter: expression, **dict(thing.others)}
    for target, parameter in thing.queries:
        yield target, {parameter: expression}


def _list_answers(document: dict[str, Any], operation: dict[str, Any], expression: str) -> Iterator[dict[str, Any]]:
    """Yield the successful JSON answers of an operation that have what an expression reads, or need not have it."""
    for status, answer in operation["responses"].items():
        content = answer.get("content", {}).get(JSON)
        if status.startswith("2") and content is not None:
            body, _, pointer = expression.partition("#/")
            if body != BODY or pointer.partition("/")[0] in _resolve(document, content["schema"])["properties"]:
                yield answer


def _resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema that a reference to the document's components names."""
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _find(document: dict[str, Any], label: str) -> dict[str, Any]:
    """Return the operation `METHOD /path`."""
    method, path = label.split(" ")
    operation: dict[str, Any] = document["paths"][path][method.lower()]
    return operation
