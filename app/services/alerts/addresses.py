"""Which addresses a message may be sent to: a name is resolved here, and the connection goes to what was checked."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx2

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> its addresses; raises OSError"""

PORTS = {"http": 80, "https": 443}
LONGEST_URL = 2000
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")


class AddressRefused(ValueError):
    """A message may not go there; its text says why, and what to do."""


@dataclass(frozen=True)
class Endpoint:
    """An address that a message is sent to."""

    url: httpx2.URL
    """as it was given: its host is what the receiver is told, and what its certificate must name"""
    pinned: httpx2.URL
    """the same with the address that was checked in the place of the name"""


def parse_url(text: str) -> httpx2.URL:
    """Return an address of a receiver. Raises AddressRefused for one that no message can go to."""
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError, UnicodeError) as e:
        raise AddressRefused(f"this is no URL: {e}") from e
    if not text.isprintable() or " " in text:
        raise AddressRefused("a URL has no blanks")
    if len(text) > LONGEST_URL:
        raise AddressRefused(f"a URL has {LONGEST_URL} characters at most")
    if url.scheme not in PORTS or not url.host:
        raise AddressRefused("send a URL that begins with http:// or https:// and names a host")
    if url.userinfo:
        raise AddressRefused("leave user and password out of the URL: whoever may read the alert would see them")
    return url


def parse_literal(host: str) -> IPAddress | None:
    """Return the address that a host is, in any form that systems read: `127.1`, `2130706433`, `0x7f.1`, `[::1]`."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host.rstrip(".")))
    except (OSError, UnicodeError):
        return None


def is_public(address: IPAddress) -> bool:
    """Say whether an address is one of the public internet, and so are those that it stands for."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _list_embedded(address)
        if inner and (address in _NAT64 or address.ipv4_mapped is not None):
            return all(map(is_public, inner))
        if not all(map(is_public, inner)):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _list_embedded(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses that an IPv6 address leads to: mapped, compatible, 6to4, Teredo, NAT64."""
    embedded = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or int(address) >> 32 == 0:
        embedded.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return [one for one in embedded if one is not None]


def check_host(url: httpx2.URL, allow_private: bool) -> None:
    """Check what a host says without resolving it. Raises AddressRefused."""
    if allow_private:
        return
    literal = parse_literal(url.host)
    name = url.host.lower().rstrip(".")
    if literal is None and (name in _LOCAL_NAMES or name.endswith(".localhost")):
        raise _refused(url.host)
    if literal is not None and not is_public(literal):
        raise _refused(url.host)


async def resolve(url: httpx2.URL, allow_private: bool, resolver: Resolver) -> Endpoint:
    """Resolve the host of an address once, and check all that it resolves to. Raises AddressRefused, OSError."""
    port = url.port or PORTS[url.scheme]
    literal = parse_literal(url.host)
    found = [str(literal)] if literal is not None else await resolver(url.host, port)
    addresses = [address for address in map(parse_literal, found) if address is not None]
    if not addresses:
        raise AddressRefused(f"{url.host} has no address")
    if not allow_private and not all(map(is_public, addresses)):
        raise _refused(url.host)
    return Endpoint(url, url.copy_with(host=str(addresses[0])))


async def resolve_by_system(host: str, port: int) -> list[str]:
    """Return the addresses of a host by the system's resolver. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _refused(host: str) -> AddressRefused:
    return AddressRefused(
        f"{host} is no address of the public internet; where messages shall go to this machine or a private network, "
        "set GATECAST_WEBHOOK_PRIVATE=allow"
    )
