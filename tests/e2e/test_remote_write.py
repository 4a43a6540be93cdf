"""A real Prometheus scrapes the service and writes what it finds back into it, as docs/ingest.md says."""

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import PATIENCE, Service, answers, free_port, until

PAGE = Path(__file__).parents[2] / "docs" / "ingest.md"
SCRAPE_SECONDS = 1
RULE = {
    "match": {"__name__": "~gatecast_model_cache_.*|process_resident_memory_bytes", "job": "gatecast"},
    "freq": "2s",
    "aggregate": "max",
    "id": "{job}/{__name__}",
    "late": "1min",
}
KEY = "gk_a-key-that-the-service-is-started-with"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not here: Debian's package has it"),
]


def call(url: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        url,
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"},
        method="GET" if body is None else "PUT",
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


@contextmanager
def scraping(folder: Path, url: str) -> Iterator[str]:
    """Run a Prometheus with the configuration of the page, and yield its address."""
    (config,) = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S) if "remote_write" in block]
    config = config[: config.index("    # optional")].replace("http://gatecast:8000", url).replace("gk_…", KEY)
    scrape = f"""
global:
  scrape_interval: {SCRAPE_SECONDS}s
scrape_configs:
  - job_name: gatecast
    authorization:
      credentials: {KEY}
    static_configs:
      - targets: ["{url.removeprefix("http://")}"]
"""
    (folder / "prometheus.yml").write_text(config + scrape)
    port = free_port()
    command = [
        "prometheus",
        "--config.file",
        str(folder / "prometheus.yml"),
        "--storage.tsdb.path",
        str(folder / "tsdb"),
    ]
    with (folder / "prometheus.log").open("wb") as log:
        listen = f"--web.listen-address=127.0.0.1:{port}"
        process = subprocess.Popen([*command, listen], stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(address + "/-/ready") or None, PATIENCE, "Prometheus is ready")
        yield address
    finally:
        process.terminate()
        process.wait()


def read_sample(address: str, query: str) -> list[tuple[float, float]]:
    """Return (seconds, value) of what a Prometheus has stored of one series lately."""
    found = json.load(urllib.request.urlopen(f"{address}/api/v1/query?query={query}"))["data"]["result"]
    return [(float(ts), float(value)) for one in found for ts, value in one["values"]]


def test_a_prometheus_feeds_series(service: Service) -> None:
    file = service.folder / "key"
    file.write_text(KEY)
    service.environment |= {"GATECAST_AUTH": "on", "GATECAST_BOOTSTRAP_KEY_FILE": str(file)}
    url = service.serve()
    name = "gatecast%2Fprocess_resident_memory_bytes"
    call(f"{url}/ingest/rules/own", RULE)
    with scraping(service.folder, url) as prometheus:

        def fed() -> dict[str, Any] | None:
            rule = call(f"{url}/ingest/rules/own")
            return rule if rule["samples"] >= 5 * 5 and rule["series"] >= 3 else None

        rule = until(fed, PATIENCE, "samples have come")
        assert rule["dropped"] == 0, rule
        found = call(f"{url}/series/{name}/observations")
        until(
            lambda: len(call(f"{url}/series/{name}/observations")["y"]) > len(found["y"]) or None,
            PATIENCE,
            "steps are closed as time goes on",
        )
        found = call(f"{url}/series/{name}/observations")
        stored = read_sample(prometheus, 'process_resident_memory_bytes{job="gatecast"}[5m]'.replace('"', "%22"))
    series = call(f"{url}/series/{name}")
    assert (series["freq"], series["labels"]) == ("2s", {"job": "gatecast"})
    assert len(found["y"]) >= 3
    # the same numbers as Prometheus has itself, in each closed step that it has scraped whole
    by_step: dict[int, list[float]] = {}
    for seconds, value in stored:
        by_step.setdefault(int(seconds // 2 * 2), []).append(value)
    closed = {ds: y for ds, y in zip(found["ds"], found["y"], strict=True) if ds != found["provisional"]}
    ours = {int(datetime.fromisoformat(ds).timestamp()): y for ds, y in closed.items()}
    assert {step: y for step, y in ours.items() if step in by_step} == {
        step: max(by_step[step]) for step in ours if step in by_step
    }
    assert "Error" not in (service.folder / "prometheus.log").read_text()
