"""Cursors of pages: the error for one that this service did not issue."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import ErrorCode, FieldError, Invalid
from app.storage.pages import CursorError


@contextmanager
def convert_cursor_errors() -> Iterator[None]:
    """Turn a CursorError inside the block into Invalid: the client sent the cursor."""
    try:
        yield
    except CursorError as e:
        raise Invalid(
            ErrorCode.invalid_cursor,
            "this cursor does not come from this call; leave it out to begin at the first page",
            errors=[FieldError("query.cursor", ErrorCode.invalid_cursor, "unknown cursor")],
        ) from e
