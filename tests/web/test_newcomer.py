"""A newcomer's whole path: nothing is stored, and at its end stands a forecast. By mouse, and by keyboard alone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.e2e.conftest import seasonal, stamps
from tests.e2e.processes import ONE_JOB, Service

STEPS = 400
MOST_TABS = 80
TRAINING_MS = 120_000


@pytest.fixture
def empty(tmp_path: Path, sqlite_template: Path) -> Iterator[str]:
    """The address of a service that stores nothing, and has a worker."""
    (tmp_path / "gatecast.db").write_bytes(sqlite_template.read_bytes())
    service = Service(tmp_path, f"sqlite:///{tmp_path / 'gatecast.db'}", **ONE_JOB)
    try:
        service.worker("worker")
        yield service.serve()
    finally:
        service.stop()


def write_table() -> str:
    rows = "".join(f"meter,{ds},{y}\n" for ds, y in zip(stamps(STEPS), seasonal(STEPS), strict=True))
    return f"unique_id,ds,y\n{rows}"


def click(locator: Locator) -> None:
    locator.click()


def press(locator: Locator) -> None:
    """Come to an element by the tabulator alone, and press it."""
    page = locator.page
    expect(locator).to_be_visible()
    for _ in range(MOST_TABS):
        if locator.evaluate("node => node === document.activeElement"):
            page.keyboard.press("Enter")
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"not reached by the tabulator: {locator}")


@pytest.mark.parametrize("activate", [click, press], ids=["mouse", "keyboard"])
@pytest.mark.slow
def test_from_a_table_to_a_forecast(activate: Callable[[Locator], None], empty: str, page: Page) -> None:
    page.goto(empty)
    expect(page.locator("main h1")).to_have_text("Series")
    if activate is click:
        content: FilePayload = {"name": "meter.csv", "mimeType": "text/csv", "buffer": write_table().encode()}
        page.locator("gc-file-drop input").set_input_files(content)
    else:
        activate(page.get_by_role("link", name="Paste a table"))
        page.get_by_label("Table, with its header").fill(write_table())
        activate(page.get_by_role("button", name="Check it"))
    expect(page.locator("main")).to_contain_text("400 rows of 1 series would be written.")
    activate(page.get_by_role("button", name="Write it"))
    activate(page.get_by_role("link", name="Train a model on it"))
    expect(page.get_by_label("Before it starts")).to_contain_text("Ready to start")
    activate(page.locator("summary").get_by_text("Advanced options").locator("xpath=ancestor-or-self::summary"))
    activate(page.locator("summary").get_by_text("Training", exact=True).locator("xpath=ancestor-or-self::summary"))
    for name, value in (("Epochs", "2"), ("Steps per epoch", "5")):
        page.get_by_label(name, exact=True).fill(value)
        page.keyboard.press("Enter")
    expect(page.locator(".snippet")).to_contain_text('"epochs":2')
    expect(page.get_by_label("Before it starts")).to_contain_text("Ready to start")
    activate(page.get_by_role("button", name="Start"))
    expect(page.locator("main h1")).to_contain_text("Training of meter")
    version = page.get_by_role("link", name="Version 1 of meter")
    expect(version).to_be_visible(timeout=TRAINING_MS)
    activate(version)
    activate(page.get_by_role("link", name="meter", exact=True))
    expect(page.locator("main")).to_contain_text("8 of 10 such hours lie between")
    expect(page.locator("gc-chart canvas")).to_be_visible()
