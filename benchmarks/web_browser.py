"""What benchmarks.web measures in the browser."""

import shutil
import time
from dataclasses import dataclass

from playwright.sync_api import Browser, CDPSession, Page, Playwright, Response

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
SHOWN = "() => document.querySelector('main h1') && !document.querySelector('main .loading')"
"""the heading of a view is there, and nothing of it is being loaded"""
DRAW = """async ([version, count]) => {
  const { Chart } = await import(`/static/${version}/parts/chart.js`);
  const chart = document.createElement("gc-chart");
  const main = document.querySelector("main");
  main.replaceChildren(chart);
  await chart.updateComplete;
  await new Promise((done) => setTimeout(done, 300));
  const x = new Float64Array(count);
  const y = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    x[i] = 1.6e9 + 3600 * i;
    y[i] = 50 + 20 * Math.sin(i / 24) + 9 * Math.sin(i / 7) + (i * 7919 % 1000) / 100;
  }
  const began = performance.now();
  chart.layers = [{ name: "y", x, y, kind: "line", color: "actual" }];
  await chart.updateComplete;
  for (;;) {
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    if (chart.querySelector("canvas")) break;
  }
  return performance.now() - began;
}"""
NEXT_FRAME = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
STEPS = 120
"""movements of a pan, one a frame"""


@dataclass(frozen=True)
class FirstLoad:
    """What a browser with an empty cache needs to show a view."""

    bytes: int
    """of the document and its static files, compressed"""
    files: int
    shown_ms: float
    """from the request until all of the view is there"""


@dataclass(frozen=True)
class Drawn:
    """A page with a chart."""

    page: Page
    draw_ms: float


def find_browser(playwright: Playwright) -> Browser:
    """Start the system's Chromium. Ends where there is none."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise SystemExit("no Chromium here: install it (Debian: apt-get install chromium)")
    return playwright.chromium.launch(executable_path=path, args=FLAGS)


def measure_first_load(browser: Browser, url: str, *, warm: bool = False) -> FirstLoad:
    """Open a view with an empty cache, or again with the files that the first opening brought."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    if warm:
        page.goto(url)
        page.wait_for_function(SHOWN)
        page.goto("about:blank")
    root = url.partition("#")[0]
    sizes: list[int] = []

    def count(response: Response) -> None:
        if response.url == root or "/static/" in response.url:
            sizes.append(int(response.headers.get("content-length", 0)))

    page.on("response", count)
    began = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_function(SHOWN)
    shown = 1000 * (time.perf_counter() - began)
    page.wait_for_load_state("networkidle")
    context.close()
    return FirstLoad(sum(sizes), len(sizes), shown)


def open_drawn(browser: Browser, url: str, points: int) -> Drawn:
    """Draw a line of so many points in a chart of the page."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{url}/#/models")
    page.wait_for_function(SHOWN)
    source = str(page.evaluate("document.querySelector('script[type=module]').src"))
    return Drawn(page, float(page.evaluate(DRAW, [source.split("/")[-2], points])))


def measure_panning(browser: Browser, url: str, points: int) -> list[float]:
    """Drag a zoomed chart to and fro; return the milliseconds of the main thread's work in each frame."""
    page = open_drawn(browser, url, points).page
    box = page.locator("gc-chart canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    for _ in range(3):
        page.mouse.wheel(0, -200)
        page.wait_for_timeout(200)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.mouse.down()
    frames = []
    for step in range(STEPS):
        before = read_work(session)
        page.mouse.move(x + 300 * (step % 40 - 20) / 20, y)
        page.evaluate(NEXT_FRAME)
        frames.append(read_work(session) - before)
    page.mouse.up()
    page.context.close()
    return frames


def read_work(session: CDPSession) -> float:
    """Return the milliseconds that the page's main thread has worked: script, style, layout and paint."""
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return 1000 * float(metrics["TaskDuration"])


def measure_search(browser: Browser, url: str, text: str) -> list[float]:
    """Type into the search field, what is between bars at once; return the milliseconds from each to its answer."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(url)
    page.wait_for_function(SHOWN)
    field = page.get_by_role("searchbox")
    field.focus()
    waits = []
    for character in text.split("|"):
        with page.expect_response(lambda answer: "/series?" in answer.url and "q=" in answer.url) as answer:
            began = time.perf_counter()
            page.keyboard.type(character)
        answer.value.finished()
        waits.append(1000 * (time.perf_counter() - began))
    page.context.close()
    return waits
