"""The page in a real browser: first loads, a hundred thousand points, panning, and a list of ten thousand series.

python -m benchmarks.web [--rounds 5]
python -m benchmarks.web --pictures docs/pictures

The second form takes pictures of every view first, light and dark, 400 and 1600 pixels wide, for docs/page.md.
Both need Chromium, and run a service of their own; `--rounds 0` measures nothing.
"""

import argparse
import json
import platform
import statistics
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.serving_report import Row, head
from benchmarks.web_browser import find_browser, measure_first_load, measure_panning, measure_search, open_drawn
from benchmarks.web_pictures import take_pictures
from benchmarks.web_site import Site, fill, fill_many, serve

KILOBYTES, LOAD_MS = 70.0, 500.0
DRAW_MS, FRAME_MS = 100.0, 16.0
LIST_MS, SEARCH_MS = 300.0, 300.0
POINTS = 100_000
VIEWS = {
    "series": "series",
    "one series": "series/one?id=shop%201%2Fsales",
    "import": "import",
    "train": "train",
    "models": "models",
    "one model": "models/one?name=shops",
    "jobs": "jobs",
    "backtests": "backtests",
    "anomalies": "anomalies?model=shops&series=shop%201%2Fsales",
    "watch": "models/one?name=shops&tab=watch",
    "alerts": "alerts",
    "one alert": "alerts/one?name=busy-shops",
    "new alert": "alerts/edit",
    "keys": "access",
    "projects": "access?tab=projects",
    "usage": "access?tab=usage",
    "audit log": "access?tab=audit",
}
"""addresses by what they are called"""


def main() -> None:
    """Run the benchmark and print its table and its line of JSON, or take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement; the median counts")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="take pictures, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatecast-web-") as name, sync_playwright() as playwright:
        browser = find_browser(playwright)
        with serve(Path(name)) as site:
            fill(site)
            if options.pictures is not None:
                take_pictures(browser, site, options.pictures)
            if not options.rounds:
                return
            rows = []
            print(head(), flush=True)
            for row in measure(browser, site, options.rounds):
                rows.append(row)
                print(row.line(), flush=True)
        about = {"benchmark": "web", "chromium": browser.version, "python": platform.python_version()}
        packages = {name: version(name) for name in ("playwright", "fastapi")}
        print(json.dumps(about | packages | {"figures": [row.document() for row in rows]}))


def measure(browser: Browser, site: Site, rounds: int) -> Iterator[Row]:
    """Measure every row."""
    for name, path in VIEWS.items():
        loads = [measure_first_load(browser, f"{site.url}/#/{path}") for _ in range(rounds)]
        size = max(load.bytes for load in loads) / 1000
        more = {"files": max(load.files for load in loads)}
        yield Row(f"first load of {name}: compressed", size, "kB", size, KILOBYTES, "at most", more=more)
        shown = statistics.median(load.shown_ms for load in loads)
        yield Row(f"first load of {name}: shown", shown, "ms", shown, LOAD_MS, "at most")
    drawn = statistics.median(open_drawn(browser, site.url, POINTS).draw_ms for _ in range(rounds))
    yield Row(f"{POINTS} points: drawn", drawn, "ms", drawn, DRAW_MS, "at most")
    frames = measure_panning(browser, site.url, POINTS)
    late = statistics.quantiles(frames, n=20)[-1]
    more = {"frames": len(frames), "median_ms": statistics.median(frames), "slowest_ms": max(frames)}
    yield Row("panning: script and paint of a frame, p95", late, "ms", late, FRAME_MS, "at most", more=more)
    fill_many(site)
    loads = [measure_first_load(browser, f"{site.url}/#/series", warm=True) for _ in range(rounds)]
    opened = statistics.median(load.shown_ms for load in loads)
    yield Row("list of ten thousand series: shown", opened, "ms", opened, LIST_MS, "at most")
    answers = measure_search(browser, f"{site.url}/#/series", "m|e|t|e|r| 7|7")
    typed = statistics.median(answers)
    yield Row(
        "search: from a key to its answer", typed, "ms", typed, SEARCH_MS, "at most", more={"slowest": max(answers)}
    )


if __name__ == "__main__":
    main()
