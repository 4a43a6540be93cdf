"""Who calls: the bearer of a key or of a token of the identity provider, or a browser that has logged in."""

from app.scope import Scope
from app.services.access.keys import Caller, KeyService
from app.services.access.sessions import SessionService, is_token


class Authentication:
    """Finds out who calls."""

    def __init__(self, keys: KeyService, sessions: SessionService) -> None:
        self._keys = keys
        self._sessions = sessions

    def identify(self, secret: str | None, cookie: str | None = None) -> Scope:
        """Return the scope of a caller by what they send as a bearer, or else by the cookie of their session.

        Raises Unauthorized; Forbidden for an account of the identity provider that has no access here; Unavailable.
        """
        if not self._sessions.is_on:
            return self._keys.authenticate(secret)
        if secret and is_token(secret.strip()):
            return self._sessions.authenticate_token(secret.strip())
        if not secret and cookie is not None:
            return self._sessions.authenticate(cookie)
        return self._keys.authenticate(secret)

    def find_cached(self, secret: str | None, cookie: str | None = None) -> Caller | None:
        """Return the cached bearer of a key, which the caller has to confirm with the database.

        None where only `identify` can tell. Raises Unauthorized where nothing was sent.
        """
        if self._sessions.is_on and (is_token((secret or "").strip()) or (not secret and cookie is not None)):
            return None
        return self._keys.find_cached(secret)
