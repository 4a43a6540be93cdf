"""Sums with intervals, totals that add up, and what paths cost.

python -m benchmarks.sums [--data ../shared/data] [--rows m5 vic_elec epf_np departments paths] [--keep FOLDER]

Models are trained by the defaults on what lies before the test; `--keep` keeps them, and takes those that are there.
An interval of a sum is made of 1000 paths. Beside it stand the sum of the steps' quantiles, which says that all steps
err alike, and that of steps that err each for itself. Shapes: W windows, H horizon, Q quantiles.
"""

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.services.forecasting.questions.futures import limit_values
from app.serving.runtime import LoadedVersion, load_version
from benchmarks.accuracy_data import Part
from benchmarks.accuracy_run import teller
from benchmarks.data import make_sqlite
from benchmarks.data_service import HOT, Stage
from benchmarks.serving_servers import Place, timed
from benchmarks.sums_rows import SUMS, load_departments
from models.config.model import Config
from models.data.series import Series
from models.evaluation.replayed import widen_windows
from models.export.export import export
from models.inference.earlier import EarlierForecasts, forecast_earlier, join_errors, plan_earlier
from models.inference.means import compute_mean
from models.inference.paths import PathSampler
from models.inference.predict import run_windows
from models.inference.published import MANIFEST
from models.inference.reconciliation import reconcile_mint, sum_series
from models.inference.replay import find_bounds
from models.planning.defaults import default_config
from models.training.fit import fit

Floats = NDArray[np.float64]
PATHS = 1000
LOW, HIGH = 0.1, 0.9
MOST_SERIES = 1500
"""series of a row that are judged, drawn at random"""
HOT_PATHS = 200
"""requests of the row of what paths cost"""


def train(name: str, part: Part, folder: Path) -> LoadedVersion:
    """Return the version of a part, trained unless its folder is there."""
    if not (folder / MANIFEST).exists():
        config = default_config(part.panel, part.horizon, known_future=part.known_future, static=part.static)
        folder.mkdir(parents=True, exist_ok=True)
        export(fit(part.panel, config, on_progress=teller(name)), folder)
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    return load_version(digest, lambda file: (folder / file).read_bytes())


def judge_sums(name: str, part: Part, version: LoadedVersion) -> dict[str, Any]:
    """Return coverage, width and interval score of the sums over the horizon, by how the steps are taken together."""
    intervals: dict[str, list[tuple[float, float]]] = {"paths": [], "all alike": [], "each alone": []}
    sums: list[float] = []
    count = len(part.series)
    chosen = np.sort(np.random.default_rng(0).permutation(count)[:MOST_SERIES])
    for number, row in enumerate(chosen.tolist()):
        if number % 100 == 0:
            print(f"{name}: series {number} of {len(chosen)}", end="\r", flush=True)
        for series, origin, quantiles, earlier in forecast_windows(part, version, row):
            actual = series.y[origin + 1 : origin + 1 + part.horizon]
            if np.isnan(actual).any():
                continue
            sums.append(float(actual.sum()))
            for way, interval in find_intervals(series, origin, quantiles, earlier, version.config).items():
                intervals[way].append(interval)
    return {way: score(np.array(found), np.array(sums)) for way, found in intervals.items()}


def forecast_windows(
    part: Part, version: LoadedVersion, row: int
) -> Iterator[tuple[Series, int, Floats, EarlierForecasts]]:
    """Yield each window of a series: its origin, what is served for it (H, Q), and what was forecast before."""
    config = version.config
    series = part.series[row]
    origins = part.origins[row][part.origins[row] >= 0]
    if not len(origins):
        return
    windows = [series] * len(origins)
    until = max(int(one.stamps(len(one.y) - 1, len(one.y))[0]) for one in part.panel.series)
    learned = {one.id for one in part.panel.series}
    quantiles = run_windows(windows, origins, version.run, config)
    served = widen_windows(quantiles, windows, origins, version.run, config, trained_until=until, trained_on=learned)
    kept = None
    for origin, forecast in zip(origins.tolist(), served, strict=True):
        known = cut(series, origin, config)
        (earlier,) = forecast_earlier(
            [plan_earlier(known, config, part.horizon, reference=until, kept=kept)], version.run, config, part.horizon
        )
        kept = earlier.replay
        yield series, origin, forecast, earlier


def cut(series: Series, origin: int, config: Config) -> Series:
    """Return a series as it is known at an origin."""
    ahead = origin + 1 + config.horizon
    return replace(series, y=series.y[: origin + 1], covariates={k: v[:ahead] for k, v in series.covariates.items()})


def find_intervals(
    series: Series, origin: int, quantiles: Floats, earlier: EarlierForecasts, config: Config
) -> dict[str, tuple[float, float]]:
    """Return the interval of a window's sum, by how its steps (H, Q) are taken together."""
    drawn = PathSampler({series.id: earlier.templates}, PATHS, config.horizon, 0).draw(
        series.id, quantiles.T, config.quantiles
    )
    bounds = find_bounds(
        series.y[max(0, origin + 1 - config.network.context_length) : origin + 1],
        config,
        is_signed=config.is_signed(series.id),
    )
    paths = limit_values(drawn, quantiles, bounds, config)
    alone = np.random.default_rng(0).permuted(paths, axis=0)
    rows = [config.quantiles.index(LOW), config.quantiles.index(HIGH)]
    return {
        "paths": tuple(np.quantile(paths.sum(axis=1), [LOW, HIGH]).tolist()),
        "all alike": tuple(quantiles[:, rows].sum(axis=0).tolist()),
        "each alone": tuple(np.quantile(alone.sum(axis=1), [LOW, HIGH]).tolist()),
    }


def score(intervals: Floats, sums: Floats) -> dict[str, float]:
    """Return the share of sums (W,) within their intervals (W, 2), and width and interval score over the mean sum."""
    low, high = intervals.T
    outside = np.maximum(low - sums, 0) + np.maximum(sums - high, 0)
    size = np.abs(sums).mean()
    return {
        "coverage": float(((sums >= low) & (sums <= high)).mean()),
        "width": float((high - low).mean() / size),
        "score": float((high - low + 2 / (1 - (HIGH - LOW)) * outside).mean() / size),
        "sums": len(sums),
    }


def judge_totals(part: Part, version: LoadedVersion) -> dict[str, Any]:
    """Return the WRMSSE of each level of departments, shops, states and their total, by how they are made to add up."""
    config = version.config
    known = [cut(one, int(origins[0]), config) for one, origins in zip(part.series, part.origins, strict=True)]
    actual = np.stack(
        [one.y[int(o[0]) + 1 :][: part.horizon] for one, o in zip(part.series, part.origins, strict=True)]
    )
    shops = [str(one.static["shop"]) for one in known]
    labels = [("total", [""] * len(known)), ("state", [shop[:2] for shop in shops]), ("shop", shops)]
    levels = [level for level, values in labels for _ in sorted(set(values))]
    members = np.array(
        [[one == value for one in values] for _, values in labels for value in sorted(set(values))], float
    )
    sums = [
        sum_series([known[k] for k in np.flatnonzero(row)], str(n), config.covariates) for n, row in enumerate(members)
    ]
    totals = [one for one in sums if one is not None]
    both = [*known, *totals]
    origins = np.array([len(one.y) - 1 for one in both])
    quantiles = run_windows(both, origins, version.run, config)
    mean = np.maximum(compute_mean(np.moveaxis(quantiles, -1, 0), config.quantiles), 0.0)
    reference = int(known[0].grid.stamps(np.zeros(1, np.int64))[0])
    plans = [plan_earlier(one, config, part.horizon, reference=reference) for one in both]
    earlier = forecast_earlier(plans, version.run, config, part.horizon)
    errors = join_errors(earlier, config)
    assert errors is not None, "a year of days is enough"
    series, groups = mean[: len(known)], mean[len(known) :]
    moved = reconcile_mint(series, groups, members, errors)
    forecasts = {
        "each for itself": (series, groups),
        "bottom-up": (series, members @ series),
        "MinT": (moved, members @ moved),
    }
    scored: dict[str, dict[str, float]] = {}
    for way, (of_series, of_groups) in forecasts.items():
        found = {"department": wrmsse(of_series, actual, known)}
        for level in dict.fromkeys(levels):
            rows = [n for n, one in enumerate(levels) if one == level]
            found[level] = wrmsse(of_groups[rows], members[rows] @ actual, [totals[n] for n in rows])
        scored[way] = {**found, "mean": float(np.mean(list(found.values())))}
    return scored


def wrmsse(forecast: Floats, actual: Floats, known: Sequence[Series]) -> float:
    """Return the root mean squared scaled error of series (N, H), weighted by their last sales, as M5 scores them."""
    scales = np.array([np.mean(np.diff(one.y) ** 2) for one in known])
    weights = np.array([one.y[-forecast.shape[1] :].sum() for one in known])
    errors = np.sqrt(((forecast - actual) ** 2).mean(axis=1) / scales)
    return float((weights * errors).sum() / weights.sum())


def time_paths() -> dict[str, float]:
    """Return the milliseconds of a forecast of 24 steps over HTTP, with 1000 paths and without."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Place(Path(folder)), make_sqlite(Path(folder)))
        with stage.serve() as server:
            stage.make_hot(server)
            connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
            plain = {"model": HOT, "series": [HOT], "horizon": 24}
            asked = {
                "plain": plain,
                "paths": {**plain, "paths": PATHS},
                "sums": {**plain, "aggregate": {"over": "horizon"}},
            }
            taken: dict[str, list[float]] = {name: [] for name in asked}
            for number in range(HOT_PATHS):
                for name, body in asked.items():
                    answer = timed(
                        connection,
                        "POST",
                        "/forecast",
                        {**body, "seed": number} if name != "plain" else body,
                        stage.place.headers,
                    )
                    assert answer.status == 200, answer.body
                    taken[name].append(1000 * answer.seconds)
            connection.close()
    return {name: float(np.median(figures[10:])) for name, figures in taken.items()}


def main() -> None:
    """Run the benchmark and print its tables and its line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*SUMS, "departments", "paths"]
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data sets")
    parser.add_argument("--rows", nargs="+", choices=names, default=names)
    parser.add_argument("--keep", type=Path, help="folder of trained models")
    args = parser.parse_args()
    if not args.data.is_dir():
        raise SystemExit(f"{args.data} is not there; --data names the folder of the data sets")
    results: dict[str, Any] = {}
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        keep = args.keep or Path(folder)
        print(f"{'80 % interval of a sum':24}{'way':>14}{'coverage':>10}{'width':>10}{'score':>10}{'sums':>8}")
        for name in [one for one in args.rows if one in SUMS]:
            title, load = SUMS[name]
            part = load(args.data)
            results[name] = judge_sums(name, part, train(name, part, keep / name))
            for way, found in results[name].items():
                figures = f"{found['width']:10.3f}{found['score']:10.3f}{found['sums']:8.0f}"
                print(f"{title:24}{way:>14}{found['coverage']:10.1%}{figures}")
        if "departments" in args.rows:
            part = load_departments(args.data)
            results["departments"] = judge_totals(part, train("departments", part, keep / "departments"))
            for way, found in results["departments"].items():
                print(f"WRMSSE, {way:18}" + "".join(f"{level:>12} {value:.4f}" for level, value in found.items()))
    if "paths" in args.rows:
        results["paths"] = time_paths()
        for name, milliseconds in results["paths"].items():
            print(f"24 steps over HTTP, {name:10}{milliseconds:8.2f} ms")
    print(json.dumps({"seconds": round(time.perf_counter() - began), "rows": results}))


if __name__ == "__main__":
    main()
