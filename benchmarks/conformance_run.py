"""The service that benchmarks.conformance asks, and the Schemathesis that asks it."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.conformance_hooks import KEY
from benchmarks.conformance_seed import (
    ALERT,
    MODEL,
    PROJECT,
    RULE,
    SERIES,
    SPARES,
    VERSIONS,
    Caller,
    Seed,
    finish,
    store_series,
    store_watches,
    train,
)
from tests.e2e.processes import Service

ROOT = Path(__file__).resolve().parent.parent
PHASES = ("examples", "coverage", "fuzzing", "stateful")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
"""what an answer must hold. That all that a schema allows is accepted is not among them: ids must exist, spans have an
order, and a schema says neither"""
KNOWN = 0.7
"""share of the cases whose names are of things that there are"""


@dataclass(frozen=True)
class Budget:
    """How long Schemathesis asks."""

    examples: int
    """cases of an operation in the phase of fuzzing, and sequences of calls in the stateful one, at most"""
    seconds: int
    """after which it ends, whatever is left"""
    seed: int


@contextmanager
def serve(folder: Path) -> Iterator[tuple[Caller, Seed]]:
    """Run an API process with keys on, with everything stored that cases name; no worker runs any more."""
    key = f"gk_{secrets.token_urlsafe(32)}"
    file = folder / "key"
    file.write_text(key)
    settings = {"GATECAST_AUTH": "on", "GATECAST_BOOTSTRAP_KEY_FILE": str(file), "GATECAST_LEASE_SECONDS": "15"}
    service = Service(folder, f"sqlite:///{folder / 'gatecast.db'}", **settings)
    try:
        if service.start("migrate", "migrate").wait(60) != 0:
            raise SystemExit(f"the database was not migrated:\n{service.log('migrate')}")
        caller = Caller(service.serve(), key)
        store_series(caller)
        worker = service.worker("worker", GATECAST_PRELOAD="true")
        ids = train(caller)
        store_watches(caller)
        worker.terminate()
        worker.wait(60)
        yield caller, finish(caller, *ids)
    finally:
        service.stop()


def ask(folder: Path, caller: Caller, seed: Seed, budget: Budget) -> tuple[Path, float]:
    """Run Schemathesis; return its report, a line of JSON an event, and the seconds that it took."""
    config = folder / "schemathesis.toml"
    config.write_text("\n".join(_configure(seed, budget)))
    report = folder / "report.ndjson"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    command += [f"{caller.url}/openapi.json", "--header", f"Authorization: Bearer {caller.key}"]
    command += ["--phases", ",".join(PHASES), "--continue-on-failure"]
    command += ["--report", "ndjson", "--report-ndjson-path", str(report), "--no-color"]
    environment = {**os.environ, KEY: str(seed.key), "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "client")])}
    began = time.monotonic()
    with (folder / "schemathesis.log").open("wb") as log:
        subprocess.run(command, env=environment, cwd=folder, stdout=log, stderr=log, check=False)
    return report, time.monotonic() - began


def _configure(seed: Seed, budget: Budget) -> Iterator[str]:
    """Yield the lines of Schemathesis' settings."""
    yield f"seed = {budget.seed}"
    yield f"max-time = {budget.seconds}"
    yield 'hooks = "benchmarks.conformance_hooks"'
    yield "request-timeout = 60"
    yield "max-stream-events = 1"  # a job that nobody runs is followed for ever
    yield "warnings = false"
    yield "[generation]"
    yield f"max-examples = {budget.examples}"
    yield "no-shrink = true"
    yield 'database = "none"'
    yield "[[operations]]"
    yield 'include-path = "/metrics"'
    yield "[operations.checks.ignored_auth]"
    yield "enabled = false"  # it is open on loopback
    yield "[checks]"
    yield "enabled = false"
    for check in CHECKS:
        yield f"[checks.{check}]"
        yield "enabled = true"
    yield "[output.sanitization]"
    yield "enabled = false"
    known = _list_known(seed)
    for name, values in known.items():
        yield f"[dictionaries.{name}]"
        yield f"values = {json.dumps(values)}"
    for operation, parameters in _bind().items():
        yield "[[operations]]"
        yield f"include-path-regex = {json.dumps(operation)}"
        if operation.startswith("^/forecast"):  # a deadline that a case sets is missed
            yield "[operations.checks.not_a_server_error]"
            yield 'expected-statuses = ["2xx", "3xx", "4xx", 503]'
        for parameter, name in parameters.items():
            yield f"[operations.parameters.{json.dumps(parameter)}]"
            yield f"dictionary = {json.dumps(name)}"
            yield f"probability = {KNOWN}"


def _list_known(seed: Seed) -> dict[str, Sequence[Any]]:
    return {
        "series": [*SERIES, *SPARES],
        "models": [MODEL],
        "deletable": [MODEL, *SPARES],
        "beginnings": ["auto", f"{MODEL}@1"],
        "pictures": ["image/svg+xml", "image/png", "*/*"],
        "deadlines": ["60000", "1000", "1"],
        "versions": list(range(1, VERSIONS + 1)),
        "keys": list(seed.keys),
        "jobs": [seed.job, seed.backtest, seed.scan, *seed.queued],
        "backtests": [seed.backtest],
        "scans": [seed.scan],
        "alerts": [ALERT, *SPARES],
        "rules": [RULE, *SPARES],
        "covariates": ["temp", "weather", *SPARES],
        "projects": [PROJECT, *SPARES],
        "frequencies": ["h", "15min", "5min", "D", "W-SUN", "MS", "QS", "B"],
        "timezones": ["UTC", "Europe/Berlin", "America/New_York"],
        "crons": ["0 3 * * 1", "*/5 * * * *", "30 0 1 1 *"],
        "times": ["2024-01-10T00:00:00Z", "2024-01-12", "2024-01-17T15:00:00+00:00", "2024-02-01"],
        "later": ["2030-01-31T00:00:00Z", "2099-01-01"],
        "hooks": ["https://example.org/hook"],
        "levels": ["0.1,0.9", "0.5"],
        "horizons": [1, 12, 24],
        "formats": ["application/json", "*/*", "text/csv", "application/vnd.apache.arrow.stream"],
        "windows": [1, 2],
        "secrets": ["a long random text"],
    }


def _bind() -> Mapping[str, dict[str, str]]:
    """Return which dictionary a parameter of the operations takes, by expressions of their paths."""
    forecast = {"horizon": "horizons", "quantiles": "levels", "origin": "times", "model": "models"}
    bound = {
        "^/series/{": {"path.series_id": "series", "body.ds[*]": "times"},
        "^/models/{name}$": {"path.name": "deletable"},
        "^/models/{name}/(?!versions/{|schedule)": {"path.name": "models"},
        "^/models/{name}/versions/{": {"path.name": "models", "path.number": "versions"},
        "^/models/{name}/schedule": {
            "path.name": "models",
            "body.train": "crons",
            "body.refresh": "crons",
            "body.forecast": "crons",
        },
        "^/jobs/{": {"path.job_id": "jobs"},
        "^/backtests/{": {"path.backtest_id": "backtests"},
        "^/anomalies/{": {"path.scan_id": "scans"},
        "^/alerts/{": {"path.name": "alerts", "body.model": "models"},
        "^/ingest/rules/{": {"path.name": "rules"},
        "^/covariates/{": {"path.name": "covariates"},
        "^/projects/{": {"path.name": "projects"},
        "^/keys/{": {"path.number": "keys"},
        "^/keys$": {"body.expires_at": "later", "query.project": "projects", "body.project": "projects"},
        "^/forecast$": {
            **{f"query.{name}": values for name, values in forecast.items()},
            "query.series[*]": "series",
            "body.series[*]": "series",
            "body.model": "models",
            "body.horizon": "horizons",
            "body.origin": "times",
            "header.x-deadline-ms": "deadlines",
        },
        "^/forecast/chart$": {
            **{f"query.{name}": values for name, values in forecast.items()},
            "query.series[*]": "series",
            "body.series[*]": "series",
            "body.model": "models",
            "body.horizon": "horizons",
            "header.accept": "pictures",
        },
        "^/anomalies$": {
            "body.series[*]": "series",
            "body.model": "models",
            "body.start": "times",
            "body.end": "times",
        },
        "^/anomalies/verdicts$": {"body.series": "series", "body.ds": "times"},
        "^/(train|backtest)$": {
            "body.series.ids[*]": "series",
            "body.model": "models",
            "body.horizon": "horizons",
            "body.n_windows": "windows",
            "body.warm_start": "beginnings",
        },
        "^/(series|series/health|series/import|series/export|observations|audit|models)$": {
            "query.series[*]": "series",
            "body.series[*]": "series",
        },
    }
    return {operation: {**_COMMON, **parameters} for operation, parameters in bound.items()}


_COMMON = {
    "body.freq": "frequencies",
    "body.timezone": "timezones",
    "query.start": "times",
    "query.end": "times",
    "query.since": "times",
    "query.as_of": "times",
    "query.freq": "frequencies",
    "query.timezone": "timezones",
    "header.accept": "formats",
}
"""parameters of whatever operation has them, and the dictionaries that they take"""
