"""The frame of all views: where one is, which theme, and the key."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Site

VIEWS = (
    "series",
    "series/one?id=a",
    "import",
    "models",
    "models/one?name=m",
    "models/one?name=m&tab=watch",
    "jobs",
    "train",
    "backtests",
    "anomalies",
    "alerts",
    "alerts/edit",
    "alerts/one?name=shell",
    "access",
    "access?tab=projects",
    "access?tab=usage",
    "access?tab=audit",
)

SILENT = {"on": "data", "series": ["b"], "when": {"silent_for": "6h"}, "for": "1W"}
"""an alert that does not fire while these tests run"""


@pytest.fixture(scope="module", autouse=True)
def alert(site: Site) -> None:
    send = [{"webhook": "http://127.0.0.1:9/", "secret": "s"}]
    site.service.call("PUT", "/alerts/shell", {**SILENT, "send": send})


@pytest.mark.parametrize("path", VIEWS)
def test_a_view_has_a_heading_and_no_serious_fault(
    path: str, site: Site, page: Page, check_accessible: Callable[[Page], None]
) -> None:
    page.goto(site.link(path))
    expect(page.locator("main h1")).to_have_count(1)
    expect(page.locator(".loading")).to_have_count(0)
    check_accessible(page)
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_function("document.documentElement.scrollWidth <= 400")


def test_following_a_link_moves_the_focus_to_the_heading(site: Site, page: Page) -> None:
    page.goto(site.link("models"))
    expect(page.locator("main h1")).to_be_visible()
    page.get_by_role("link", name="Jobs").press("Enter")
    expect(page.locator("main h1")).to_be_focused()
    expect(page).to_have_title("Jobs · Gatecast")
    page.go_back()
    expect(page).to_have_title("Models · Gatecast")


def test_an_address_that_shows_nothing_says_so(site: Site, page: Page) -> None:
    page.goto(site.link("nonsense"))
    expect(page.locator("main h1")).to_have_text("There is no such view")


def test_the_theme_is_kept(site: Site, page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(site.link("models"))
    before = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.get_by_role("button", name="Light or dark").click()
    after = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.reload()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == after != before
