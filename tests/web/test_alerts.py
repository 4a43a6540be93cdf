"""Alerts made, tested, edited and deleted by the page; a watch and its verdicts; queries to copy."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from app.services.alerts.messages import sign
from tests.e2e.conftest import seasonal, stamps
from tests.e2e.processes import PATIENCE, answers, free_port, until
from tests.services.alerts.receiver import Receiver, receiving
from tests.web.conftest import Site

SECRET = "a secret of the test"
SPIKE = 402
"""position of a value that is far too high"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_an_alert_is_made_by_the_form_and_its_test_is_signed(
    site: Site, page: Page, receiver: Receiver, check_accessible: Callable[[Page], None]
) -> None:
    page.goto(site.link("series/one?id=a&model=m"))
    page.get_by_role("link", name="Alert me").click()
    expect(page.locator("main h1")).to_be_focused()
    expect(page.locator("select[name=model]")).to_have_value("m")
    expect(page.get_by_role("list", name="Chosen series").get_by_role("listitem")).to_have_text(["a×"])
    page.get_by_label("Name").fill("busy")
    page.get_by_role("spinbutton", name="Threshold").fill("450")
    page.get_by_role("spinbutton", name="Fires after").fill("10")
    page.get_by_label("Address").fill(receiver.url)
    page.get_by_label("Secret").fill(SECRET)
    rule = "Within 24 hours, the 90 % quantile of what m forecasts for a is above 450"
    expect(page.get_by_text(f"{rule}. It fires once that has held for 10 minutes")).to_be_visible()
    check_accessible(page)
    page.get_by_role("button", name="Set the alert").click()
    expect(page).to_have_title("busy · Gatecast")
    alert = site.service.call("GET", "/alerts/busy")
    assert alert["series"] == ["a"]
    assert (alert["when"], alert["for"]) == ({"quantile": 0.9, "above": 450.0, "within": "24h"}, "10min")
    page.get_by_role("button", name="Send a test message").click()
    expect(page.get_by_text("The test message was delivered.")).to_be_visible()
    (message,) = receiver.messages
    moment = int(message.headers["X-Gatecast-Signature"].split(",")[0].removeprefix("t="))
    assert message.headers["X-Gatecast-Signature"] == sign(message.raw, SECRET, moment)
    row = page.get_by_role("table").get_by_role("row").filter(has_text="A test, sent by hand")
    expect(row).to_contain_text("yes")
    check_accessible(page)
    assert SECRET not in page.content()


def test_a_test_that_nobody_takes_says_why(site: Site, page: Page, receiver: Receiver) -> None:
    receiver.statuses = [503] * 20
    _put(site, "untaken", receiver)
    page.goto(site.link("alerts/one?name=untaken"))
    page.get_by_role("button", name="Send a test message").click()
    expect(page.get_by_role("status").filter(has_text="The test message is on its way.")).to_contain_text("503")


def test_an_alert_is_changed_without_its_secret_and_deleted(site: Site, page: Page, receiver: Receiver) -> None:
    _put(site, "quiet", receiver)
    page.goto(site.link("alerts"))
    row = page.get_by_role("row").filter(has_text="quiet")
    expect(row).to_contain_text("No new value for 6 hours in b")
    row.get_by_role("link", name="quiet").click()
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Secret")).to_have_value("")
    page.get_by_role("spinbutton", name="Without a value for").fill("9")
    page.get_by_label("Unit of: Without a value for").select_option("D")
    page.get_by_role("button", name="Add a receiver").click()
    page.get_by_label("Alertmanager").last.check()
    page.get_by_label("Address").last.fill("http://127.0.0.1:9093")
    page.get_by_role("button", name="Save the alert").click()
    expect(page).to_have_title("quiet · Gatecast")
    expect(page.get_by_text("No new value for 9 days in b.")).to_be_visible()
    changed = site.service.call("GET", "/alerts/quiet")
    assert changed["when"] == {"silent_for": "9D"}
    assert changed["send"] == [{"webhook": receiver.url}, {"alertmanager": "http://127.0.0.1:9093"}]
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the alert").click()
    expect(page).to_have_title("Alerts · Gatecast")
    assert "quiet" not in [alert["name"] for alert in site.service.call("GET", "/alerts")["items"]]


def test_a_name_that_is_taken_is_refused_and_nothing_replaced(site: Site, page: Page, receiver: Receiver) -> None:
    _put(site, "taken", receiver)
    page.goto(site.link("alerts/edit"))
    page.get_by_label("Name").fill("taken")
    page.locator("select[name=on]").select_option("A job ends")
    expect(page.get_by_text("A job of any model fails. It fires at once")).to_be_visible()
    page.get_by_label("Address").fill(receiver.url)
    page.get_by_role("button", name="Make one").click()
    page.get_by_role("button", name="Set the alert").click()
    expect(page.get_by_role("alert")).to_contain_text("There is an alert taken already")
    assert site.service.call("GET", "/alerts/taken")["on"] == "data"


def _put(site: Site, name: str, receiver: Receiver) -> None:
    send = [{"webhook": receiver.url, "secret": SECRET}]
    rule = {"on": "data", "series": ["b"], "when": {"silent_for": "6h"}, "for": "1D", "send": send}
    site.service.call("PUT", f"/alerts/{name}", rule)


def test_a_watch_is_switched_on_and_what_it_finds_is_judged(
    site: Site, page: Page, check_accessible: Callable[[Page], None]
) -> None:
    y = seasonal(SPIKE + 6)
    y[SPIKE] += 60
    site.service.call("POST", "/series", {"id": "watched", "freq": "h"})
    site.service.call("POST", "/series/watched/observations", {"ds": stamps(SPIKE), "y": y[:SPIKE]})
    page.goto(site.link("models/one?name=m&tab=watch"))
    page.get_by_role("button", name="Switch it on").click()
    page.get_by_label("Those that the champion's training is about").uncheck()
    page.get_by_role("combobox", name="Add a series").fill("watch")
    page.get_by_role("option", name="watched").click()
    page.get_by_role("button", name="Add a rule").click()
    check_accessible(page)
    page.locator("gc-watch-form").get_by_role("button", name="Switch it on").click()
    expect(page.get_by_text("1 series is scanned as values come")).to_contain_text("values below the forecast")
    watch = site.service.call("GET", "/models/m/watch")
    assert (watch["series"], watch["level"], watch["ignore"]) == (["watched"], 0.999, [{"direction": "down"}])
    late = {"ds": stamps(SPIKE + 6)[SPIKE:], "y": y[SPIKE:]}
    site.service.call("POST", "/series/watched/observations", late)
    row = page.get_by_role("row").filter(has_text="watched")
    expect(row).to_contain_text("above what was expected", timeout=30_000)
    check_accessible(page)
    row.get_by_role("button", name="This was normal").click()
    expect(page.get_by_text("0 % were right (precision)")).to_be_visible()
    row.get_by_role("button", name="An anomaly").click()
    expect(page.get_by_text("100 % were right (precision)")).to_contain_text("100 % had raised an alarm (recall)")
    expect(row.get_by_role("button", name="An anomaly")).to_have_attribute("aria-pressed", "true")
    assert [one["verdict"] for one in site.service.call("GET", "/models/m/watch/alarms")["items"]] == ["anomaly"]
    page.get_by_role("button", name="Switch it off").click()
    page.get_by_role("dialog").get_by_role("button", name="Switch it off").click()
    expect(page.get_by_text("The watch is off: it would compare")).to_be_visible()


def test_queries_are_copied_with_the_names_that_the_query_api_knows(site: Site, page: Page) -> None:
    name = 'a "quoted" \\ series'
    site.service.call("POST", "/series", {"id": name, "freq": "h", "labels": {"__name__": "load", "host": 'h"1'}})
    values = {"ds": stamps(60), "y": seasonal(60)}
    site.service.call("POST", "/series/a%20%22quoted%22%20%5C%20series/observations", values)
    page.goto(site.link("series/one?id=a+%22quoted%22+%5C+series&model=m"))
    page.get_by_text("Queries for Grafana and Prometheus").click()
    page.get_by_role("button", name="Copy the query: Original").click()
    expect(page.locator(".notice")).to_have_text("Query copied")
    assert page.evaluate("navigator.clipboard.readText()") == 'load{host="h\\"1"}'
    page.get_by_role("button", name="Copy the query: Actual").click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.startsWith('m:actual'))")
    query = page.evaluate("navigator.clipboard.readText()")
    asked = urlencode({"query": query, "time": "2024-01-03T11:00:00Z"})
    answer = site.service.call("GET", f"/api/v1/query?{asked}")
    assert [one["metric"]["series"] for one in answer["data"]["result"]] == [name]


def test_a_key_that_may_only_read_is_offered_nothing_that_would_be_refused(
    site: Site, page: Page, receiver: Receiver
) -> None:
    _put(site, "seen", receiver)
    site.service.call("PUT", "/models/w/watch", {})
    maker = site.service.start("reader", "keys", "create", "reader", "--read-only")
    port = free_port()
    guarded = site.service.start("guarded", "serve", "--port", str(port), GATECAST_AUTH="on")
    assert maker.wait(60) == 0
    key = next(line for line in site.service.log("reader").splitlines() if line.startswith("gk_"))
    url = f"http://127.0.0.1:{port}"
    until(lambda: answers(f"{url}/readyz"), PATIENCE, "the service that asks for keys is ready")
    page.add_init_script(f"sessionStorage.setItem('gatecast-key', '{key.strip()}')")
    words = {
        "alerts": "No new value for 6 hours in b",
        "alerts/one?name=seen": "It fires once that has held for 1 day",
        "alerts/edit": "Your key may only read",
        "models/one?name=w&tab=watch&edit=1": "scanned as values come",
        "series/one?id=a&model=m": "Queries for Grafana and Prometheus",
    }
    for path, text in words.items():
        page.goto(f"{url}/#/{path}")
        expect(page.get_by_text(text).first).to_be_visible()
        offered = re.compile("alert|test|edit|delete|switch|change|save|normal", re.IGNORECASE)
        main = page.get_by_role("main")
        expect(main.get_by_role("button", name=offered)).to_have_count(0)
        expect(main.get_by_role("link", name=re.compile("^(New alert|Alert me|Edit)"))).to_have_count(0)
    guarded.terminate()
    site.service.call("DELETE", "/models/w/watch")
