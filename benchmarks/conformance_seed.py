"""What benchmarks.conformance stores before it asks: what the document's examples name, and some to delete."""

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.e2e.conftest import seasonal, stamps
from tests.e2e.processes import PATIENCE, until

MODEL = "bikes"
SERIES = ("bikes/station 7", "bikes/station 8")
SPARES = tuple(f"spare-{number}" for number in range(12))
"""names of series, models, rules, alerts, covariates and projects that may be deleted"""
ALERT = "load-is-high"
RULE = "load"
PROJECT = "team-a"
VERSIONS = 5
"""of the model; all but the first may be deleted"""
_AHEAD = 48
"""hours for which a covariate of the model is known beyond the newest value"""
_TINY = {
    "horizon": 24,
    "training": {"epochs": 1, "steps_per_epoch": 2},
    "network": {"hidden": 8},
    "covariates": {"known_future": ["temp"]},
    "promote": "always",
}
_HOOK = {"webhook": "https://example.org/hook", "secret": "a long random text"}


@dataclass(frozen=True)
class Seed:
    """Names of what is stored, by which cases reach it."""

    key: int
    """number of the key that asks"""
    keys: Sequence[int]
    """numbers of others, that may be revoked"""
    job: str
    """a training that has succeeded"""
    queued: Sequence[str]
    """jobs that wait for ever: nothing runs them"""
    backtest: str
    scan: str


@dataclass(frozen=True)
class Caller:
    """Somebody with a key."""

    url: str
    key: str

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Return the decoded answer. Raises SystemExit where it is an error: nothing can be asked of half a seed."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        sent = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}", **headers}
        for name, value in sent.items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                raw = response.read()
        except urllib.error.HTTPError as e:
            raise SystemExit(f"{method} {path}: {e.code} {e.read()[:500].decode(errors='replace')}") from e
        return json.loads(raw) if raw else None

    def wait(self, path: str) -> None:
        """Wait until a job has succeeded. Raises SystemExit where it does not."""

        def has_succeeded() -> bool:
            job = self.call("GET", path)
            if job["status"] in ("failed", "cancelled"):
                raise SystemExit(f"{path} {job['status']}: {job['error']}")
            return bool(job["status"] == "succeeded")

        until(has_succeeded, PATIENCE, path)


def store_series(caller: Caller) -> None:
    """Store series with observations, and everything that needs no model."""
    for name in (*SERIES, *SPARES):
        fields = {
            "freq": "h",
            "timezone": "UTC",
            "labels": {"city": "Berlin", "kind": "sensor"},
            "static": {"docks": 12},
        }
        caller.call("POST", "/series", {"id": name, **fields})
        n = 400 if name in SERIES else 10
        path = f"/series/{quote(name, safe='')}/observations"
        caller.call("POST", path, {"ds": stamps(n), "y": seasonal(n)})
        columns = {"temp": seasonal(n + _AHEAD, 1), "weather": ["rain", "clear"] * ((n + _AHEAD) // 2)}
        caller.call("POST", path, {"ds": stamps(n + _AHEAD), "covariates": columns})
    for name in (RULE, *SPARES):
        match = {"__name__": f"node_{name}", "job": "~node|edge"}
        rule = {"match": match, "freq": "5min", "aggregate": "mean", "id": "{__name__}/{instance}"}
        caller.call("PUT", f"/ingest/rules/{name}", rule)
    for name in SPARES:
        caller.call("PUT", f"/covariates/{name}", {"kind": "categorical"})
    for name in (PROJECT, *SPARES):
        caller.call("PUT", f"/projects/{name}", {"quotas": {"series": 1000}})
    caller.call("PUT", "/retention", {"series": {"labels": {"kind": "sensor"}}, "keep": "7300D"})


def train(caller: Caller) -> tuple[str, str, str]:
    """Train the model, judge it and scan with it; a worker must run. Returns the ids of the three jobs."""
    body = {"model": MODEL, "series": {"ids": list(SERIES)}, **_TINY}
    for _ in range(VERSIONS):
        job = str(caller.call("POST", "/train", body)["id"])
        caller.wait(f"/jobs/{job}")
    caller.call("PUT", f"/models/{MODEL}/champion", {"version": 1})
    asked = {"model": MODEL, "series": {"ids": [SERIES[0]]}, "n_windows": 2, "baselines": ["naive"]}
    backtest = str(caller.call("POST", "/backtest", asked)["id"])
    caller.wait(f"/jobs/{backtest}")
    wanted = {"model": MODEL, "series": [SERIES[0]], "start": "2024-01-12"}
    scan = str(caller.call("POST", "/anomalies", wanted, Prefer="respond-async")["id"])
    caller.wait(f"/jobs/{scan}")
    return job, backtest, scan


def store_watches(caller: Caller) -> None:
    """Store what needs the model: its schedule, its watch, and alerts."""
    caller.call("PUT", f"/models/{MODEL}/schedule", {"train": "0 3 * * 1", "forecast": "5 * * * *"})
    caller.call("PUT", f"/models/{MODEL}/watch", {"alarms_per_week": 5})
    for name in (ALERT, *SPARES):
        when = {"quantile": 0.9, "above": 450.0, "within": "24h"}
        caller.call("PUT", f"/alerts/{name}", {"on": "forecast", "model": MODEL, "when": when, "send": [_HOOK]})


def finish(caller: Caller, job: str, backtest: str, scan: str) -> Seed:
    """Make keys and jobs that nobody runs, once the worker has ended, and return what there is."""
    number = max(key["id"] for key in caller.call("GET", "/keys")["items"])
    keys = [int(caller.call("POST", "/keys", {"name": name, "scopes": ["read"]})["id"]) for name in SPARES]
    body = {"model": MODEL, "series": {"ids": list(SERIES)}, **_TINY}
    queued = [str(caller.call("POST", "/train", body)["id"]) for _ in range(5)]
    for name in SPARES:
        left = caller.call("POST", "/train", {**body, "model": name})["id"]
        caller.call("POST", f"/jobs/{left}/cancel")
    return Seed(number, keys, job, queued, backtest, scan)
