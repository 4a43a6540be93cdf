"""The queue, and one job: watched while it runs, cancelled, and after its end."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.processes import PATIENCE, until
from tests.web.conftest import Site

LONG = {"epochs": 10_000, "steps_per_epoch": 2}


@pytest.fixture(autouse=True)
def nothing_runs_on(site: Site) -> Iterator[None]:
    """A test leaves no job behind that the next one's would wait for."""
    yield
    for status in ("queued", "running"):
        for job in site.service.call("GET", f"/jobs?status={status}")["items"]:
            site.service.call("POST", f"/jobs/{job['id']}/cancel")


def start(site: Site, model: str, **options: object) -> str:
    """Ask for a training, and return its job's id."""
    body = {"model": model, "series": {"ids": ["a"]}, "horizon": 12, "promote": "never", **options}
    return str(site.service.call("POST", "/train", body)["id"])


def count_epochs(page: Page) -> int:
    """Return the last epoch of the curve that is drawn, which begins with the first."""
    epochs = page.evaluate("document.querySelector('gc-loss-curve').curve.epochs")
    assert epochs == list(range(1, len(epochs) + 1))
    return len(epochs)


@pytest.mark.slow
def test_a_job_is_watched_live_from_the_middle_and_its_best_kept_while_another_waits_and_is_cancelled(
    site: Site, page: Page, check_accessible: Callable[[Page], None]
) -> None:
    job = start(site, "live", training=LONG)
    until(lambda: len(site.service.call("GET", f"/jobs/{job}/losses")["epochs"]) >= 3, PATIENCE, "three epochs")
    waiting = start(site, "waiting", training=LONG)

    page.goto(site.link("jobs"))
    rows = page.get_by_role("row").filter(has_text="of live").or_(page.get_by_role("row").filter(has_text="of waiting"))
    expect(rows).to_contain_text(["running", "no. 1 in the queue"])
    rows.first.get_by_role("link").click()

    expect(page.get_by_role("heading", name="Training of live")).to_be_visible()
    expect(page.locator("gc-loss-curve canvas")).to_be_visible()
    seen = count_epochs(page)
    assert seen >= 3
    until(lambda: count_epochs(page) > seen, PATIENCE, "the curve grows")
    expect(page.get_by_text("The best epoch so far is")).to_be_visible()
    page.get_by_label("Log scale").check()
    expect(page).to_have_url(site.link(f"jobs/one?id={job}&log=1"))
    check_accessible(page)

    page.get_by_role("button", name="Stop and keep the best").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Stop and keep the best").press("Enter")
    expect(page.get_by_text("It was cancelled after")).to_be_visible(timeout=1000 * PATIENCE)
    expect(page.get_by_text("stopped early by its user")).to_be_visible()
    expect(page.locator("gc-loss-curve canvas")).to_be_visible()
    page.get_by_role("link", name="Version 1 of live").click()
    expect(page.get_by_text("The training was stopped by its user")).to_be_visible()
    quality = re.compile(r"MASE [\d.]+: .* season-naive, on data that it had not seen")
    expect(page.get_by_text(quality)).to_be_visible()
    expect(page.get_by_role("rowheader")).to_contain_text(["This version", "Season-naive", "Naive"])
    expect(page.locator("gc-loss-curve canvas")).to_be_visible()

    page.goto(site.link(f"jobs/one?id={waiting}"))
    page.get_by_role("button", name="Cancel").click()
    dialog = page.get_by_role("dialog", name="Cancel this training?")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.get_by_role("button", name="Cancel").click()
    dialog.get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_text("It was cancelled")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


def test_a_job_that_failed_says_why_and_what_to_do(site: Site, page: Page) -> None:
    job = start(site, "late", timeout_s=0.001)
    until(lambda: site.service.call("GET", f"/jobs/{job}")["status"] == "failed", PATIENCE, "it has failed")
    page.goto(site.link("jobs?status=failed&model=late"))
    expect(page.get_by_label("Status")).to_have_value("failed")
    page.get_by_role("link", name="Training", exact=True).click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The job failed")
    expect(alert).to_contain_text("What to do: Set a longer timeout_s")


def test_filters_of_the_queue_are_in_the_address(site: Site, page: Page) -> None:
    page.goto(site.link("jobs"))
    page.get_by_label("Kind").select_option("backtest")
    page.get_by_label("Model").fill("nothing")
    page.get_by_label("Model").press("Enter")
    expect(page).to_have_url(site.link("jobs?kind=backtest&model=nothing"))
    expect(page.get_by_text("No job is like that.")).to_be_visible()
    page.get_by_role("link", name="Show all jobs").click()
    expect(page.get_by_label("Kind")).to_have_value("")


def test_a_job_that_is_not_there_says_so(site: Site, page: Page) -> None:
    page.goto(site.link("jobs/one?id=none"))
    expect(page.get_by_role("alert")).to_contain_text("there is no such job")
