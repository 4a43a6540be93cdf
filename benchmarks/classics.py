"""Series that everybody tries first, through HTTP with defaults, beside what a user could pick instead.

python -m benchmarks.classics [--data ../shared/data] [--rows AirPassengers lynx] [--seconds 60]

A row is trained on what its first origin knows and again at every second one, the newest included; origins between them
send their history along. Each peer is fitted anew at every origin. `make peers` brings the peers.
"""

import argparse
import hashlib
import json
import math
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.classics_rows import Classic, make_rows, read_textbooks
from benchmarks.tables import Refused, call, serve
from tests.e2e.processes import Service, until

Floats = NDArray[np.float64]

PROGRAM = Path(__file__).with_name("classics_peers.py")
PEERS_PYTHON = Path(".venv-bench/bin/python")
RANKED = ("season_naive", "AutoETS", "AutoARIMA", "AutoTheta", "flaircast")
"""peers that a row is ranked among"""
RETRAINED = 2
"""origins between two trainings"""
BEHIND = 1.3
"""times the peers' median error that no row may be above"""
PEER_FREQ = {"MS": "M", "QS": "Q", "YS": "A", "W-SUN": "W", "h": "H"}
PATIENCE_SECONDS = 1200
LEAST_SHARE = 1e-4
"""of the mean size of the values: errors below it are level"""


@dataclass(frozen=True)
class Forecast:
    """What the service answered at one origin."""

    yhat: Floats
    low: Floats
    high: Floats
    warnings: tuple[str, ...]


@dataclass
class Result:
    """A row, and what came of it."""

    row: Classic
    ours: list[Forecast]
    peers: dict[str, list[Floats]]

    def actual(self, number: int) -> Floats:
        """Return what came true after an origin."""
        origin = self.row.origins[number]
        return self.row.y[origin : origin + self.row.horizon]

    def measure(self, forecasts: Sequence[Floats]) -> float:
        """Return the mean absolute error over all origins."""
        missed = [np.abs(one - self.actual(k)).mean() for k, one in enumerate(forecasts)]
        return float(np.mean(missed))

    @property
    def mae(self) -> float:
        """Ours."""
        return self.measure([one.yhat for one in self.ours])

    @property
    def peer_mae(self) -> dict[str, float]:
        """The peers', by name."""
        return {name: self.measure(forecasts) for name, forecasts in self.peers.items()}

    def compare(self, error: float, other: float) -> float:
        """Return an error as a multiple of another one, both level where they are a small share of the values."""
        least = LEAST_SHARE * float(np.abs(self.row.y).mean()) + 1e-12
        return (error + least) / (other + least)

    @property
    def coverage(self) -> float:
        """Share of actual values within the 80 % interval, over all origins."""
        inside = [(self.actual(k) >= one.low) & (self.actual(k) <= one.high) for k, one in enumerate(self.ours)]
        return float(np.mean(inside))

    def list_faults(self) -> list[str]:
        """Say what of a row's `must` does not hold for its newest forecast."""
        must, newest = self.row.must, self.ours[-1]
        actual = self.actual(len(self.ours) - 1)
        error = np.abs(newest.yhat - actual)
        rounding = 1e-9 * float(np.abs(actual).max())
        faults = []
        if must.mae is not None and error.mean() > must.mae + rounding:
            faults.append(f"MAE {error.mean():.4g} > {must.mae:g}")
        if must.share is not None and error.max() > must.share * abs(actual[-1]):
            faults.append(f"off by {error.max() / abs(actual[-1]):.3%} > {must.share:.1%}")
        if must.covered and not ((actual >= newest.low - rounding) & (actual <= newest.high + rounding)).all():
            faults.append("outside the interval")
        width = float((newest.high - newest.low).mean())
        if must.width is not None and width > must.width + rounding:
            faults.append(f"interval {width:.4g} > {must.width:.4g}")
        if must.naive is not None:
            peer, times = must.naive
            theirs = float(np.abs(self.peers[peer][-1] - actual).mean())
            if error.mean() > times * theirs:
                faults.append(f"MAE {error.mean():.4g} > {times} × {peer}'s {theirs:.4g}")
        if must.warning and must.warning not in newest.warnings:
            faults.append(f"no warning {must.warning}")
        if self.row.ranked and (behind := self.compare(self.mae, self.median)) > BEHIND:
            faults.append(f"{behind:.2f} times the peers' median")
        return faults

    @property
    def median(self) -> float:
        """The peers' median error."""
        return float(np.median([self.peer_mae[name] for name in RANKED]))

    def line(self) -> str:
        """Return the row of the table."""
        errors = self.peer_mae
        figures = " ".join(f"{errors[name]:>11.4g}" if name in errors else f"{'-':>11}" for name in RANKED)
        faults = "; ".join(self.list_faults()) or "-"
        return f"{self.row.name:22} {len(self.ours):>3} {self.mae:>11.4g} {figures} {self.coverage:>7.0%}  {faults}"


def forecast_row(service: Service, row: Classic, seconds: float) -> list[Forecast]:
    """Train and forecast a row by the service. Raises Refused."""
    name = row.name.replace(" ", "-").replace(",", "").replace("%", "percent")
    call(service, "PUT", f"/series/{name}", json={"freq": row.freq, "timezone": row.timezone})
    ds = _list_times(row)
    forecasts: list[Forecast] = []
    for number, origin in enumerate(row.origins):
        if number % RETRAINED == 0 or number == len(row.origins) - 1:
            values = {"ds": ds[:origin], "y": row.y[:origin].tolist()}
            call(service, "POST", f"/series/{name}/observations", json=values)
            _train(service, name, row, seconds)
        history = {name: {"ds": ds[:origin], "y": row.y[:origin].tolist(), "timezone": row.timezone}}
        asked = {"model": name, "history": history, "quantiles": [0.1, 0.5, 0.9]}
        forecasts.append(_read(call(service, "POST", "/forecast", json=asked)["forecasts"][0]))
    return forecasts


def _list_times(row: Classic) -> list[str]:
    zone = None if "T" in row.start else row.timezone
    first = pd.Timestamp(row.start, tz=zone).tz_convert(row.timezone)
    return [one.isoformat() for one in pd.date_range(first, periods=len(row.y), freq=row.freq)]


def _train(service: Service, name: str, row: Classic, seconds: float) -> None:
    body = {"model": name, "series": {"ids": [name]}, "horizon": row.horizon}
    if seconds:
        body["training"] = {"time_budget_s": seconds}
    job = f"/jobs/{call(service, 'POST', '/train', json=body)['id']}"
    until(lambda: call(service, "GET", job)["status"] not in ("queued", "running"), PATIENCE_SECONDS, "it has ended")
    ended = call(service, "GET", job)
    if ended["status"] != "succeeded":
        raise Refused(f"the training {ended['status']}: {ended['error']}")


def _read(answer: dict[str, Any]) -> Forecast:
    if answer["status"] != "ok":
        raise Refused(str(answer["error"]))
    quantiles = {key: np.array(values, np.float64) for key, values in answer["quantiles"].items()}
    yhat = np.array(answer["yhat"], np.float64)
    return Forecast(yhat, quantiles["0.1"], quantiles["0.9"], tuple(answer["warnings"]))


@dataclass(frozen=True)
class Answers:
    """What the peers forecast of some windows."""

    forecasts: dict[str, dict[int, Floats]]
    """by peer and number of the window"""
    packages: dict[str, str]
    """versions"""


def ask_peers(
    python: Path, rows: Sequence[Classic], keep: Path | None
) -> tuple[list[dict[str, list[Floats]]], Answers]:
    """Forecast the windows of the rows by the peers; return the forecasts by row, and the whole answer.

    Answers lie in the folder `keep` from then on, under a digest of all that they depend on but the packages.
    """
    windows = [(k, origin) for k, row in enumerate(rows) for origin in row.origins]
    asked = [
        {
            "horizon": rows[k].horizon,
            "season": rows[k].season,
            "freq": PEER_FREQ.get(rows[k].freq, rows[k].freq),
            "ranked": rows[k].ranked,
        }
        for k, _ in windows
    ]
    request = json.dumps({"windows": asked})
    histories = [rows[k].y[:origin] for k, origin in windows]
    with tempfile.TemporaryDirectory() as name:
        digest = hashlib.sha256(PROGRAM.read_bytes() + request.encode() + b"".join(one.tobytes() for one in histories))
        folder = Path(name) if keep is None else keep / digest.hexdigest()[:16]
        if not (folder / "packages.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "request.json").write_text(request)
            arrays = {str(number): one for number, one in enumerate(histories)}
            np.savez(folder / "windows.npz", allow_pickle=False, **arrays)
            command = [str(python), "-W", "ignore", str(PROGRAM), str(folder.absolute())]
            if subprocess.run(command, cwd=name, check=False).returncode:
                raise SystemExit("a peer failed: it says above why")
        answers = _read_answers(folder)
    found: list[dict[str, list[Floats]]] = [{} for _ in rows]
    for peer, forecasts in answers.forecasts.items():
        for number, one in forecasts.items():
            found[windows[number][0]].setdefault(peer, []).append(one)
    return found, answers


def _read_answers(folder: Path) -> Answers:
    arrays = np.load(folder / "answer.npz")
    forecasts: dict[str, dict[int, Floats]] = {}
    for key in arrays.files:  # in the order in which they were written
        peer, number = key.split("/")
        forecasts.setdefault(peer, {})[int(number)] = arrays[key]
    return Answers(forecasts, json.loads((folder / "packages.json").read_text()))


def summarise(results: Sequence[Result]) -> dict[str, float]:
    """Return the geometric mean of each one's errors in units of season-naive's, over the ranked rows."""
    ranked = [one for one in results if one.row.ranked]
    names = {"gatecast": lambda one: one.mae} | {name: _pick(name) for name in RANKED}
    return {
        name: math.exp(
            float(np.mean([math.log(one.compare(get(one), one.peer_mae["season_naive"])) for one in ranked]))
        )
        for name, get in names.items()
    }


def _pick(name: str) -> Any:
    return lambda one: one.peer_mae[name]


def main() -> None:
    """Run the rows; print their table and its line of JSON. The status is 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the Parquet files")
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--seconds", type=float, default=0.0, help="that a training may take; 0: the default's own")
    parser.add_argument("--peers", type=Path, default=PEERS_PYTHON, help="Python of the peers' environment")
    parser.add_argument("--keep", type=Path, help="folder that keeps the peers' answers for the next run")
    options = parser.parse_args()
    if not (options.data / "classics.parquet").is_file():
        parser.error(f"no classics.parquet in {options.data}: --data names the folder that holds the data sets")
    rows = [
        one for one in [*read_textbooks(options.data), *make_rows()] if not options.rows or one.name in options.rows
    ]
    peers, answers = ask_peers(options.peers.absolute(), rows, options.keep)
    heads = " ".join(f"{name:>11}" for name in RANKED)
    print(f"{'row':22} {'n':>3} {'gatecast':>11} {heads} {'covered':>7}  what does not hold", flush=True)
    results, refused = [], 0
    with tempfile.TemporaryDirectory(prefix="gatecast-classics-") as folder, serve(Path(folder)) as service:
        for row, found in zip(rows, peers, strict=True):
            try:
                results.append(Result(row, forecast_row(service, row, options.seconds), found))
                print(results[-1].line(), flush=True)
            except Refused as e:
                refused += 1
                print(f"{row.name:22} REFUSED {e}", flush=True)
    means = summarise(results) if any(one.row.ranked for one in results) else {}
    print("geometric mean of errors over season-naive's: " + ", ".join(f"{n} {v:.3f}" for n, v in means.items()))
    figures = {one.row.name: {"gatecast": one.mae, **one.peer_mae, "covered": one.coverage} for one in results}
    faults = {one.row.name: one.list_faults() for one in results if one.list_faults()}
    print(json.dumps({"benchmark": "classics", **answers.packages, "means": means, "mae": figures, "faults": faults}))
    raise SystemExit(bool(faults) or bool(refused))


if __name__ == "__main__":
    main()
