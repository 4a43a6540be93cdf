"""A service with data, a worker and a trained model, and a browser that looks at it."""

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from app.config import Settings
from app.storage.engine import Database
from tests.e2e.conftest import seasonal, stamps
from tests.e2e.processes import ONE_JOB, Service
from tests.trained import Trained, altered, beside, publish, publish_revision

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
SERIOUS = ("serious", "critical")
PATIENCE_MS = 20_000


@dataclass(frozen=True)
class Site:
    """A running service: model `m` (three quantiles, 12 hours ahead) has two versions, `w` reads covariates and was
    refreshed."""

    url: str
    service: Service

    def link(self, path: str) -> str:
        """Return the address of a view, such as `series/one?id=a`."""
        return f"{self.url}/#/{path}"


@pytest.fixture(scope="session")
def site(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, trained: Trained, trained_beside: Trained
) -> Iterator[Site]:
    """A service whose series `a` and `b` have 400 hours; `b` has covariates for 12 hours more."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(sqlite_template, folder / "gatecast.db")
    url = f"sqlite:///{folder / 'gatecast.db'}"
    _publish(Settings(data_dir=folder / "data", database_url=url), trained, trained_beside, folder)
    service = Service(folder, url, GATECAST_WEBHOOK_PRIVATE="allow", **ONE_JOB)
    try:
        yield Site(service.serve(), _fill(service))
    finally:
        service.stop()


def _publish(settings: Settings, trained: Trained, trained_beside: Trained, folder: Path) -> None:
    database = Database(settings.database)
    publish(database, settings, trained, "m", ended=True)
    publish(database, settings, altered(trained, folder / "second", 1.02), "m", promoted=False, ended=True)
    publish(database, settings, trained_beside, "w", ended=True)
    publish_revision(database, settings, altered(trained_beside, folder / "refreshed", 1.02), "w")
    database.dispose()


def _fill(service: Service) -> Service:
    labels = {"a": {"region": "north"}, "b": {"region": "south"}}
    for name in labels:
        service.call("POST", "/series", {"id": name, "freq": "h", "unit": "kW", "labels": labels[name]})
        columns = {k: v for k, v in beside(412).items() if name == "b"}
        body = {"ds": stamps(412), "y": [*seasonal(400), *[None] * 12], "covariates": columns}
        if name == "a":
            body = {"ds": stamps(400), "y": seasonal(400)}
        service.call("POST", f"/series/{name}/observations", body)
    service.worker("worker")
    return service


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium as the system has it; without it these tests are skipped, loudly."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        warnings.warn(pytest.PytestWarning("no Chromium here: the page is NOT tested"), stacklevel=1)
        pytest.skip("no Chromium: install it (Debian: apt-get install chromium), or name it in CHROMIUM")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of its own, 1280 × 900; the test fails where the console has errors but those of refused calls."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            errors.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def check_accessible() -> Callable[[Page], None]:
    """A function that fails where axe finds a serious fault on a page, light or dark."""

    def check(page: Page) -> None:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found = Axe().run(page).response["violations"]
            faults = [
                f"{scheme}: {one['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
                for one in found
                if one["impact"] in SERIOUS
                for node in one["nodes"]
            ]
            assert faults == []

    return check
