"""Models: what serves and how good it is; versions compared, promoted and rolled back; schedules; deleting."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Site


def test_a_model_is_listed_with_its_champion_and_opened(site: Site, page: Page) -> None:
    page.goto(site.link("models"))
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="m", exact=True))
    expect(row).to_contain_text("version 1")
    expect(row).to_contain_text("not measured")
    row.get_by_role("link").click()
    expect(page).to_have_title("m · Gatecast")
    expect(page.get_by_text("Frequency h, 12 steps ahead. Version 1 serves, of 2")).to_be_visible()
    expect(page.get_by_role("heading", name="Version 1 serves")).to_be_visible()


def test_a_version_is_promoted_and_rolled_back(
    site: Site, page: Page, check_accessible: Callable[[Page], None]
) -> None:
    page.goto(site.link("models/one?name=m&tab=versions"))
    expect(page.get_by_role("heading", name="Versions 1 and 2 side by side")).to_be_visible()
    check_accessible(page)
    second = page.get_by_role("row").filter(has=page.get_by_role("link", name="Version 2"))
    second.get_by_role("button", name="Promote to version 2").click()
    page.get_by_role("dialog").get_by_role("button", name="Promote").click()
    expect(second).to_contain_text("champion")
    assert site.service.call("GET", "/models/m")["champion"] == 2
    page.get_by_role("button", name="Roll back to version 1").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Roll back").press("Enter")
    expect(second).not_to_contain_text("champion")
    assert site.service.call("GET", "/models/m")["champion"] == 1


def test_a_refresh_is_undone_and_done_again(site: Site, page: Page, check_accessible: Callable[[Page], None]) -> None:
    page.goto(site.link("models/one?name=w"))
    expect(page.get_by_role("heading", name="Version 1.1 serves")).to_be_visible()
    check_accessible(page)
    page.get_by_role("button", name="Go back to revision 0").click()
    expect(page.get_by_role("heading", name="Version 1 serves")).to_be_visible()
    assert site.service.call("GET", "/models/w")["revision"] == 0
    page.get_by_role("button", name="Promote to revision 1").press("Enter")
    expect(page.get_by_role("heading", name="Version 1.1 serves")).to_be_visible()
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(page.get_by_text("Revision 2 of version 1. It did not go live: this model has no parts")).to_be_visible()
    page.goto(site.link("jobs?kind=refresh"))
    expect(page.get_by_role("link", name="Refresh", exact=True)).to_have_count(2)  # and the one that made revision 1


def test_a_bundle_is_saved(site: Site, page: Page, tmp_path: Path) -> None:
    page.goto(site.link("models/one?name=m&tab=versions"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the bundle of version 1").click()
    assert "manifest.json" in zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())).namelist()


def test_a_schedule_says_in_words_when_it_is_due_and_the_service_agrees(site: Site, page: Page) -> None:
    page.goto(site.link("models/one?name=w&tab=schedule"))
    page.get_by_label("How often").first.select_option("Every day at 03:00")
    page.get_by_label("Timezone of these times").fill("Asia/Kolkata")
    page.get_by_label("Timezone of these times").press("Tab")
    preview = page.get_by_role("group", name="Train again").get_by_role("status")
    expect(preview).to_contain_text("That is every day at 03:00; next ")
    page.get_by_role("button", name="Save the schedule").click()
    current = page.get_by_role("listitem").filter(has_text="It is trained again every day at 03:00")
    expect(page.get_by_text("It is not refreshed by the clock.")).to_be_visible()
    expect(current).to_be_visible()
    told = re.search(r"next on (.+? 03:00) \(Asia/Kolkata\)", current.inner_text())
    assert told is not None
    assert told[1] in preview.inner_text()
    page.get_by_role("button", name="End the schedule").click()
    page.get_by_role("dialog").get_by_role("button", name="End the schedule").click()
    expect(page.get_by_text("Nothing is scheduled")).to_be_visible()


def test_a_cron_expression_that_is_none_is_refused_in_words(site: Site, page: Page) -> None:
    page.goto(site.link("models/one?name=w&tab=schedule"))
    page.get_by_label("How often").last.select_option("By five cron fields")
    page.get_by_label("Minute, hour, day, month, day of the week").fill("61 4 * * 1")
    expect(page.get_by_text("These are not five fields that are understood")).to_be_visible()
    page.get_by_role("button", name="Save the schedule").click()
    expect(page.get_by_role("alert")).to_be_visible()


def test_a_model_is_deleted_only_once_its_name_is_typed(site: Site, page: Page) -> None:
    page.goto(site.link("models/one?name=m"))
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete m?")
    dialog.get_by_role("textbox").fill("n")
    dialog.get_by_role("button", name="Delete the model").click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Keep it").click()
    expect(dialog).to_have_count(0)
    assert site.service.call("GET", "/models/m")["name"] == "m"


@pytest.mark.parametrize("tab", ["skill", "schedule"])
def test_other_tabs_have_no_serious_fault(
    tab: str, site: Site, page: Page, check_accessible: Callable[[Page], None]
) -> None:
    page.goto(site.link(f"models/one?name=m&tab={tab}"))
    expect(page.locator("gc-model-skill, gc-model-schedule form")).to_be_visible()
    expect(page.locator(".loading")).to_have_count(0)
    check_accessible(page)
