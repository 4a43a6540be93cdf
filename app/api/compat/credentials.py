"""Where clients of other services' protocols put a key."""

import base64
import binascii
from collections.abc import Callable

from fastapi import Request

from app.api.cookies import refuse_foreign
from app.api.deps import ServicesDep, admitted, allowed
from app.scope import Right, Scope

BEARER = "bearer"


def find_secret(request: Request, *schemes: str) -> str:
    """Return the key of a request, as Bearer, by another of the named schemes, or as the password of Basic.

    It is empty where there is none.
    """
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in (BEARER, *schemes):
        return secret.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(secret.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def require(right: Right, *schemes: str, in_query: str | None = None) -> Callable[..., Scope]:
    """Return a dependency: the scope of a caller who has a right, found by `find_secret`, or else by a parameter of the
    query. It raises Unauthorized, TooManyRequests, Forbidden."""

    def find_scope(request: Request, services: ServicesDep) -> Scope:
        if services.keys.is_open:
            refuse_foreign(request.method, request.headers)
        secret = find_secret(request, *schemes)
        if not secret and in_query is not None:
            secret = request.query_params.get(in_query, "")
        scope = admitted(services.authentication.identify(secret), services, request.scope)
        return allowed(right, scope)

    return find_scope
