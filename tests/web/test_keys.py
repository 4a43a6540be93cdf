"""Where keys are on: the page asks for one, keeps it for its tab, and offers a reader nothing that would be refused."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, expect

from app.config import Settings
from app.services.access.keys import KeyService
from app.storage.engine import Database
from tests.e2e.processes import ONE_JOB, Service
from tests.trained import Trained, publish
from tests.web.test_shell import VIEWS

STARTS_WRITING = re.compile(
    r"(Train|Import|Delete|Edit|Promote|Roll back|Cancel|Start|Write it|Alert me|Retrain|Switch"
    r"|New alert|New key|New project|Rotate|Revoke)\b"
)
"""what stands on buttons and links whose call writes"""


@pytest.fixture
def locked(tmp_path: Path, sqlite_template: Path, trained: Trained) -> Iterator[tuple[str, str]]:
    """The address of a service with keys, a model and no series, and the secret of a key that may only read."""
    shutil.copy(sqlite_template, tmp_path / "gatecast.db")
    url = f"sqlite:///{tmp_path / 'gatecast.db'}"
    settings = Settings(data_dir=tmp_path / "data", database_url=url)
    database = Database(settings.database)
    publish(database, settings, trained, "m", ended=True)
    secret = KeyService(database, True, settings.stale_seconds).create("reader", read_only=True).secret
    database.dispose()
    service = Service(tmp_path, url, GATECAST_AUTH="on", **ONE_JOB)
    try:
        yield service.serve(), secret
    finally:
        service.stop()


def test_a_reader_is_offered_nothing_that_would_be_refused(locked: tuple[str, str], page: Page) -> None:
    url, secret = locked
    refused: list[str] = []

    def listen(response: Response) -> None:
        if response.status == 403:
            refused.append(response.url)

    page.goto(f"{url}/#/models")
    page.get_by_label("Key").fill(secret)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    page.on("response", listen)
    for path in VIEWS:
        page.goto(f"{url}/#/{path}")
        expect(page.locator("main h1")).to_have_count(1)
        expect(page.locator(".loading")).to_have_count(0)
        offered = page.locator("main button, main a").all_inner_texts()
        assert [text for text in offered if STARTS_WRITING.match(text.strip())] == [], path
    assert refused == []
    page.get_by_role("button", name="Forget key").click()
    expect(page.get_by_text("The key was forgotten.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="This service asks for a key")).to_be_visible()
