"""Logging in on the page, with an identity provider that the test runs."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pytest_iam import Server

from tests.e2e.processes import ONE_JOB, PATIENCE, Service, answers, free_port, until
from tests.services.access.test_sessions import add_person, register

GRANTS = [{"claim": "groups", "value": "ml", "scopes": ["read", "forecast"]}]


@pytest.fixture
def guarded(tmp_path: Path, sqlite_template: Path, iam_server: Server) -> Iterator[str]:
    """The address of a service that people log in to."""
    shutil.copy(sqlite_template, tmp_path / "gatecast.db")
    port = free_port()
    url = f"http://localhost:{port}"
    service = Service(
        tmp_path,
        f"sqlite:///{tmp_path / 'gatecast.db'}",
        GATECAST_AUTH="on",
        GATECAST_HOST="localhost",
        GATECAST_PUBLIC_URL=url,
        GATECAST_OIDC_ISSUER=iam_server.url,
        GATECAST_OIDC_CLIENT_ID="page",
        GATECAST_OIDC_SCOPE="openid profile email groups",
        GATECAST_OIDC_GRANTS=json.dumps(GRANTS),
        **ONE_JOB,
    )
    with register(iam_server, url, client_id="page", token_endpoint_auth_method="none"):
        service.start("api", "serve", "--port", str(port))
        until(lambda: answers(f"{url}/readyz"), PATIENCE, "it is ready")
        yield url
        service.stop()


def test_a_person_logs_in_returns_to_the_view_and_signs_out(guarded: str, page: Page, iam_server: Server) -> None:
    add_person(iam_server, "jo", "ml")
    page.goto(f"{guarded}/#/models?q=a")
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    assert page.url == f"{guarded}/#/models?q=a"
    expect(page.get_by_role("link", name="Train")).to_have_count(0)  # it may not
    page.reload()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You have signed out.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


@pytest.mark.slow
def test_somebody_without_access_is_told_so(guarded: str, page: Page, iam_server: Server) -> None:
    add_person(iam_server, "kim", "sales")
    page.goto(guarded)
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_text("Your account has no access here.")).to_be_visible()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
