"""Train: what is suggested, what is said before the start, and the call that is sent."""

import re

from playwright.sync_api import Page, expect

from tests.web.conftest import Site


def test_series_by_keyboard_are_enough(site: Site, page: Page) -> None:
    page.goto(site.link("train"))
    expect(page.get_by_role("button", name="Start")).to_be_disabled()
    box = page.get_by_role("combobox", name="Add a series")
    box.press_sequentially("south")
    box.press("Enter")
    expect(page.get_by_label("Name of the model")).to_have_value("b")
    expect(page.get_by_label("Horizon in steps")).to_have_value("24")
    expect(page.get_by_role("button", name="24 = a day of hours")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Before it starts")).to_contain_text("Ready to start")
    expect(page.locator(".snippet")).to_contain_text('-d \'{"model":"b","series":{"ids":["b"]},"horizon":24}\'')
    page.reload()
    expect(page.get_by_role("list", name="Chosen series")).to_contain_text("b")


def test_a_label_takes_all_series_that_have_it(site: Site, page: Page) -> None:
    page.goto(site.link("train"))
    page.get_by_role("radio", name="By label").press("Space")
    page.get_by_role("combobox", name="Add a label that they must have").press_sequentially("north")
    page.get_by_role("option", name="region: north").click()
    expect(page.locator(".picker")).to_contain_text("1 series")
    expect(page.locator(".snippet")).to_contain_text('"series":{"labels":{"region":"north"}}')
    page.get_by_role("button", name="Remove region: north").press("Enter")
    expect(page.locator(".picker")).to_contain_text("No label is chosen yet.")
    page.get_by_role("radio", name="All series").press("Space")
    expect(page.locator(".snippet")).to_contain_text('"series":"all"')


def test_what_would_be_refused_leads_to_its_field(site: Site, page: Page) -> None:
    page.goto(site.link("train?series=a"))
    page.get_by_text("Advanced options").click()
    page.get_by_text("Network", exact=True).click()
    page.get_by_label("Hidden", exact=True).fill("100000")
    page.keyboard.press("Tab")
    expect(page.get_by_role("alert")).to_contain_text("must be between 1 and 2048")
    page.get_by_role("button", name="network.hidden").press("Enter")
    expect(page.get_by_label("Hidden", exact=True)).to_be_focused()
    page.keyboard.type("32")
    page.keyboard.press("Enter")
    expect(page.locator(".snippet")).to_contain_text('"network":{"hidden":32}')
    expect(page.get_by_label("Before it starts")).to_contain_text("Ready to start")


def test_a_model_is_trained_again_as_it_was(site: Site, page: Page) -> None:
    page.goto(site.link("train?model=w"))
    config = site.service.call("GET", "/models/w/versions/1")["config"]
    expect(page.get_by_label("Horizon in steps")).to_have_value(str(config["horizon"]))
    expect(page.get_by_label("Name of the model")).to_have_value("w")
    expect(page.locator(".snippet")).to_contain_text(f'"context_length":{config["network"]["context_length"]}')
    page.get_by_role("button", name="Let network and training be chosen anew").click()
    expect(page.locator(".snippet")).not_to_contain_text("context_length")
    expect(page.locator(".snippet")).to_contain_text("known_future")


def test_start_leads_to_the_job(site: Site, page: Page) -> None:
    page.goto(site.link("train?series=a&horizon=12&name=started"))
    expect(page.get_by_label("Before it starts")).to_contain_text("Ready to start")
    page.get_by_role("button", name="Start").press("Enter")
    expect(page).to_have_url(re.compile(r"#/jobs/one\?id="))
    job = page.url.split("id=")[1]
    site.service.call("POST", f"/jobs/{job}/cancel", {})
    assert site.service.call("GET", f"/jobs/{job}")["model"] == "started"
