"""Whom a request came from: only proxies that are named are believed."""

from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from app.api.http.addresses import find_address
from app.config import Settings

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("client", "forwarded", "found"),
    [
        ("192.0.2.1", "198.51.100.9", "192.0.2.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "203.0.113.5, 198.51.100.9, 10.1.1.1", "198.51.100.9"),
        ("10.0.0.1", "10.2.2.2, 10.1.1.1", "10.2.2.2"),
        ("10.0.0.1", "198.51.100.9, nonsense", "10.0.0.1"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"),
        ("testclient", "198.51.100.9", "testclient"),
    ],
)
def test_the_nearest_that_is_no_trusted_proxy_is_told(client: str, forwarded: str, found: str) -> None:
    for lines in ([forwarded], forwarded.split(",")):
        scope = {"client": (client, 1), "headers": [(b"x-forwarded-for", line.encode()) for line in lines]}
        assert find_address(scope, TRUSTED) == found
        assert find_address(scope, ()) == client


def test_a_request_without_a_client_has_no_address() -> None:
    assert find_address({"client": None, "headers": []}, TRUSTED) is None


def test_networks_are_read_from_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATECAST_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1")
    assert [str(network) for network in Settings().trusted_proxies] == ["10.0.0.0/8", "192.0.2.1/32"]
    monkeypatch.setenv("GATECAST_TRUSTED_PROXIES", "somewhere")
    with pytest.raises(ValidationError, match="networks such as"):
        Settings()
