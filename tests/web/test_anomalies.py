"""Anomalies: found at once, or by a job that is followed."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.conftest import seasonal, stamps
from tests.web.conftest import Site


def store_spike(site: Site) -> None:
    """Make a series `spiked` whose value at 2024-01-15 00:00 is far too high."""
    y = seasonal(400)
    y[336] += 30
    site.service.call("PUT", "/series/spiked", {"freq": "h"})
    site.service.call("POST", "/series/spiked/observations", {"ds": stamps(400), "y": y})


def test_a_spike_is_found_and_said_in_words(site: Site, page: Page, check_accessible: Callable[[Page], None]) -> None:
    store_spike(site)
    page.goto(site.link("anomalies"))
    page.get_by_role("combobox", name="Series").fill("spik")
    page.get_by_role("option", name="spiked").click()
    page.get_by_label("Model").select_option("m")
    page.get_by_label("From").fill("2024-01-10")
    page.get_by_role("button", name="Find anomalies").click()
    row = page.get_by_role("row").filter(has_text="15 Jan 2024, 00:00")
    expect(row).to_contain_text("above what was expected")
    expect(row).to_contain_text("alarm")
    assert "run=1" in page.url
    check_accessible(page)
    page.get_by_role("button", name="Most improbable first").click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("15 Jan 2024, 00:00")
    page.reload()
    expect(page.get_by_role("row").nth(1)).to_contain_text("15 Jan 2024, 00:00")
    row.get_by_role("link").click()
    expect(page).to_have_title("spiked · Gatecast")


def test_a_scan_that_a_job_makes_is_followed_to_its_result(site: Site, page: Page) -> None:
    store_spike(site)
    page.goto(site.link("anomalies"))
    job = page.evaluate(
        """async () => (await (await fetch("anomalies", {
            method: "POST",
            headers: {"Content-Type": "application/json", Prefer: "respond-async"},
            body: JSON.stringify({model: "m", series: ["spiked", "a"], start: "2024-01-10"}),
        })).json()).id"""
    )
    page.goto(site.link(f"anomalies?scan={job}"))
    expect(page.get_by_role("row").filter(has_text="15 Jan 2024, 00:00")).to_be_visible(timeout=60_000)
    page.locator("gc-anomalies").get_by_label("Series").last.select_option("a")
    expect(page.get_by_text("among 184 values")).to_be_visible()
