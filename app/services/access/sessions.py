"""Sessions: browsers that have logged in with an identity provider, and programs that send its tokens.

A session is a secret in a cookie, of which the database has the digest. What a login needs between its beginning and
its end is in a cookie of the browser that began it, so that a state which somebody else has got hold of opens nothing.
"""

import base64
import binascii
import hmac
import re
import secrets
from dataclasses import dataclass

import orjson
from sqlalchemy.orm import Session

from app.config import Settings
from app.errors import ErrorCode, Forbidden, Unauthorized
from app.scope import Scope
from app.services.access.grants import Claims, find_access, find_name
from app.services.access.provider import Provider
from app.services.access.secrets import digest_secret
from app.services.audit import record
from app.services.durations import SECOND_US
from app.storage import projects, sessions
from app.storage.engine import Database

LONGEST_VIEW = 500
"""characters of the view of the page that a login returns to"""
_VIEW = re.compile(r"[A-Za-z0-9/?&=.,:_~+%!*()-]*")
_TOKEN = re.compile(r"ey[\w-]+\.ey[\w-]+\.[\w-]+")
"""a signed JWT: two JSON objects and a signature; no key looks like that"""


@dataclass(frozen=True)
class Begun:
    """A login that has begun."""

    url: str
    """of the identity provider, where the browser goes"""
    cookie: str
    """what the browser brings back"""


@dataclass(frozen=True)
class Opened:
    """A session that was just opened; `secret` is stored nowhere."""

    secret: str
    view: str
    """of the page, where the login began"""


def is_token(secret: str) -> bool:
    """Say whether a bearer is a token of an identity provider rather than a key."""
    return _TOKEN.fullmatch(secret) is not None


class SessionService:
    """Opens sessions, and finds whose they are."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._grants = settings.oidc_grants
        self.lifetime_seconds = int(settings.session_hours * 3600)
        self._provider = Provider(settings) if settings.oidc_issuer is not None else None

    @property
    def is_on(self) -> bool:
        """Whether there is an identity provider."""
        return self._provider is not None

    def begin(self, view: str) -> Begun:
        """Begin a login that returns to a view of the page. Raises Forbidden where there is none, Unavailable."""
        attempt = self._require_provider().begin()
        is_known = len(view) <= LONGEST_VIEW and _VIEW.fullmatch(view) is not None
        told = [attempt.state, attempt.nonce, attempt.verifier, view if is_known else ""]
        return Begun(attempt.url, base64.urlsafe_b64encode(orjson.dumps(told)).decode())

    def finish(self, cookie: str, state: str, code: str) -> Opened:
        """Open a session for a browser that comes back from the identity provider.

        Args:
            cookie: what `begin` has given it
            state: what it has brought from the identity provider
            code: what the provider tells who it is for

        Raises Unauthorized for a login that this browser did not begin or the provider does not confirm, Forbidden for
        somebody who has no access here, and Unavailable.
        """
        begun = _read_cookie(cookie)
        if begun is None or not hmac.compare_digest(begun[0].encode(), state.encode("utf-8", "replace")):
            detail = "this login was not begun in this browser, or too long ago; sign in again"
            raise Unauthorized(ErrorCode.login_refused, detail)
        _, nonce, verifier, view = begun
        claims = self._require_provider().finish(code, verifier, nonce)
        secret = secrets.token_urlsafe(32)

        def store(session: Session) -> None:
            scope = self._find_scope(session, claims)
            sessions.delete_expired(session)
            sessions.add(session, scope, digest_secret(secret), self.lifetime_seconds * SECOND_US)
            record(session, scope, "session.begin", scope.by)

        self._database.write_with_retry(store)
        return Opened(secret, view)

    def authenticate(self, secret: str) -> Scope:
        """Return the scope of a session. Raises Unauthorized."""
        with self._database.read() as session:
            row = sessions.find(session, digest_secret(secret))
        if row is None:
            raise Unauthorized(ErrorCode.unauthorized, "this session has ended; sign in again")
        return sessions.make_scope(row)

    def authenticate_token(self, token: str) -> Scope:
        """Return the scope of a token of the identity provider. Raises Unauthorized, Forbidden, Unavailable."""
        claims = self._require_provider().verify(token)
        with self._database.read() as session:
            return self._find_scope(session, claims)

    def end(self, secret: str) -> None:
        """End a session, where there is one."""
        with self._database.write() as session:
            row = sessions.find(session, digest_secret(secret))
            if row is not None:
                scope = sessions.make_scope(row)
                record(session, scope, "session.end", scope.by)
                session.delete(row)

    def _find_scope(self, session: Session, claims: Claims) -> Scope:
        project, rights = find_access(self._grants, claims)
        row = projects.get(session, project)
        if row is None:
            detail = f"this account is for the project {project!r}, which is not there; ask who runs the service"
            raise Forbidden(ErrorCode.forbidden, detail)
        return Scope(row.pk, rights, f"user {find_name(claims)}")

    def _require_provider(self) -> Provider:
        if self._provider is None:
            detail = "there is no identity provider (GATECAST_OIDC_ISSUER); use a key"
            raise Forbidden(ErrorCode.login_refused, detail)
        return self._provider


def _read_cookie(cookie: str) -> list[str] | None:
    """Return state, nonce, verifier and view of a login that has begun; None where there is none."""
    try:
        told = orjson.loads(base64.urlsafe_b64decode(cookie.encode("ascii", "replace")))
    except (binascii.Error, ValueError):
        return None
    is_whole = isinstance(told, list) and len(told) == 4 and all(isinstance(one, str) and one.isascii() for one in told)
    return told if is_whole and _VIEW.fullmatch(told[3]) else None
