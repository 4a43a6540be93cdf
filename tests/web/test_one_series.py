"""The view of one series: what is seen, read and changed there."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.processes import PATIENCE, until
from tests.web.conftest import Site

INTERVAL = re.compile(r"8 of 10 such hours lie between [-\d.,]+ and [-\d.,]+ kW")
EDGE = 2
"""pixels from the last step of the forecast"""


def _hover(page: Page, share: float) -> Locator:
    """Move the hand over the chart, to a share of its width."""
    area = page.locator(".u-over")
    expect(area).to_be_visible()
    box = area.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + share * (box["width"] - EDGE), box["y"] + box["height"] / 2)
    return page.locator(".hover-words")


def test_the_forecast_is_told_in_words_and_its_interval_under_the_hand(site: Site, page: Page) -> None:
    page.goto(site.link("series/one?id=a&model=m"))
    expect(page.locator(".lead")).to_contain_text(INTERVAL)
    expect(page.locator(".lead")).to_contain_text("Over the next 12 hours")
    expect(_hover(page, 1.0)).to_contain_text(INTERVAL)
    expect(_hover(page, 0.3)).to_have_text(re.compile(r"^\d+ Jan 2024, \d\d:00: observed [-\d.,]+ kW\.$"))


def test_keys_zoom_and_the_address_shows_it_again(
    site: Site, page: Page, check_accessible: Callable[[Page], None]
) -> None:
    page.goto(site.link("series/one?id=a&model=m"))
    expect(page.locator(".u-over")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.get_by_role("application").focus()
    page.keyboard.press("+")
    expect(page).to_have_url(re.compile(r"from=2024-01-.*&to=2024-01-"))
    zoomed = _count_rows(page)
    page.reload()
    assert _count_rows(page) == zoomed < 412
    check_accessible(page)
    page.get_by_role("application").focus()
    page.keyboard.press("0")
    expect(page).to_have_url(re.compile("range=all"))
    expect(page.get_by_role("row")).to_have_count(1 + 412)


def _count_rows(page: Page) -> int:
    """Open the table of the chart and count what it shows."""
    expect(page.locator(".lead")).to_be_visible()
    page.get_by_text("Table", exact=True).click()
    rows = page.get_by_role("row")
    expect(rows.first).to_be_visible()
    return rows.count() - 1


def test_what_if_moves_the_forecast_and_is_kept_in_the_address(site: Site, page: Page) -> None:
    page.goto(site.link("series/one?id=b&model=w"))
    page.get_by_text("What if?").click()
    first = page.get_by_label(re.compile("^temp, "), exact=False).first
    expect(first).to_have_value(re.compile(r"\d"))
    before = first.input_value()
    page.get_by_label("Number").fill("50")
    page.get_by_role("button", name="Add as %").click()
    said = page.locator("gc-what-if [aria-live]")
    expect(said).to_contain_text(re.compile(r"[\d.,]+ kW (more|less) \([+−][\d.]+ %\) than without"))
    assert float(first.input_value()) == pytest.approx(1.5 * float(before), rel=1e-4)
    words = said.inner_text()
    page.reload()
    expect(said).to_have_text(words)
    expect(page.get_by_role("button", name="What if", exact=True)).to_be_visible()
    page.get_by_role("button", name="Undo all changes").click()
    expect(said).to_have_text("")
    expect(page).not_to_have_url(re.compile("what="))


def test_earlier_forecasts_and_anomalies_lie_over_what_happened(site: Site, page: Page) -> None:
    body = {"model": "m", "series": {"ids": ["a"]}, "n_windows": 2, "baselines": ["season_naive"]}
    job = site.service.call("POST", "/backtest", body)["id"]
    until(lambda: site.service.call("GET", f"/jobs/{job}")["status"] == "succeeded", PATIENCE, "the backtest")
    page.goto(site.link("series/one?id=a&model=m"))
    page.get_by_label("Earlier forecasts").select_option(job)
    expect(page.get_by_role("button", name="Earlier forecasts")).to_be_visible()
    expect(_hover(page, 0.95)).to_contain_text(
        re.compile(r"was forecast; 8 of 10 such hours were to lie between .* kW")
    )
    expect(page.locator(".hover-words")).to_contain_text(re.compile("it came out (inside|above|below)"))
    page.get_by_role("button", name="Anomalies").first.click()
    expect(page.get_by_text(re.compile(r"99 of 100 ordinary values"))).to_be_visible()
    expect(page).to_have_url(re.compile("anomalies=1"))


def test_labels_are_edited_and_a_series_is_deleted_after_asking(site: Site, page: Page) -> None:
    site.service.call("POST", "/series", {"id": "short lived/one", "freq": "h"})
    body = {"ds": ["2024-01-01T00:00:00", "2024-01-01T01:00:00"], "y": [1.0, 2.0]}
    site.service.call("POST", "/series/short%20lived/one/observations", body)
    page.goto(site.link("series/one?id=short%20lived%2Fone"))
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Labels").fill("city: Bern\nkind: test")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="city: Bern")).to_be_visible()
    assert site.service.call("GET", "/series/short%20lived/one")["labels"] == {"city": "Bern", "kind": "test"}
    page.get_by_role("button", name="Delete …").click()
    page.get_by_role("button", name="Keep it").click()
    page.get_by_role("button", name="Delete …").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page).to_have_url(re.compile("#/series$"))
    assert "short lived/one" not in [one["id"] for one in site.service.call("GET", "/series")["items"]]


def test_a_series_that_is_not_there_is_said_in_a_sentence(site: Site, page: Page) -> None:
    page.goto(site.link("series/one?id=none"))
    expect(page.get_by_role("alert")).to_contain_text("there is no series 'none'")
