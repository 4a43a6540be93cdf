"""Request bodies before they are parsed: whether there is one, what it says it is, how JSON is made, and where it is
none."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from starlette.types import Message, Receive

from app.api.http.query import QueryParameters
from app.api.http.spelling import join_names
from app.errors import ErrorCode, FieldError, Invalid, ServiceError, TooLarge, Unreadable, Unsupported

Headers = Mapping[bytes, bytes]
JSON = b"application/json"
SENDING = "curl --json '{…}', or -H 'Content-Type: application/json'"
UNREADABLE = "the body cannot be read: it must be JSON in UTF-8, with numbers of at most 4300 digits"
DEEPEST = 32
"""lists and objects within each other; what the calls take has five at most"""
MOST_PARTS = 100_000
"""fields of one body, and lists and objects: each costs some microseconds, however little it holds"""
SMALL = 64 * 1024
"""bytes of a body that has not too many of anything"""
_BRACKETS = b"[]{}"
_QUOTE = b'"'
_NO_STRUCTURE = bytes(set(range(256)) - set(_BRACKETS + _QUOTE))


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


def check_json(body: bytes) -> None:
    """Look at how a JSON body is made, before it is parsed. Raises Unreadable, TooLarge."""
    if not body.startswith(b'{"'):  # which is UTF-8, and what most bodies begin with
        encoding = json.detect_encoding(body)
        if not encoding.startswith("utf-8"):
            body = body.decode(encoding, "replace").encode()
    if body.count(b"[") + body.count(b"{") > DEEPEST:
        for part in (body,) if len(body) <= SMALL else (body[:SMALL], body):
            depth, count = _measure_brackets(part)
            if depth > DEEPEST:
                detail = f"the body is nested more than {DEEPEST} levels deep, and no call takes that"
                raise Unreadable(ErrorCode.bad_request, detail)
        if count > MOST_PARTS:
            raise _refuse_parts(count, "lists and objects")
    if len(body) > SMALL and body.count(b":") > MOST_PARTS:
        names = body.translate(None, b" \t\r\n").count(b'":')
        if names > MOST_PARTS:
            raise _refuse_parts(names, "fields")


def _measure_brackets(body: bytes) -> tuple[int, int]:
    """Return how many lists and objects of a JSON body lie within each other, and how many there are, without parsing
    it; of what is no JSON, any numbers."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = np.frombuffer(body.translate(None, _NO_STRUCTURE), np.uint8)
    is_quote = marks == ord(_QUOTE)
    steps = 3 - (marks & 6).astype(np.int8)  # what opens has the bits 2, what closes 4
    steps[is_quote | (np.cumsum(is_quote, dtype=np.int32) % 2 == 1)] = 0
    return int(np.cumsum(steps, dtype=np.int32).max(initial=0)), int((steps > 0).sum())


def _refuse_parts(count: int, what: str) -> TooLarge:
    detail = f"the body has {count} {what}, the limit is {MOST_PARTS}; send it in parts, or as a table"
    return TooLarge(ErrorCode.body_too_large, detail)


def parse_json(body: bytes) -> Any:
    """Return what a JSON body in UTF-8, UTF-16 or UTF-32 holds. Raises Invalid, Unreadable, TooLarge."""
    check_json(body)
    try:
        text = body.decode(json.detect_encoding(body), "surrogatepass")
        return json.loads(text)
    except json.JSONDecodeError as e:
        raise refuse_json(e.doc, e) from e
    except (ValueError, RecursionError) as e:
        raise unreadable() from e


def unreadable() -> ServiceError:
    """Return the error of a body that is no text, or has a number that is too long."""
    return Unreadable(ErrorCode.bad_request, UNREADABLE)
