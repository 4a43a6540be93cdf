"""Keys, projects, usage and the audit log on the page of a service that asks for keys."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.processes import ONE_JOB, Service
from tests.web.conftest import PATIENCE_MS

BOOTSTRAP = "a-bootstrap-key-of-the-tests"
PAGE = 50
"""entries of the audit log that are shown at a time"""


@dataclass(frozen=True)
class Guarded:
    """A service that asks for keys, and calls of it."""

    url: str
    client: httpx2.Client

    def call(self, method: str, path: str, body: object = None, key: str = BOOTSTRAP) -> Any:
        """Call the service with a key and return the decoded answer; a status of 400 or more fails."""
        answer = self.ask(key, path, method, body)
        assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None

    def ask(self, key: str, path: str = "/access", method: str = "GET", body: object = None) -> httpx2.Response:
        """Call the service with a key, and return whatever it answers."""
        headers = {"Authorization": f"Bearer {key}"}
        return self.client.request(method, path, json=body, headers=headers)

    def make_key(self, name: str, *scopes: str, **fields: str) -> str:
        """Make a key and return its secret."""
        return str(self.call("POST", "/keys", {"name": name, "scopes": scopes, **fields})["key"])

    def open(self, page: Page, path: str, key: str = BOOTSTRAP) -> None:
        """Show a view with a key."""
        page.add_init_script(f"sessionStorage.setItem('gatecast-key', '{key}')")
        page.goto(f"{self.url}/#/{path}")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Guarded]:
    """A service without data, whose bootstrap key may do everything."""
    folder = tmp_path_factory.mktemp("guarded")
    shutil.copy(sqlite_template, folder / "gatecast.db")
    secret = folder / "key"
    secret.write_text(BOOTSTRAP)
    settings = {"GATECAST_AUTH": "on", "GATECAST_BOOTSTRAP_KEY_FILE": str(secret)}
    service = Service(folder, f"sqlite:///{folder / 'gatecast.db'}", **settings, **ONE_JOB)
    try:
        url = service.serve()
        with httpx2.Client(base_url=url, timeout=60, trust_env=False) as client:
            yield Guarded(url, client)
    finally:
        service.stop()


def _find_row(page: Page, text: str) -> Locator:
    return page.get_by_role("row").filter(has_text=text)


def _check_narrow(page: Page) -> None:
    """Fail where a page is wider than a telephone."""
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_function("document.documentElement.scrollWidth <= 400")
    page.set_viewport_size(size)


def _read_secret(page: Page) -> str:
    """Return the secret that a dialog shows, and close that."""
    secret = page.get_by_role("dialog").get_by_label("Key", exact=True).input_value()
    page.get_by_role("button", name="I have kept it").click()
    expect(page.locator("dialog")).to_have_count(0)
    return secret


def test_a_key_is_made_and_its_secret_shown_once(
    guarded: Guarded, page: Page, check_accessible: Callable[[Page], None]
) -> None:
    guarded.open(page, "access")
    expect(page).to_have_title("Keys · Gatecast")
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name").fill("dashboard")
    for scope in ("read", "forecast"):
        page.get_by_role("checkbox", name=re.compile(f"^{scope}")).uncheck()
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("alert")).to_contain_text("No scope is chosen")
    for scope in ("train", "read"):
        page.get_by_role("checkbox", name=re.compile(f"^{scope}")).check()
    page.get_by_label("Expires on").fill("2200-01-31")
    check_accessible(page)
    _check_narrow(page)
    page.get_by_role("button", name="Make the key").click()
    dialog = page.get_by_role("dialog", name="The key dashboard is made")
    expect(dialog).to_contain_text("it is shown this once, and is not shown again")
    page.keyboard.press("Escape")
    dialog.get_by_role("button", name="Copy the key").click()
    expect(dialog.get_by_role("status")).to_have_text("It is on the clipboard.")
    assert "gk_" not in page.url
    secret = _read_secret(page)
    assert page.evaluate("navigator.clipboard.readText()") == secret
    assert guarded.call("GET", "/access", key=secret)["rights"] == ["read", "train"]
    (made,) = [key for key in guarded.call("GET", "/keys")["items"] if key["name"] == "dashboard"]
    assert made["expires_at"] == "2200-01-31T00:00:00+00:00"
    row = _find_row(page, "dashboard")
    expect(row).to_contain_text(secret[:9])
    expect(row).to_contain_text("31 Jan 2200")
    expect(row.locator(".badge")).to_have_text(["read", "train"])
    kept = "JSON.stringify([document.body.outerHTML, {...localStorage}, {...sessionStorage}, location.href])"
    assert secret not in page.evaluate(kept)
    page.reload()
    expect(_find_row(page, "dashboard")).to_contain_text("just now")
    assert secret not in page.evaluate(kept)


def test_a_key_that_ends_soon_and_one_that_was_never_used_stand_out(guarded: Guarded, page: Page) -> None:
    guarded.make_key("idle", "read")
    end = datetime.now(UTC) + timedelta(days=3, minutes=10)
    guarded.make_key("short", "read", expires_at=end.isoformat())
    guarded.open(page, "access")
    cells = _find_row(page, "idle").get_by_role("cell")
    expect(cells.nth(4)).to_have_text("never")
    expect(cells.nth(5)).to_have_text("never")
    expect(_find_row(page, "short").locator(".badge.warn")).to_have_text("in 3 days")


def test_a_key_is_rotated_and_the_secret_before_works_as_long_as_was_chosen(guarded: Guarded, page: Page) -> None:
    first = guarded.make_key("rotated", "read")
    guarded.open(page, "access")
    page.get_by_role("button", name="Rotate rotated").click()
    expect(page.get_by_label("The secret before works")).to_have_value("24h")
    page.get_by_role("button", name="Rotate the key").click()
    second = _read_secret(page)
    expect(_find_row(page, "rotated")).to_contain_text(second[:9])
    assert [guarded.ask(secret).status_code for secret in (first, second)] == [200, 200]
    page.get_by_role("button", name="Rotate rotated").click()
    page.get_by_label("The secret before works").select_option("no more: it ends at once")
    expect(page.get_by_role("dialog")).to_contain_text("refused from the next request on")
    page.get_by_role("button", name="Rotate the key").click()
    third = _read_secret(page)
    assert [guarded.ask(secret).status_code for secret in (first, second, third)] == [401, 401, 200]
    page.get_by_role("button", name="Rotate rotated").click()
    page.get_by_role("button", name="Cancel").click()
    assert guarded.ask(third).status_code == 200


def test_rotating_the_key_of_the_page_itself_still_shows_the_new_secret(guarded: Guarded, page: Page) -> None:
    own = guarded.make_key("of the page", "read", "admin")
    guarded.open(page, "access", own)
    page.get_by_role("button", name="Rotate of the page").click()
    page.get_by_label("The secret before works").select_option("no more: it ends at once")
    expect(page.get_by_role("dialog")).to_contain_text("the page asks for another")
    page.get_by_role("button", name="Rotate the key").click()
    expect(page.get_by_role("dialog").get_by_label("Key", exact=True)).to_have_value(re.compile("^gk_"))
    expect(page.get_by_role("heading", name="This service asks for a key", include_hidden=True)).to_have_count(1)
    secret = _read_secret(page)
    page.get_by_label("Key").fill(secret)
    page.keyboard.press("Enter")
    expect(_find_row(page, "of the page")).to_contain_text(secret[:9])


def test_a_key_is_revoked_after_asking(guarded: Guarded, page: Page) -> None:
    secret = guarded.make_key("leaked", "read")
    guarded.open(page, "access")
    page.get_by_role("button", name="Revoke leaked").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"Whoever uses leaked ({secret[:9]}…, of default)")
    page.get_by_role("button", name="Keep it").click()
    assert guarded.ask(secret).status_code == 200
    page.get_by_role("button", name="Revoke leaked").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke leaked").click()
    expect(page.locator(".notice")).to_have_text("leaked is revoked")
    expect(_find_row(page, "leaked")).to_have_count(0)
    assert guarded.ask(secret).status_code == 401


def test_a_reader_is_shown_usage_alone(guarded: Guarded, page: Page) -> None:
    guarded.open(page, "series", guarded.make_key("reader", "read"))
    page.get_by_role("link", name="Access").click()
    expect(page.get_by_role("table")).to_contain_text("Stored observations")
    expect(page).to_have_title("Usage · Gatecast")
    expect(page.get_by_role("navigation")).to_have_count(1)
    for tab in ("keys", "projects", "audit"):
        page.goto(f"{guarded.url}/#/access?tab={tab}&new=1")
        expect(page.get_by_text("Your key lacks the scope admin.")).to_be_visible()
        expect(page.locator("main button, main table")).to_have_count(0)


def test_a_key_that_may_not_read_is_not_offered_the_view(guarded: Guarded, page: Page) -> None:
    guarded.open(page, "access", guarded.make_key("collector", "write"))
    expect(page.get_by_text("Your key lacks the scope read.")).to_be_visible()
    expect(page.get_by_role("link", name="Access")).to_have_count(0)


def test_a_project_is_made_filled_and_deleted(
    guarded: Guarded, page: Page, check_accessible: Callable[[Page], None]
) -> None:
    guarded.call("PUT", "/projects/taken", {"quotas": {"models": 3}})
    guarded.open(page, "access?tab=projects")
    page.get_by_role("button", name="New project").click()
    page.get_by_label("Name").fill("taken")
    page.get_by_label("Series", exact=True).fill("2")
    page.get_by_label("Trainings within 24 hours").fill("1")
    check_accessible(page)
    _check_narrow(page)
    page.get_by_role("button", name="Make the project").click()
    expect(page.get_by_role("alert")).to_contain_text("There is a project taken already")
    assert guarded.call("GET", "/projects/taken")["quotas"] == {"models": 3}
    page.get_by_label("Name").fill("team-a")
    page.get_by_role("button", name="Make the project").click()
    expect(_find_row(page, "team-a")).to_contain_text("2 series, 1 training a day")
    assert guarded.call("GET", "/projects/team-a")["quotas"] == {"series": 2, "trainings_per_day": 1}
    page.get_by_role("link", name="make one").click()
    expect(page.get_by_role("combobox", name="Project", exact=True)).to_have_value("team-a")
    page.get_by_label("Name").fill("of the team")
    page.get_by_role("checkbox", name=re.compile("^write")).check()
    page.get_by_role("button", name="Make the key").click()
    key = _read_secret(page)
    expect(_find_row(page, "of the team")).to_contain_text("team-a")
    assert guarded.call("GET", "/access", key=key)["project"] == "team-a"
    _look_at_usage(guarded, page, key)
    page.goto(f"{guarded.url}/#/access?tab=projects")
    page.get_by_role("button", name="Change the quotas of team-a").click()
    expect(page.get_by_label("Trainings within 24 hours")).to_have_value("1")
    page.get_by_label("Trainings within 24 hours").fill("")
    page.get_by_label("Stored observations").fill("1000000")
    page.get_by_role("button", name="Save the quotas").click()
    expect(_find_row(page, "team-a")).to_contain_text("1,000,000 observations, 2 series")
    assert guarded.call("GET", "/projects/team-a")["quotas"] == {"series": 2, "observations": 1_000_000}
    page.get_by_role("button", name="Delete team-a").click()
    expect(page.get_by_role("dialog")).to_contain_text("Everything in it is lost")
    page.get_by_label("Type team-a to go on").fill("team-a")
    page.get_by_role("button", name="Delete the project").click()
    expect(_find_row(page, "team-a")).to_have_count(0)
    expect(page.get_by_role("button", name="Delete default")).to_have_count(0)
    assert guarded.ask(key).status_code == 401


def _look_at_usage(guarded: Guarded, page: Page, key: str) -> None:
    """Store a series with a key of a project that may have two, and read the usage in a tab of its own."""
    guarded.call("POST", "/series", {"id": "one", "freq": "h"}, key)
    other = page.context.new_page()
    other.set_default_timeout(PATIENCE_MS)
    guarded.open(other, "access", key)
    row = other.get_by_role("row").filter(has=other.get_by_role("rowheader", name="Series", exact=True))
    expect(row).to_have_text(re.compile(r"Series\s*1\s*2\s*50 %"))
    expect(row.get_by_role("progressbar")).to_have_js_property("value", 0.5)
    unlimited = other.get_by_role("row").filter(has_text="Stored observations")
    expect(unlimited).to_contain_text("no limit")
    expect(unlimited.get_by_role("progressbar")).to_have_count(0)
    guarded.call("POST", "/series", {"id": "two", "freq": "h"}, key)
    other.get_by_role("button", name="Look again").click()
    expect(row).to_contain_text("used up")
    other.close()


def test_an_admin_of_another_project_is_offered_no_other(guarded: Guarded, page: Page) -> None:
    guarded.call("PUT", "/projects/theirs", {})
    guarded.open(page, "access?tab=projects&new=1", guarded.make_key("theirs", "admin", project="theirs"))
    expect(page.get_by_text("yours is of theirs")).to_be_visible()
    expect(_find_row(page, "theirs")).to_contain_text("no limit")
    offered = page.get_by_role("main").get_by_role("button").all_inner_texts()
    assert offered == ["Copy as curl", "Copy as Python"]
    page.get_by_role("link", name="Keys", exact=True).first.click()
    expect(page.get_by_role("row")).to_have_count(2)


def test_the_audit_log_shows_before_and_after_is_filtered_and_exported(
    guarded: Guarded, page: Page, check_accessible: Callable[[Page], None]
) -> None:
    guarded.call("POST", "/series", {"id": "audited", "freq": "h", "unit": "kW"})
    guarded.call("PUT", "/series/audited", {"freq": "h", "unit": "MW"})
    guarded.call("DELETE", "/series/audited")
    guarded.open(page, "access?tab=audit&action=series")
    rows = _find_row(page, "audited")
    expect(rows).to_have_count(3)
    for row, action in zip(rows.all(), ("series.delete", "series.change", "series.create"), strict=True):
        expect(row.get_by_role("cell").nth(1)).to_have_text("key bootstrap")
        expect(row.get_by_role("cell").nth(2)).to_have_text(action)
    expect(rows.nth(1)).to_contain_text("Changed: unit, version")
    rows.nth(1).get_by_role("button", name="details of series.change").click()
    unit = page.locator(".unfolded table tr").filter(has=page.get_by_role("rowheader", name="unit", exact=True))
    expect(unit.get_by_role("cell")).to_have_text(["kW", "MW"])
    expect(page.locator(".unfolded")).to_contain_text("127.0.0.1")
    check_accessible(page)
    rows.first.get_by_role("button", name="series.delete", exact=True).click()
    expect(_find_row(page, "audited")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as JSON lines").click()
    (line,) = download.value.path().read_text().splitlines()
    assert (json.loads(line)["action"], json.loads(line)["target"]) == ("series.delete", "audited")
    page.get_by_label("Since, UTC").fill("2200-01-01")
    page.get_by_label("Since, UTC").press("Tab")
    expect(page.get_by_text("No entry is like that.")).to_be_visible()
    page.get_by_role("link", name="Show all entries").click()
    expect(_find_row(page, "audited")).to_have_count(3)


def test_an_audit_log_of_many_pages_is_paged_and_exported_whole(guarded: Guarded, page: Page) -> None:
    for number in range(PAGE + 2):
        guarded.call("PUT", "/projects/paged", {"quotas": {"models": number}})
    count = len(guarded.call("GET", "/audit?limit=1000&action=project")["items"])
    guarded.open(page, "access?tab=audit&action=project")
    expect(page.get_by_role("row")).to_have_count(1 + PAGE)
    _find_row(page, "Changed: quotas").first.get_by_role("button", name="details of").click()
    expect(page.locator(".unfolded code").first).to_have_text('{"models":50}')
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("row")).to_have_count(1 + count - PAGE)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as JSON lines").click()
    assert len(download.value.path().read_text().splitlines()) == count
    page.get_by_role("link", name="Newest").click()
    expect(page.get_by_role("row")).to_have_count(1 + PAGE)
