"""A service with something to look at: bike rentals by the hour, five shops by the day, and models of both."""

import datetime
import io
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from app.cli.demo_data import SERIES, WEATHER, load
from tests.e2e.processes import Service, until

SHOPS = (("north", 120.0), ("north", 80.0), ("south", 200.0), ("south", 15.0), ("west", 60.0))
"""region, and takings of a usual day"""
BEGIN = datetime.date(2024, 1, 1)
DAYS, AHEAD, WEEK = 760, 30, 7
"""known days; days whose price is known; days that come at a time"""
WEEKS = 3
LOUDER = 1.4
"""what shop 2 takes in the last of them: its model drifts"""
ALERT = "busy-shops"
BUSY = 150.0
"""takings from which on it tells"""
NOBODY = "http://127.0.0.1:9/hook"
"""an address that takes no message"""
MANY, MANY_DAYS = 10_000, 60
PATIENCE_SECONDS = 900


class Site:
    """A running service, and calls of it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.url = service.serve()
        service.worker("worker")
        self._client = httpx2.Client(base_url=self.url, timeout=PATIENCE_SECONDS, trust_env=False)

    def call(self, method: str, path: str, **request: Any) -> Any:
        """Call the service and return the decoded answer. Raises httpx2.HTTPStatusError."""
        answer = self._client.request(method, path, **request)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def finish(self, job: str) -> None:
        """Wait until a job has succeeded. Raises AssertionError."""
        until(lambda: self._read_status(job) not in ("queued", "running"), PATIENCE_SECONDS, "the job has ended")
        assert self._read_status(job) == "succeeded", self.call("GET", f"/jobs/{job}")

    def _read_status(self, job: str) -> str:
        return str(self.call("GET", f"/jobs/{job}")["status"])

    def upload(self, table: bytes, **parameters: str) -> None:
        """Import a long table as CSV."""
        self.call("POST", "/series/import", params=parameters, content=table, headers={"content-type": "text/csv"})


@contextmanager
def serve(folder: Path) -> Iterator[Site]:
    """Run an empty service with a worker."""
    settings = {"GATECAST_LEASE_SECONDS": "15", "GATECAST_WEBHOOK_PRIVATE": "allow"}
    service = Service(folder, f"sqlite:///{folder / 'gatecast.db'}", **settings)
    try:
        assert service.start("migrate", "migrate").wait(60) == 0, service.log("migrate")
        yield Site(service)
    finally:
        service.stop()


def make_shop(number: int, days: range, *, louder: float = 1.0, open_end: int = 0) -> Iterator[tuple[str, str, float]]:
    """Yield day, takings and price of a shop; the takings of the last `open_end` days are not known: an empty text."""
    _, usual = SHOPS[number]
    for day in days:
        date = BEGIN + datetime.timedelta(days=day)
        price = 7.9 if day // 30 % 4 == 0 else 9.9
        season = 1 + 0.25 * math.sin(2 * math.pi * day / 7) + 0.15 * math.sin(2 * math.pi * day / 365)
        noise = random.Random(f"{number} {day}").gauss(0, 0.06 * usual)
        takings = max(0.0, louder * usual * season * (1.3 if price < 9 else 1.0) + noise)
        known = day < days.stop - open_end
        yield date.isoformat(), f"{takings:.2f}" if known else "", price


def name_shop(number: int) -> str:
    """Return the id of a shop's series."""
    return f"shop {number + 1}/sales"


def fill(site: Site) -> None:
    """Import the series, train a model of each kind, let weeks go by, and run a backtest."""
    bikes = load()
    site.upload(bikes.known.csv(), freq="h")
    fields = _describe("h", "UTC", "bikes", "Bikes rented in an hour", kind="rentals")
    site.call("PUT", f"/series/{SERIES}", json=fields)
    shops = io.StringIO("unique_id,ds,y,price\n")
    shops.seek(0, io.SEEK_END)
    for number in range(len(SHOPS)):
        for ds, y, price in make_shop(number, range(DAYS + AHEAD), open_end=AHEAD):
            shops.write(f"{name_shop(number)},{ds},{y},{price}\n")
    site.upload(shops.getvalue().encode(), freq="D", timezone="Europe/Berlin")
    for number, (region, _) in enumerate(SHOPS):
        fields = _describe("D", "Europe/Berlin", "€", f"Takings of shop {number + 1}", kind="sales", region=region)
        site.call("PUT", f"/series/{name_shop(number)}", json=fields)
    train(site, "bikes", {"ids": [SERIES]}, 24, known_future=list(WEATHER), epochs=8)
    for promote in ("always", "if_better"):
        train(site, "shops", {"labels": {"kind": "sales"}}, 14, known_future=["price"], epochs=8, promote=promote)
    site.call("PUT", "/models/shops/schedule", json={"forecast": "* * * * *", "train": "0 3 * * 0"})
    _set_alerts(site)
    give_access(site)
    for week in range(WEEKS):
        _live_a_week(site, week)
    site.call("PUT", "/models/shops/schedule", json={"forecast": "0 6 * * *", "train": "0 3 * * 0"})
    chosen = {"model": "shops", "series": {"labels": {"kind": "sales"}}, "n_windows": 6}
    site.finish(site.call("POST", "/backtest", json=chosen)["id"])


def fill_many(site: Site) -> None:
    """Import ten thousand short series."""
    table = io.StringIO("unique_id,ds,y\n")
    table.seek(0, io.SEEK_END)
    days = [(BEGIN + datetime.timedelta(days=day)).isoformat() for day in range(MANY_DAYS)]
    for number in range(MANY):
        for day, ds in enumerate(days):
            table.write(f"meter {number},{ds},{10 + (number * 7 + day * 3) % 17}\n")
    site.upload(table.getvalue().encode(), freq="D")


def _describe(freq: str, timezone: str, unit: str, description: str, **labels: str) -> dict[str, Any]:
    return {"freq": freq, "timezone": timezone, "unit": unit, "description": description, "labels": labels}


def train(
    site: Site,
    model: str,
    series: dict[str, Any],
    horizon: int,
    *,
    known_future: list[str],
    epochs: int,
    promote: str = "always",
) -> None:
    """Train a small version and wait for it."""
    body = {
        "model": model,
        "series": series,
        "horizon": horizon,
        "covariates": {"known_future": known_future},
        "training": {"epochs": epochs},
        "promote": promote,
    }
    site.finish(site.call("POST", "/train", json=body)["id"])


def _set_alerts(site: Site) -> None:
    """Switch the watch of the shops on, and have what it finds and what is forecast told."""
    site.call("PUT", "/models/shops/watch", json={"level": 0.99})
    send = [{"webhook": NOBODY, "secret": "a secret of the benchmark"}]
    rules: dict[str, dict[str, Any]] = {
        ALERT: {"on": "forecast", "when": {"quantile": 0.9, "above": BUSY, "within": "7D"}},
        "odd-takings": {"on": "anomaly", "when": {"alarm": True}},
    }
    for name, rule in rules.items():
        site.call("PUT", f"/alerts/{name}", json={**rule, "model": "shops", "send": send})


def give_access(site: Site) -> None:
    """Make keys and projects, as many as a team has."""
    quotas = {"default": {"observations": 1_000_000, "series": 8, "trainings_per_day": 20}, "team-a": {"series": 1000}}
    for name, limits in quotas.items():
        site.call("PUT", f"/projects/{name}", json={"quotas": limits})
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=5, hours=1)
    keys: dict[str, dict[str, Any]] = {
        "dashboard": {"scopes": ["read", "forecast"]},
        "collector": {"scopes": ["write"], "expires_at": soon.isoformat()},
        "nightly training": {"scopes": ["read", "forecast", "write", "train"], "expires_at": "2040-01-31T00:00:00Z"},
        "operations": {"scopes": ["read", "admin"]},
    }
    for name, fields in keys.items():
        site.call("POST", "/keys", json={"name": name, **fields})


def _live_a_week(site: Site, week: int) -> None:
    """Wait until each shop's newest values are forecast by the schedule, then let that happen."""
    first = DAYS + WEEK * week
    origin = (BEGIN + datetime.timedelta(days=first - 1)).isoformat()
    until(lambda: _count_archived(site, origin) == len(SHOPS), 200, "a forecast is archived")
    series = {}
    for number in range(len(SHOPS)):
        louder = LOUDER if (number, week) == (1, WEEKS - 1) else 1.0
        rows = list(make_shop(number, range(first, first + WEEK), louder=louder))
        known = {"ds": [row[0] for row in rows], "y": [float(row[1]) for row in rows]}
        series[name_shop(number)] = known | {"covariates": {"price": [row[2] for row in rows]}}
    site.call("POST", "/observations", json={"series": series})


def _count_archived(site: Site, origin: str) -> int:
    items = site.call("GET", "/models/shops/archive", params={"limit": 1000})["items"]
    return sum(item["origin"].startswith(origin) for item in items)
