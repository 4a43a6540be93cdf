"""Pages of rows: what a client is told of a cursor that is not ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import ErrorCode, FieldError, Invalid
from app.storage.pages import CursorError


@contextmanager
def convert_cursor_errors() -> Iterator[None]:
    """Within it, a cursor that cannot be read is the client's error."""
    try:
        yield
    except CursorError as e:
        raise Invalid(
            ErrorCode.invalid_cursor,
            "this cursor was not given out by this call; leave it away to begin at the first page",
            errors=[FieldError("query.cursor", ErrorCode.invalid_cursor, "unknown cursor")],
        ) from e
