"""Request bodies before they are read: whether there is one, what it says it is, and where it is no JSON."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.types import Message, Receive

from app.api.http.query import QueryParameters
from app.api.http.spelling import join_names
from app.errors import ErrorCode, FieldError, Invalid, ServiceError, Unreadable, Unsupported

Headers = Mapping[bytes, bytes]
JSON = b"application/json"
SENDING = "curl --json '{…}', or -H 'Content-Type: application/json'"
UNREADABLE = "the body cannot be read: it must be JSON in UTF-8, and not nested too deeply"


async def find_body(headers: Headers, receive: Receive) -> tuple[bool, Receive]:
    """Say whether a request has a body, and return what receives all of it.

    A body whose length is not declared is read up to its first byte, and no further.
    """
    if b"transfer-encoding" not in headers:
        return headers.get(b"content-length", b"0").strip(b"0 ") != b"", receive
    while True:
        message = await receive()
        if message["type"] != "http.request" or message.get("body") or not message.get("more_body", False):
            return bool(message.get("body")), _prepend(message, receive)


def _prepend(first: Message, receive: Receive) -> Receive:
    messages = [first]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


def is_json(kind: bytes) -> bool:
    """Say whether a Content-Type names JSON."""
    name = kind.partition(b";")[0].strip().lower()
    return name == JSON or (name.startswith(b"application/") and name.endswith(b"+json"))


def refuse_body(parameters: QueryParameters | None) -> Invalid:
    """Return the error of a body that is sent to a call without one."""
    names = parameters.names if parameters is not None else ()
    where = f"what it takes goes into the query: {join_names(names)}" if names else "leave it out"
    detail = f"this call takes no body, and was sent one; {where}"
    return Invalid(ErrorCode.invalid_input, detail, errors=[FieldError("body", "unexpected_body", detail)])


def refuse_media_type(kind: bytes | None) -> ServiceError:
    """Return the error of a body that does not say that it is JSON."""
    seen = "no Content-Type" if kind is None else f"Content-Type: {kind.decode('latin-1')[:100]!r}"
    detail = f"the body came with {seen}, and this call reads JSON; send it with {SENDING}"
    if kind is None:
        error = FieldError("header.content-type", "missing", detail)
        return Invalid(ErrorCode.invalid_input, detail, errors=[error])
    return Unsupported(ErrorCode.unsupported_media_type, detail, headers={"Accept": JSON.decode()})


def refuse_json(text: str, error: json.JSONDecodeError) -> Invalid:
    """Return the error of a body that is no JSON."""
    line = text.count("\n", 0, error.pos) + 1
    column = error.pos - text.rfind("\n", 0, error.pos)
    detail = f"the body is not JSON, from line {line}, column {column} on: {error.msg}"
    return Invalid(ErrorCode.invalid_input, detail, errors=[FieldError("body", "json_invalid", detail)])


def parse_json(body: bytes) -> Any:
    """Return what a JSON body in UTF-8, UTF-16 or UTF-32 holds. Raises Invalid, Unreadable."""
    try:
        text = body.decode(json.detect_encoding(body), "surrogatepass")
        return json.loads(text)
    except json.JSONDecodeError as e:
        raise refuse_json(e.doc, e) from e
    except (ValueError, RecursionError) as e:
        raise unreadable() from e


def unreadable() -> ServiceError:
    """Return the error of a body that is no text, or is nested too deeply."""
    return Unreadable(ErrorCode.bad_request, UNREADABLE)
