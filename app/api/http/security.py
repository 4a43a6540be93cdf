"""Headers that tell browsers what an answer may not be used for. An answer that has one of its own keeps it.

No answer says what other origins may read: without CORS headers browsers let them read nothing.
"""

from collections.abc import Iterable, Mapping

from starlette.types import Scope

Pair = tuple[bytes, bytes]
POLICY = b"content-security-policy"
NOTHING: Pair = (POLICY, b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
"""an answer of the API is data: it loads nothing, and nobody shows it in a frame"""
DOCUMENTATION: Pair = (POLICY, b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'")
"""of the documentation, whose page starts its script inside the document"""
DOCUMENTATION_PATH = "/docs"
ALWAYS: tuple[Pair, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
TLS_ONLY: Pair = (b"strict-transport-security", b"max-age=31536000")
"""sent behind TLS alone: a year without plain HTTP would lock others out"""
FORWARDED_SCHEME = b"x-forwarded-proto"


def secure_headers(
    scope: Scope, given: Mapping[bytes, bytes], own: Iterable[Pair], *, behind_proxy: bool
) -> list[Pair]:
    """Return the headers that an answer lacks.

    Args:
        scope: of the request
        given: its headers
        own: the answer's
        behind_proxy: whether what says that the client came by TLS is believed
    """
    names = {name.lower() for name, _ in own}
    policy = DOCUMENTATION if scope["path"].startswith(DOCUMENTATION_PATH) else NOTHING
    added = [pair for pair in (policy, *ALWAYS) if pair[0] not in names]
    scheme = given.get(FORWARDED_SCHEME, b"").decode("latin-1") if behind_proxy else ""
    if (scheme or scope.get("scheme")) == "https":
        added.append(TLS_ONLY)
    return added
