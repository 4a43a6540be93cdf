"""Every table of the shared data through HTTP: imported whole, trained for a minute, forecast.

python -m benchmarks.tables [--data ../shared/data] [--table m3 vic_elec] [--seconds 60] [--series 100]

A row of the table is a call of the import: its parameters are all that the data needed, and only documented ones. A
file with several frequencies goes in a part for each, since `freq` is said once a call. Tables that stand beside
another one, a row a time, are joined to the series first, as a user would do it.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import pandas as pd

from benchmarks.tables_list import COMPANIONS, PARTS, Companion, Part
from tests.e2e.processes import Service, until

PARQUET = "application/vnd.apache.parquet"
PATIENCE_SECONDS = 1800
HEAD = f"{'table':28} {'rows':>10} {'series':>7} {'seconds':>8}  {'trained':28} parameters"


@dataclass
class Outcome:
    """What became of a part."""

    name: str
    parameters: dict[str, str]
    rows: int = 0
    stored: int = 0
    series: int = 0
    seconds: float = 0.0
    trained: str = ""
    problem: str = ""

    def line(self) -> str:
        """Return the row of the table."""
        said = urlencode(self.parameters, safe="/:,")
        figures = f"{self.name:28} {self.stored:10} {self.series:7} {self.seconds:8.1f}"
        return f"{figures}  {self.trained:28} {said}" + (f"\n    PROBLEM {self.problem}" if self.problem else "")


class Refused(Exception):
    """The service refused a call; the message is what it said."""


def call(service: Service, method: str, path: str, **request: Any) -> Any:
    """Call the service and return the decoded answer. Raises Refused."""
    answer = httpx2.request(method, service.url + path, timeout=PATIENCE_SECONDS, trust_env=False, **request)
    if not answer.is_success:
        raise Refused(f"{method} {path.partition('?')[0]}: {answer.status_code} {answer.text[:400]}")
    return answer.json() if answer.content else None


def send(service: Service, file: Path, parameters: dict[str, str]) -> Any:
    """Import a Parquet file; return the report. Raises Refused."""
    with file.open("rb") as body:
        return call(
            service, "POST", "/series/import", params=parameters, content=body, headers={"content-type": PARQUET}
        )


@contextmanager
def serve(folder: Path) -> Iterator[Service]:
    """Run an API process and a worker on a new database."""
    service = Service(folder, f"sqlite:///{folder / 'gatecast.db'}", GATECAST_LEASE_SECONDS="15")
    try:
        if service.start("migrate", "migrate").wait(60) != 0:
            raise SystemExit(f"the database was not migrated:\n{service.log('migrate')}")
        service.serve()
        service.worker("worker")
        yield service
    finally:
        service.stop()


def cut(part: Part, data: Path, folder: Path) -> tuple[Path, pd.DataFrame]:
    """Return the file of a part, the whole table or some of its rows, and `unique_id, ds` of its rows."""
    path = data / f"{part.table}.parquet"
    if part.where is None:
        return path, pd.read_parquet(path, columns=["unique_id", "ds"])
    column, values = part.where
    frame = pd.read_parquet(path)
    frame = frame[frame[column].isin(values) != part.others]
    target = folder / f"{part.name.replace('/', '-')}.parquet"
    frame.to_parquet(target, index=False)
    return target, frame[["unique_id", "ds"]]


def join(companion: Companion, ids: list[str], data: Path, folder: Path) -> Path:
    """Return the file of a table of covariates: each series' times, and what stands beside them."""
    frame = pd.read_parquet(data / f"{companion.table}.parquet", columns=["ds", *companion.columns])
    target = folder / f"{companion.table}.parquet"
    frame.merge(pd.DataFrame({"unique_id": ids}), how="cross").to_parquet(target, index=False)
    return target


def run(service: Service, part: Part, options: argparse.Namespace, folder: Path) -> Outcome:
    """Import a part, train some of its series, and forecast them."""
    outcome = Outcome(part.name, dict(part.parameters))
    try:
        file, rows = cut(part, options.data, folder)
        ids = [str(one) for one in pd.unique(rows["unique_id"])]
        began = time.perf_counter()
        report = send(service, file, outcome.parameters)
        outcome.seconds = time.perf_counter() - began
        outcome.rows = len(rows.drop_duplicates()) if "on_duplicate" in part.parameters else len(rows)
        outcome.series = report["series"]
        outcome.stored = report["inserted"] + report["updated"]
        if outcome.stored != outcome.rows:
            outcome.problem = f"{outcome.rows - outcome.stored} rows are missing: {report['rejected'][:2]}"
        chosen = choose_alike(service, ids[: options.series])
        for companion in COMPANIONS.get(part.table, ()):
            send(service, join(companion, chosen, options.data, folder), {})
        outcome.trained = train(service, part, chosen, options.seconds)
    except (Refused, AssertionError) as e:
        outcome.problem += str(e)
    return outcome


def choose_alike(service: Service, ids: list[str]) -> list[str]:
    """Return the series of the frequency that most of them have: a model has one."""
    freqs = {one: call(service, "GET", f"/series/{quote(one, safe='')}")["freq"] for one in ids}
    (most, _), *_ = Counter(freqs.values()).most_common(1)
    return [one for one in ids if freqs[one] == most]


def train(service: Service, part: Part, ids: list[str], seconds: float) -> str:
    """Train and forecast; return what became of it. Raises Refused."""
    model = part.name.replace("/", "-")
    body: dict[str, Any] = {
        "model": model,
        "series": {"ids": ids},
        "horizon": part.horizon,
        "promote": "always",
        "covariates": {"known_future": list(part.known_future), "past": list(part.past)},
        "training": {"time_budget_s": seconds},
    }
    if part.cleaning:
        body["cleaning"] = part.cleaning
    job = f"/jobs/{call(service, 'POST', '/train', json=body)['id']}"
    until(lambda: call(service, "GET", job)["status"] not in ("queued", "running"), PATIENCE_SECONDS, "it has ended")
    ended = call(service, "GET", job)
    if ended["status"] != "succeeded":
        raise Refused(f"the training {ended['status']}: {ended['error']}")
    asked: dict[str, Any] = {"model": model, "series": ids}
    if part.known_future:
        asked["covariate_fill"] = "season"
    forecasts = call(service, "POST", "/forecast", json=asked)["forecasts"]
    failed = [one["error"]["detail"] for one in forecasts if one["status"] != "ok"]
    if failed:
        raise Refused(f"{len(failed)} of {len(forecasts)} forecasts failed: {failed[0]}")
    metrics = call(service, "GET", f"/models/{model}/versions/1")["metrics"]
    return f"{len(forecasts)} series, MASE {_show(metrics, 'gate')} ({_show(metrics, 'season_naive')})"


def _show(metrics: dict[str, Any], which: str) -> str:
    value = (metrics.get(which) or {}).get("mase")
    return "-" if value is None else f"{value:.2f}"


def main() -> None:
    """Run all parts and print their table and its line of JSON. The status is 1 where one has a problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = list(dict.fromkeys(part.table for part in PARTS))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the Parquet files")
    parser.add_argument("--table", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--seconds", type=float, default=60.0, help="that a training may take")
    parser.add_argument("--series", type=int, default=100, help="that a training takes of a table, at most")
    options = parser.parse_args()
    absent = [name for name in options.table if not (options.data / f"{name}.parquet").is_file()]
    if absent:
        parser.error(f"no {absent[0]}.parquet in {options.data}: --data names the folder that holds the data sets")
    outcomes: list[Outcome] = []
    print(HEAD, flush=True)
    for part in PARTS:
        if part.table in options.table:
            # tables share ids, such as the OT of three of them: each is alone in its database
            with tempfile.TemporaryDirectory(prefix="gatecast-tables-") as folder, serve(Path(folder)) as service:
                outcomes.append(run(service, part, options, service.folder))
            print(outcomes[-1].line(), flush=True)
    print(json.dumps({"benchmark": "tables", "seconds": options.seconds, "parts": [vars(one) for one in outcomes]}))
    raise SystemExit(any(one.problem for one in outcomes))


if __name__ == "__main__":
    main()
