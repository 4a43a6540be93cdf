"""Where messages may go: public addresses alone, whatever form or name a private one has."""

import asyncio
from collections.abc import Sequence

import pytest

from app.services.alerts.addresses import AddressRefused, check_host, parse_literal, parse_url, resolve

PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
]
PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
SPELLINGS = ["2130706433", "0x7f000001", "127.1", "127.0.1", "0x7f.1", "127.0.0.1.", "3232235777"]


def pinned(url: str, addresses: Sequence[str] = (), *, allow: bool = False) -> str:
    """Return where a message would go, of a host that resolves to some addresses."""

    async def resolver(host: str, port: int) -> Sequence[str]:
        return addresses

    endpoint = asyncio.run(resolve(parse_url(url), allow, resolver))
    assert endpoint.url == parse_url(url), "the receiver is told the host that was named"
    return str(endpoint.pinned)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_resolves_to_a_private_address_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused, match="GATECAST_WEBHOOK_PRIVATE"):
        pinned("https://hooks.example.org/x", [address])
    with pytest.raises(AddressRefused):
        pinned("https://hooks.example.org/x", ["8.8.8.8", address])
    assert "hooks.example.org" not in pinned("https://hooks.example.org/x", [address], allow=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_pinned(address: str) -> None:
    bracketed = f"[{address}]" if ":" in address else address
    found = pinned("https://hooks.example.org:8443/x?y=1", [address])
    assert parse_literal(parse_url(found).host) == parse_literal(address)
    assert (parse_url(found).port, parse_url(found).raw_path) == (8443, b"/x?y=1")
    check_host(parse_url(f"http://{bracketed}/"), allow_private=False)


@pytest.mark.parametrize(
    "host", [*SPELLINGS, "[::1]", "[::ffff:7f00:1]", "localhost", "LOCALHOST", "a.localhost", "localhost."]
)
def test_every_form_of_a_private_host_is_refused_before_it_is_resolved(host: str) -> None:
    with pytest.raises(AddressRefused):
        check_host(parse_url(f"http://{host}:9/"), allow_private=False)
    check_host(parse_url(f"http://{host}:9/"), allow_private=True)


@pytest.mark.parametrize("spelling", SPELLINGS[:-1])
def test_a_number_is_an_address_and_no_name(spelling: str) -> None:
    assert str(parse_literal(spelling)) == "127.0.0.1"
    assert pinned(f"http://{spelling}/", ["8.8.8.8"], allow=True) == "http://127.0.0.1/"


def test_a_host_without_an_address_is_refused() -> None:
    with pytest.raises(AddressRefused, match="no address"):
        pinned("http://nowhere.example.org/")


@pytest.mark.parametrize(
    "text",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "example.org",
        "//example.org/",
        "http://",
        "https:///x",
        "gopher://x/",
        "http://user:pass@example.org/",
        "http://user@example.org/",
        "javascript:alert(1)",
        "http://[::1",
        "http://a b/",
        "http://0177.0.0.1/",
        "http://example.org/" + "x" * 2000,
    ],
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(AddressRefused):
        parse_url(text)
