"""A backtest: asked for by its form, and what came of it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.processes import PATIENCE
from tests.web.conftest import Site


@pytest.mark.slow
def test_a_backtest_is_asked_for_and_read(site: Site, page: Page, check_accessible: Callable[[Page], None]) -> None:
    page.goto(site.link("backtests"))
    page.get_by_role("button", name="New backtest").click()
    page.get_by_label("Model whose configuration is judged").select_option("m")
    expect(page.get_by_role("list", name="Chosen series")).to_contain_text("a")
    page.get_by_label("Windows of each series").fill("3")
    page.get_by_label("All that take seconds").uncheck()
    for name in ("Drift", "Season mean", "Theta", "ETS"):
        page.get_by_label(name, exact=True).uncheck()
    check_accessible(page)
    page.get_by_role("button", name="Start the backtest").click()

    expect(page.get_by_role("heading", name="Backtest of m")).to_be_visible()
    sentence = page.get_by_text(re.compile(r"MASE [\d.]+: .* season-naive over 3 windows of 1 series"))
    expect(sentence).to_be_visible(timeout=1000 * PATIENCE)
    expect(page.get_by_role("rowheader")).to_have_text(["Model", "Season-naive", "Naive"])
    expect(page.locator("gc-backtest-forecasts canvas")).to_be_visible()
    layers = "document.querySelector('gc-backtest-forecasts gc-chart').layers.map(one => one.x.length)"
    assert page.evaluate(layers) == [61, 36]  # two horizons before the first origin, and it
    check_accessible(page)

    page.get_by_role("link", name="All backtests").click()
    expect(page.get_by_role("row").filter(has_text="succeeded")).to_have_count(1)
