"""Pictures of every view of the page, for docs/page.md and the README."""

import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from benchmarks.web_browser import SHOWN
from benchmarks.web_site import ALERT, Site, name_shop

COLORS = 96
"""of a picture's palette: flat surfaces need no more, and the file is a third"""
SIZES = {"narrow": (400, 800), "wide": (1600, 1000)}
SETTLED_MS = 700
"""for what is asked for after a view is shown: health, sparklines, charts"""


def list_views(site: Site) -> dict[str, str]:
    """Return {name of a picture: address}."""
    shop = name_shop(0).replace(" ", "%20").replace("/", "%2F")
    jobs = {job["kind"]: job["id"] for job in reversed(site.call("GET", "/jobs")["items"])}
    return {
        "series": "series",
        "one-series": f"series/one?id={shop}&model=shops",
        "import": "import",
        "train": f"train?series={shop}",
        "models": "models",
        "one-model": "models/one?name=shops",
        "jobs": "jobs",
        "one-job": f"jobs/one?id={jobs['train']}",
        "backtests": "backtests",
        "one-backtest": f"backtests/one?id={jobs['backtest']}",
        "anomalies": f"anomalies?model=shops&series={shop}",
        "watch": "models/one?name=shops&tab=watch",
        "alerts": "alerts",
        "one-alert": f"alerts/one?name={ALERT}",
        "new-alert": f"alerts/edit?model=shops&series={shop}",
        "keys": "access",
        "projects": "access?tab=projects",
        "usage": "access?tab=usage",
        "audit-log": "access?tab=audit",
    }


def take_pictures(browser: Browser, site: Site, folder: Path) -> None:
    """Write a picture of each view, theme and width into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in list_views(site).items():
        for scheme in ("light", "dark"):
            for size, (width, height) in SIZES.items():
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme=scheme,  # type: ignore[arg-type]
                )
                page = context.new_page()
                page.goto(f"{site.url}/#/{path}")
                page.wait_for_function(SHOWN)
                page.wait_for_load_state("networkidle")
                page.wait_for_timeout(SETTLED_MS)
                save(page.screenshot(), folder / f"{name}-{size}-{scheme}.png")
                context.close()
        print(name, flush=True)


def save(picture: bytes, path: Path) -> None:
    """Write a picture with a palette."""
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLORS).save(path, optimize=True)
