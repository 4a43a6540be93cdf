"""Cookies of people who have logged in, and which requests they count for.

A browser sends cookies whatever page makes it call, so that a call which changes something has to come from a page of
this service: browsers say so in `Sec-Fetch-Site`, and older ones in `Origin`.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from app.errors import ErrorCode, Forbidden

SESSION = "__Host-gatecast"
LOGIN = "__Host-gatecast-login"
"""what a login needs between its beginning and its end"""
LOGIN_SECONDS = 600
LONGEST = 4000
"""characters of a cookie"""
_OWN = re.compile(rb"__Host-gatecast(-login)?=[\w=-]{0,%d}" % LONGEST)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""methods of calls that change nothing"""
OWN_SITES = frozenset({"same-origin", "none"})
"""what browsers say of calls of our pages, and of those that a person typed"""


def keep_own(header: bytes) -> bytes:
    """Return a header with our cookies alone: others are not ours to read, and reading them may take long.

    Ours are in base64 for addresses, and never quoted.
    """
    return b"; ".join(part for part in header.split(b";") if _OWN.fullmatch(part.strip()))


def read_cookie(headers: Mapping[str, str], name: str) -> str | None:
    """Return a cookie of a request, whose header `keep_own` has made."""
    for part in headers.get("cookie", "").split(";"):
        found, _, value = part.strip().partition("=")
        if found == name and value:
            return value
    return None


def read_session(method: str, headers: Mapping[str, str]) -> str | None:
    """Return the cookie of a session. Raises Forbidden for a call of a page of another site."""
    cookie = read_cookie(headers, SESSION)
    if cookie is not None and method not in SAFE_METHODS and not is_own(headers):
        detail = "this call was made by a page of another site, or says not by which; send a key instead of a cookie"
        raise Forbidden(ErrorCode.forbidden, detail)
    return cookie


def refuse_foreign(method: str, headers: Mapping[str, str]) -> None:
    """Raise Forbidden for a call of a page of another site that changes something, where nobody needs a key.

    Browsers let any page send forms, a file among them, to a service on the same machine.
    """
    is_browser = "sec-fetch-site" in headers or "origin" in headers
    if method not in SAFE_METHODS and is_browser and not is_own(headers):
        detail = (
            "this call was made by a page of another site, and this service asks nobody for a key; set GATECAST_AUTH=on"
        )
        raise Forbidden(ErrorCode.forbidden, detail)


def is_own(headers: Mapping[str, str]) -> bool:
    """Say whether a page of this service has made a call."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in OWN_SITES
    origin = headers.get("origin")
    try:
        return origin is not None and urlsplit(origin).netloc == headers.get("host")
    except ValueError:
        return False


def write_cookie(name: str, value: str, seconds: int, *, same_site: str) -> str:
    """Return a header that sets a cookie for scripts of nobody; 0 seconds remove it."""
    return f"{name}={value}; Max-Age={seconds}; Path=/; Secure; HttpOnly; SameSite={same_site}"
