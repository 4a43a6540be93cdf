"""The chart that all views share, drawn with made-up layers."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.processes import until
from tests.web.conftest import Site

DRAW = """async (layers) => {
  const root = document.querySelector("script[type=module]").src.replace("main.js", "");
  await import(`${root}parts/chart.js`);
  const chart = document.createElement("gc-chart");
  Object.assign(chart, { layers, label: "Made up", timezone: "Europe/Berlin", freq: "h" });
  chart.addEventListener("range-change", (event) => (window.moved = event.detail));
  document.querySelector("main").append(chart);
}"""
START = 1_704_067_200
"""2024-01-01 in UTC"""
HOUR = 3600


@pytest.fixture
def drawn(site: Site, page: Page) -> Page:
    """A chart of 100 hours, one of them missing, and of 10 hours that begin where those end."""
    page.goto(site.link("nonsense"))
    expect(page.locator("main h1")).to_be_visible()
    page.evaluate(DRAW, [_make_layer("long", 0, 100, missing=50), _make_layer("short", 100, 10)])
    expect(page.locator(".u-over")).to_be_visible()
    return page


PAINTED = """() => {
  const canvas = document.querySelector("gc-chart canvas");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const columns = [];
  for (let x = 0; x < canvas.width; x++) {
    let dark = 0;
    for (let y = 0; y < canvas.height; y++) {
      const at = 4 * (y * canvas.width + x);
      dark += pixels[at + 3] > 200 && pixels[at] < 60;
    }
    columns.push(dark);
  }
  return columns;
}"""
"""how many pixels of the line's colour each column of the canvas has"""


def test_a_dense_line_shows_every_peak(site: Site, page: Page) -> None:
    """Of 20 000 values, 17 a pixel, the one that stands out is as tall as the plot."""
    page.goto(site.link("nonsense"))
    expect(page.locator("main h1")).to_be_visible()
    layer = _make_layer("dense", 0, 20_000)
    layer["y"] = [float(hour % 2) for hour in range(20_000)]
    layer["y"][7000] = 100.0
    page.evaluate(DRAW, [layer])
    expect(page.locator(".u-over")).to_be_visible()
    until(lambda: max(page.evaluate(PAINTED)) > 150, 10, "the peak is drawn")
    columns = page.evaluate(PAINTED)
    tall = [column for column, dark in enumerate(columns) if dark > 150]
    assert len(tall) in (1, 2)
    assert 0.3 < tall[0] / len(columns) < 0.4
    assert sum(1 <= dark < 20 for dark in columns) > 0.85 * len(columns)


def _make_layer(name: str, first: int, count: int, missing: int = -1) -> dict[str, Any]:
    hours = range(first, first + count)
    y = [None if hour == missing else float(hour) for hour in hours]
    return {"name": name, "x": [START + HOUR * hour for hour in hours], "y": y, "kind": "line", "color": "actual"}


def test_csv_has_what_is_shown_in_the_series_own_time(drawn: Page) -> None:
    with drawn.expect_download() as download:
        drawn.get_by_role("button", name="CSV").click()
    rows = list(csv.reader(io.StringIO(Path(download.value.path()).read_text())))
    assert rows[0] == ["ds", "long", "short"]
    assert rows[1] == ["2024-01-01T01:00:00+01:00", "0", ""]
    assert (rows[51][1], rows[52][1]) == ("", "51")
    assert rows[-1] == ["2024-01-05T14:00:00+01:00", "", "109"]
    assert len(rows) == 1 + 110


def test_png_is_a_picture_named_after_the_chart(drawn: Page) -> None:
    with drawn.expect_download() as download:
        drawn.get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename == "Made_up.png"
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_the_legend_hides_a_layer_from_the_table_too(drawn: Page) -> None:
    drawn.get_by_role("button", name="long").click()
    drawn.get_by_text("Table", exact=True).click()
    expect(drawn.get_by_role("columnheader")).to_have_text(["Time (Europe/Berlin)", "short"])
    expect(drawn.get_by_role("row")).to_have_count(1 + 10)


def test_drag_and_wheel_move_what_is_shown(drawn: Page) -> None:
    box = drawn.locator(".u-over").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2
    drawn.mouse.move(middle, box["y"] + 50)
    drawn.mouse.wheel(0, -200)
    zoomed = until(lambda: drawn.evaluate("window.moved"), 5, "the view has moved")
    center = START + HOUR * 109 / 2
    assert zoomed["from"] + zoomed["to"] == pytest.approx(2 * center, abs=HOUR)
    assert zoomed["to"] - zoomed["from"] == pytest.approx(109 * HOUR / 1.2**2, rel=0.01)
    drawn.mouse.down()
    drawn.mouse.move(middle + 100, box["y"] + 50)
    drawn.mouse.up()
    until(lambda: drawn.evaluate("window.moved.from") != zoomed["from"], 5, "the view has moved on")
    width = zoomed["to"] - zoomed["from"]
    assert zoomed["from"] - drawn.evaluate("window.moved.from") == pytest.approx(100 / box["width"] * width, rel=0.02)
    drawn.mouse.dblclick(middle, box["y"] + 50)
    until(lambda: drawn.evaluate("window.moved.from") is None, 5, "all is shown")


def test_keys_read_values_one_by_one(drawn: Page) -> None:
    drawn.get_by_role("application").focus()
    drawn.keyboard.press("Shift+ArrowRight")
    expect(drawn.locator(".hover-words")).to_have_text(re.compile(r"^3 Jan 2024, \d\d:00: long (5\d)$"))
    first = drawn.locator(".hover-words").inner_text()
    drawn.keyboard.press("Shift+ArrowRight")
    expect(drawn.locator(".hover-words")).not_to_have_text(first)
