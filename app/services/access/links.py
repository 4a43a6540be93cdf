"""Signed links: addresses that read one thing, without a key, until they expire or the key that made them is revoked.

A link names the number of its key and the time of its end, and carries an HMAC-SHA256 of its path and parameters.
Software on the way may put the parameters into another order, but not the values of one name.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from sqlalchemy.orm import Session

from app.errors import ErrorCode, Forbidden
from app.scope import Right, Scope
from app.storage import clock, keys, link_secrets
from app.storage.engine import Database
from models.calendar.timestamps import format_stamp

EXPIRES = "expires"
KEY = "key"
SIGNATURE = "signature"
SIGNED = frozenset({EXPIRES, KEY, SIGNATURE})
"""parameters that a link has exactly once each"""
NO_KEY = 0
"""number of the key in a link that was made with auth off"""
SECOND = 1_000_000
"""microseconds"""
SECRET_BYTES = 32
LONGEST_NUMBER = 15
"""digits of a key's number or an expiry time"""

Pairs = Sequence[tuple[str, str]]
"""decoded parameters of a query"""


@dataclass(frozen=True)
class Link:
    """A signed address: path and query."""

    url: str
    expires_at: str


class LinkService:
    """Creates links, and checks them."""

    def __init__(self, database: Database, auth: bool) -> None:
        self._database = database
        self._auth = auth

    def create(self, scope: Scope, path: str, query: Pairs, expires_in: int) -> Link:
        """Return a link to `path` with `query`, for `expires_in` seconds. Raises Forbidden where there is no key."""
        if self._auth and scope.key is None:
            detail = "a link ends with the key that made it, and you have signed in without one; make it with a key"
            raise Forbidden(ErrorCode.forbidden, detail)
        with self._database.read() as session:
            secret = link_secrets.get(session, scope)
            now = clock.now(session)
        if secret is None:
            fresh = secrets.token_bytes(SECRET_BYTES)
            secret = self._database.write_with_retry(lambda session: link_secrets.get_or_create(session, scope, fresh))
        expires = now // SECOND + expires_in
        number = NO_KEY if scope.key is None else scope.key
        pairs = [*query, (EXPIRES, str(expires)), (KEY, str(number))]
        signed = [*pairs, (SIGNATURE, _sign(secret, path, pairs))]
        return Link(f"{path}?{_encode_query(signed)}", format_stamp(expires * SECOND, "UTC"))

    def open(self, path: str, query: Pairs) -> Scope:
        """Return the scope of a link's reader. Raises Forbidden `link_invalid` or `link_expired`."""
        numbers = [value for name, value in query if name == KEY]
        ends = [value for name, value in query if name == EXPIRES]
        signatures = [value for name, value in query if name == SIGNATURE]
        if not (len(numbers) == len(ends) == len(signatures) == 1 and _is_number(numbers[0]) and _is_number(ends[0])):
            raise _invalid()
        unsigned = [pair for pair in query if pair[0] != SIGNATURE]
        with self._database.read() as session:
            scope, is_key_valid = self._find_creator(session, int(numbers[0]))
            secret = link_secrets.get(session, scope)
            now = clock.now(session)
        if secret is None or not hmac.compare_digest(
            _sign(secret, path, unsigned).encode(), _encode_text(signatures[0])
        ):
            raise _invalid()
        if not is_key_valid:
            detail = "the key that made this link is revoked; make a new link with another key"
            raise Forbidden(ErrorCode.link_invalid, detail)
        if int(ends[0]) * SECOND <= now:
            raise Forbidden(ErrorCode.link_expired, "this link has expired; make a new one")
        return scope

    def _find_creator(self, session: Session, number: int) -> tuple[Scope, bool]:
        """Return the scope of a link by its key's number, and whether the key may still read. Raises Forbidden."""
        reading = frozenset({Right.forecast})
        if number == NO_KEY:
            if self._auth:
                raise _invalid()
            return Scope(keys.get_default_scope(session).project_id, reading, by="link"), True
        row = keys.get(session, number)
        if row is None:
            raise _invalid()
        newest = keys.find_newest(session, number)
        is_valid = newest is not None and Right.forecast in newest.rights
        living = row if newest is None else newest  # whoever confirms the scope later asks for a secret that is good
        labels = keys.make_scope(living).labels
        return Scope(row.project_id, reading, f"link of key {row.name}", living.pk, labels), is_valid


def _invalid() -> Forbidden:
    detail = "this link was not made by this service, or was changed afterwards; make a new one"
    return Forbidden(ErrorCode.link_invalid, detail)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER


def _encode_text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _encode_query(pairs: Pairs) -> str:
    return urlencode(pairs, quote_via=quote, safe="", errors="surrogatepass")


def _sign(secret: bytes, path: str, pairs: Pairs) -> str:
    """Return the signature of a path with its parameters, in URL-safe base64."""
    ordered = sorted(pairs, key=lambda pair: pair[0])  # stable: values of one name keep their order
    digest = hmac.digest(secret, f"{path}?{_encode_query(ordered)}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
