"""Every error as RFC 9457 problem+json. A traceback goes to the log, never into an answer."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from app.api.http.bodies import refuse_json, unreadable
from app.api.http.validation import describe_errors
from app.errors import ErrorCode, Invalid, ServiceError, Unreadable
from app.logs import get_logger
from app.services.outages import DATABASE_ERRORS, explain_full_disk, explain_outage

log = get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
SHOWN = 100
"""field errors that an answer lists"""
ErrorShapes = Mapping[str, Callable[[ServiceError], Response]]
"""what answers an error, by prefixes of paths"""
_CODES = {
    401: ErrorCode.unauthorized,
    403: ErrorCode.forbidden,
    404: ErrorCode.not_found,
    405: ErrorCode.method_not_allowed,
    413: ErrorCode.body_too_large,
    415: ErrorCode.unsupported_media_type,
}


class Failure(ServiceError):
    """A bug: the log has the traceback under the request's id."""


class BodyRefused(HTTPException):
    """What is wrong with a body, found while it is read: FastAPI lets no other exception through there."""

    def __init__(self, error: ServiceError) -> None:
        super().__init__(error.status, error.detail)
        self.error = error


def document(error: ServiceError) -> dict[str, Any]:
    """Return the problem document of an error."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
    }
    if error.errors:
        body["errors"] = [{"field": e.field, "code": e.code, "detail": e.detail} for e in error.errors[:SHOWN]]
    return body


def response(error: ServiceError) -> Response:
    """Return the answer that tells of an error: a problem document, or what the clients of a foreign protocol read."""
    return ProblemResponse(error)


class ProblemResponse(Response):
    """An error as a problem document; below the prefixes of `shape_errors` in the shape of their protocol."""

    def __init__(self, error: ServiceError) -> None:
        super().__init__(orjson.dumps(document(error)), error.status, headers=error.headers, media_type=MEDIA_TYPE)
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shapes: ErrorShapes = getattr(getattr(scope.get("app"), "state", None), "error_shapes", {})
        shape = next((shape for prefix, shape in shapes.items() if scope["path"].startswith(prefix)), None)
        if shape is None:
            await super().__call__(scope, receive, send)
        else:
            await shape(self._error)(scope, receive, send)


def shape_errors(app: FastAPI, shapes: ErrorShapes) -> None:
    """Answer errors below some prefixes of paths in other shapes than ours."""
    app.state.error_shapes = shapes


def internal_error() -> ServiceError:
    """Return what a client is told of a bug."""
    detail = "the service failed inside; its log has the cause under this answer's X-Request-ID"
    return Failure(ErrorCode.internal_error, detail)


def install(app: FastAPI) -> None:
    """Answer every error of the application as a problem document."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    for kind in DATABASE_ERRORS:
        app.add_exception_handler(kind, _database_error)
    app.add_exception_handler(OSError, _file_error)
    app.add_exception_handler(Exception, _bug)


HANDLED = (ServiceError, RequestValidationError, HTTPException, ClientDisconnect, OSError, *DATABASE_ERRORS)
"""errors that have an answer of their own"""


def answer_to(request: Request, error: Exception) -> Response:
    """Return the answer to one of HANDLED. Raises an OSError that is a bug."""
    if isinstance(error, ServiceError):
        return _service_error(request, error)
    if isinstance(error, RequestValidationError):
        return _validation_error(request, error)
    if isinstance(error, OSError):
        return _file_error(request, error)
    if isinstance(error, ClientDisconnect):
        return _client_gone(request, error)
    return _http_error(request, error) if isinstance(error, HTTPException) else _database_error(request, error)


def _service_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return response(error)


def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    cause = error.__cause__
    if isinstance(cause, json.JSONDecodeError):
        return response(refuse_json(cause.doc, cause))
    body_field = getattr(request.scope.get("route"), "body_field", None)
    annotation = body_field.field_info.annotation if body_field is not None else None
    return response(refuse_fields(error.errors(), error.body, annotation))


def refuse_fields(found: Sequence[Mapping[str, Any]], body: Any, annotation: Any) -> Invalid:
    """Return the refusal of an input with pydantic's errors; `annotation` is the type that `body` should be of."""
    errors = describe_errors(found[:SHOWN], body, annotation)
    first = errors[0]
    others = len(errors) - 1 if len(found) <= SHOWN else len(found) - 1
    detail = f"{first.field}: {first.detail}" + (f", and {others} more" if others else "")
    return Invalid(ErrorCode.invalid_input, detail, errors=errors)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, BodyRefused):
        return response(error.error)
    if error.status_code == 400:
        return response(unreadable())
    code = _CODES.get(error.status_code, ErrorCode.bad_request)
    details = {
        404: f"there is no {request.url.path[:200]!r} here; /docs lists every call",
        405: f"{request.method} is not a method of {request.url.path[:200]!r}; /docs lists every call",
    }
    problem = ServiceError(code, details.get(error.status_code, str(error.detail)), headers=dict(error.headers or {}))
    problem.status = error.status_code
    problem.title = str(code).replace("_", " ").capitalize()
    return response(problem)


def _client_gone(_request: Request, _error: Exception) -> Response:
    return response(Unreadable(ErrorCode.bad_request, "the client has left before its request was whole"))


def _bug(_request: Request, _error: Exception) -> Response:
    return response(internal_error())  # it is raised further, to be logged with the request's id


def _database_error(_request: Request, error: Exception) -> Response:
    outage = explain_outage(error)
    if outage is not None:
        log.error(str(outage.code), detail=str(error).splitlines()[0])
        return response(outage)
    log.error("database_error", exc_info=error)
    return response(internal_error())


def _file_error(_request: Request, error: Exception) -> Response:
    full = explain_full_disk(error) if isinstance(error, OSError) else None
    if full is None:
        raise error
    log.error(str(full.code), detail=str(error))
    return response(full)
