"""/login, /logout: people who log in with an identity provider. For browsers, which the page sends here."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.cookies import LOGIN, LOGIN_SECONDS, SESSION, read_cookie, read_session, write_cookie
from app.api.deps import ServicesDep
from app.api.http.operations import OpenRoute
from app.api.http.responses import ok
from app.errors import ErrorCode, ServiceError, Unauthorized
from app.logs import get_logger

log = get_logger(__name__)

router = APIRouter(include_in_schema=False)
returning = APIRouter(route_class=OpenRoute)
"""routes that identity providers send browsers to, with parameters of their own beside those of the protocol"""

Text = Annotated[str, Query(max_length=4000)]


@router.get("/login/methods")
def get_methods(services: ServicesDep) -> Response:
    """Say whether there is an identity provider to log in with."""
    return ok({"provider": services.sessions.is_on})


@router.get("/login")
def begin_login(services: ServicesDep, view: Annotated[str, Query(max_length=2000)] = "") -> Response:
    """Send the browser to the identity provider; it returns to a view of the page."""
    try:
        begun = services.sessions.begin(view)
    except ServiceError as e:
        return _refuse("./", e)
    response = Response(status_code=303, headers={"Location": begun.url, "Cache-Control": "no-store"})
    response.headers.append("Set-Cookie", write_cookie(LOGIN, begun.cookie, LOGIN_SECONDS, same_site="Lax"))
    return response


@returning.get("/login/callback")
def finish_login(
    request: Request, services: ServicesDep, state: Text = "", code: Text = "", error: Text = ""
) -> Response:
    """Open a session for a browser that comes back from the identity provider, and show the page."""
    try:
        if error or not code:
            detail = "the identity provider did not log you in; try again, or ask who runs it"
            raise Unauthorized(ErrorCode.login_refused, detail)
        opened = services.sessions.finish(read_cookie(request.headers, LOGIN) or "", state, code)
    except ServiceError as e:
        return _refuse("../", e)
    response = _redirect("../", opened.view)
    seconds = services.sessions.lifetime_seconds
    response.headers.append("Set-Cookie", write_cookie(SESSION, opened.secret, seconds, same_site="Strict"))
    response.headers.append("Set-Cookie", write_cookie(LOGIN, "", 0, same_site="Lax"))
    return response


@router.post("/logout")
def log_out(request: Request, services: ServicesDep) -> Response:
    """End the session of a browser."""
    cookie = read_session(request.method, request.headers)
    if cookie is not None:
        services.sessions.end(cookie)
    headers = {"Set-Cookie": write_cookie(SESSION, "", 0, same_site="Strict")}
    return Response(status_code=204, headers=headers)


def _refuse(page: str, error: ServiceError) -> Response:
    """Let the page say in words of its own why a login did not work."""
    log.info("login_refused", code=error.code, detail=error.detail)
    return _redirect(page, f"/login?why={error.code}")


def _redirect(page: str, view: str) -> Response:
    """Send the browser to a view of the page, at an address relative to the call's."""
    return Response(status_code=303, headers={"Location": f"{page}#{view}", "Cache-Control": "no-store"})


router.include_router(returning)
