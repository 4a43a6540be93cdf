"""Whom a request came from, behind proxies that are believed and no others."""

import ipaddress
from collections.abc import Sequence

from starlette.types import Scope

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
FORWARDED = b"x-forwarded-for"
MOST_HOPS = 20
"""addresses of a header that are looked at"""


def find_address(scope: Scope, trusted: Sequence[Network]) -> str | None:
    """Return the address of a request's client: of the nearest that is no trusted proxy."""
    client = scope.get("client")
    address: str | None = client[0] if client else None
    if not is_proxy(scope, trusted):
        return address
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == FORWARDED]
    hops = ",".join(lines).split(",")[-MOST_HOPS:]
    for hop in reversed([part.strip() for part in hops if part.strip()]):
        if not _is_address(hop):
            return address
        address = hop
        if not _is_trusted(hop, trusted):
            break
    return address


def is_proxy(scope: Scope, trusted: Sequence[Network]) -> bool:
    """Say whether a request was handed on by a trusted proxy."""
    client = scope.get("client")
    return bool(trusted) and client is not None and _is_trusted(client[0], trusted)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_trusted(text: str, trusted: Sequence[Network]) -> bool:
    if not _is_address(text):
        return False
    address = ipaddress.ip_address(text)
    return any(address in network for network in trusted if network.version == address.version)
