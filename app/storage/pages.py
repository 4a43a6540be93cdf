"""Keyset pages: an opaque cursor holds the sort key of the last row of a page."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.scope import storable

T = TypeVar("T")
LARGEST = 2**62
"""larger than any number in a sort key"""


class CursorError(ValueError):
    """The cursor does not come from this service."""


@dataclass(frozen=True)
class Page(Generic[T]):
    """Rows of a page, and the cursor of the next page; None at the end."""

    items: list[T]
    next_cursor: str | None


def encode_cursor(*key: int | str) -> str:
    """Return the cursor of a sort key."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type) -> list[int | str]:
    """Return the sort key of `cursor`, whose parts must be of `kinds`. Raises CursorError."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key = json.loads(text)
    except (ValueError, binascii.Error, RecursionError):
        raise CursorError from None
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
        raise CursorError
    if any(abs(part) > LARGEST if isinstance(part, int) else not storable(part) for part in key):
        raise CursorError
    return key
