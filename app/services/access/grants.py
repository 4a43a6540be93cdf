"""What the claims of an identity provider let a person, or a program, do here."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.config import Grant
from app.errors import ErrorCode, Forbidden
from app.scope import Right, storable

Claims = Mapping[str, Any]

ANY = "*"
LONGEST_NAME = 200
"""characters of a name, and of a subject"""


def find_access(grants: Sequence[Grant], claims: Claims) -> tuple[str, frozenset[Right]]:
    """Return the project of the first grant that fits, and the rights of all that fit and name that project.

    Raises Forbidden where none fits.
    """
    fitting = [grant for grant in grants if _fits(grant, claims)]
    if not fitting:
        detail = "this account has no access here; ask who runs the service for a grant (GATECAST_OIDC_GRANTS)"
        raise Forbidden(ErrorCode.forbidden, detail)
    project = fitting[0].project
    return project, frozenset(right for grant in fitting if grant.project == project for right in grant.scopes)


def find_name(claims: Claims) -> str:
    """Return what an account is called, with its subject, which nobody may choose and nobody else has."""
    subject = _clean(claims["sub"])
    for claim in ("preferred_username", "email"):
        name = claims.get(claim)
        if isinstance(name, str) and (shown := _clean(name)) and shown != subject:
            return f"{shown} ({subject})"
    return subject


def _clean(text: str) -> str:
    """Return a text as logs and databases take it: one line of what can be printed."""
    return "".join(letter for letter in text if letter.isprintable() and storable(letter)).strip()[:LONGEST_NAME]


def _fits(grant: Grant, claims: Claims) -> bool:
    found = _find(claims, grant.claim)
    if found is None or found is False:
        return False
    if grant.value == ANY:
        return True
    if isinstance(found, str):
        return grant.value in (found, *(found.split() if grant.claim == "scope" else ()))
    if isinstance(found, list):
        return grant.value in [one for one in found if isinstance(one, str)]
    return found is True and grant.value == "true"


def _find(claims: Claims, path: str) -> Any:
    """Return a claim by its name, or by a path of names with dots between them; None where there is none."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found
