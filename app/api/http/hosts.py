"""The names that a service answers to which asks nobody for a key.

A page of another site may have its own name lead to this machine (DNS rebinding): for the browser its calls are then
calls of one site, and only the name that they are sent to tells them apart.
"""

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.http.problems import response
from app.config import Settings, is_loopback
from app.errors import ErrorCode, Forbidden

MOST_REMEMBERED = 100


class OwnHosts:
    """Refuses requests that are sent to other names than this machine's and those of the settings."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        public = urlsplit(settings.public_url or "").hostname
        self._names = {settings.host.lower(), *([public] if public is not None else [])}
        self._known: set[bytes] = set()
        """values of the header that were found to be own ones"""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            host = next((value for name, value in scope["headers"] if name == b"host"), b"")
            if host not in self._known and not self._remember(host):
                await response(_refuse(host))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _remember(self, host: bytes) -> bool:
        """Say whether a host is an own one."""
        try:
            name = urlsplit(f"//{host.decode('ascii')}").hostname or ""
        except ValueError:
            return False
        is_own = is_loopback(name) or name in self._names
        if is_own and len(self._known) < MOST_REMEMBERED:
            self._known.add(host)
        return is_own


def _refuse(host: bytes) -> Forbidden:
    shown = host.decode("ascii", "replace")[:100]
    detail = (
        f"this service asks nobody for a key and answers to this machine's own names, not to {shown!r}; "
        "set GATECAST_PUBLIC_URL to the address that it is reached at, or GATECAST_AUTH=on"
    )
    return Forbidden(ErrorCode.forbidden, detail)
