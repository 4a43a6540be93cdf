"""What a person would have been told: watch and alerts on real series, with time compressed by setting origins.

python -m benchmarks.watch [--data DIR] [--seconds 20] [--files N]

Half of the Numenta Anomaly Benchmark. A model is trained on the probationary part of each file; the rest is scanned
day after day as a watch scans it, each day knowing nothing of the next one, and an alert on the alarms is evaluated. A
message that fires is right where its value lies in a labelled window. In the rows with verdicts a person judges each
message by the labels before the next day. The rows of forecasts are alerts on a quantile within the horizon, kept for a
horizon, whose threshold 2 % of the probationary values exceed: a message is right where one of the values of that
horizon really is above, and such values after a horizon of calm are a window, found where it was firing. Messages a
week are of one series, and of all files together as one watch.
"""

import argparse
import json
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.services.alerts.rules import State, advance, find_crossing
from benchmarks.anomalies import File, Floats, load, trained
from models.anomaly.watch import GivenVerdict, WatchRule, watch_span
from models.data.series import Series
from models.inference.predict import interpolate_quantiles, predict

DAY_US = 86_400_000_000
WEEK_US = 7 * DAY_US
LONGEST_DAY = 400
"""steps of one scan: a day of five minutes, and not more where steps are shorter"""
USUAL = 0.98
"""share of the probationary values that are not above the threshold of the alerts on forecasts"""
HEAD = ("messages", "right", "precision", "windows", "found", "a week", "a week of all")


@dataclass
class Tally:
    """Messages of some files."""

    messages: int = 0
    """that fire; each is followed by one that it is resolved"""
    right: int = 0
    windows: int = 0
    found: int = 0
    weeks: float = 0.0
    rates: list[float] = field(default_factory=list)
    """messages a week, by file"""

    def add(self, messages: Sequence[bool], windows: int, found: int, weeks: float) -> None:
        """Add the messages of a file: whether each was right, and how many of its windows were found."""
        self.messages += len(messages)
        self.right += sum(messages)
        self.windows += windows
        self.found += found
        self.weeks += weeks
        self.rates.append(len(messages) / weeks)

    def to_dict(self) -> dict[str, float]:
        """Return the figures of a row."""
        return {
            "messages": self.messages,
            "right": self.right,
            "precision": self.right / self.messages if self.messages else float("nan"),
            "windows": self.windows,
            "found": self.found,
            "per_week": self.messages / self.weeks,
            "per_week_of_all": sum(self.rates),
        }


def list_days(file: File) -> Iterator[tuple[int, int]]:
    """Yield the spans of positions that come in a day, after the probationary part."""
    steps = min(LONGEST_DAY, max(1, DAY_US // file.series.grid.frequency.approximate_us))
    first = int(file.position[file.probation])
    for start in range(first, len(file.series.y), steps):
        yield start, min(start + steps, len(file.series.y))


def count_weeks(file: File) -> float:
    """Return the weeks after the probationary part."""
    steps = len(file.series.y) - int(file.position[file.probation])
    return steps * file.series.grid.frequency.approximate_us / WEEK_US


def find_window(file: File, at: int) -> int | None:
    """Return which labelled window a position lies in."""
    for number, (first, last) in enumerate(file.windows):
        if file.position[first] <= at <= file.position[last]:
            return number
    return None


def scan(file: File, seconds: float, rule: WatchRule, judged: bool) -> list[int]:
    """Return the positions of the values that fire, in a file that arrives day after day."""
    fitted = trained(file, seconds)
    state: State | None = None
    told: list[int] = []
    verdicts: list[GivenVerdict] = []
    for start, end in list_days(file):
        known = Series(file.name, file.series.y[:end], file.series.grid)
        watched = watch_span(known, (start, end), fitted.runner, fitted.config, rule, verdicts)
        for at in range(start, end):
            goes_on = state is not None and state.firing and bool(watched.alarming[at - start])
            active = bool(watched.alarm[at - start]) or goes_on
            observed = bool(np.isfinite(watched.score[at - start]))
            state, transition = advance(state, active if observed else None, at, 0, 0)
            if transition == "firing":
                told.append(at)
        if judged:
            verdicts = [GivenVerdict(at, find_window(file, at) is None) for at in told]
    return told


def watch(rule: WatchRule, judged: bool = False) -> Callable[[list[File], float], Tally]:
    """Return the row of a watch."""

    def run(files: list[File], seconds: float) -> Tally:
        tally = Tally()
        for file in files:
            told = [find_window(file, at) for at in scan(file, seconds, rule, judged)]
            later = [first for first, _ in file.windows if first >= file.probation]
            found = {number for number in told if number is not None}
            tally.add([number is not None for number in told], len(later), len(found), count_weeks(file))
        return tally

    return run


def list_episodes(y: Floats, threshold: float, rest: int) -> list[int]:
    """Return the positions at which values (T,) are above a threshold and were not in the `rest` steps before."""
    above = np.flatnonzero(y > threshold)
    return above[np.diff(above, prepend=-rest - 1) > rest].tolist()


def alert(quantile: float) -> Callable[[list[File], float], Tally]:
    """Return the row of an alert on forecasts that are archived each quarter of a horizon."""

    def run(files: list[File], seconds: float) -> Tally:
        tally = Tally()
        for file in files:
            fitted = trained(file, seconds)
            config = fitted.config
            first = int(file.position[file.probation])
            threshold = float(np.nanquantile(file.series.y[:first], USUAL))
            state: State | None = None
            told: list[bool] = []
            firing: list[bool] = []
            y = file.series.y
            origins = [at for at in range(first, len(y) - 1, config.horizon // 4) if np.isfinite(y[at])]
            forecasts = predict([file.series] * len(origins), fitted.runner, config, origins)
            for at, forecast in zip(origins, forecasts, strict=True):
                values = interpolate_quantiles(forecast.quantiles, forecast.levels, [quantile])[:, 0]
                crossing = find_crossing(values, forecast.stamps, int(forecast.stamps[-1]), above=threshold)
                active = None if crossing is None else crossing.crossed
                state, transition = advance(state, active, at, 0, config.horizon)
                if transition == "firing":
                    told.append(bool((y[at + 1 : at + 1 + config.horizon] > threshold).any()))
                firing.append(state.firing)
            begins = [at for at in list_episodes(y, threshold, config.horizon) if at > origins[0]]
            announced = [firing[int(np.searchsorted(origins, at)) - 1] for at in begins]
            tally.add(told, len(begins), sum(announced), count_weeks(file))
        return tally

    return run


ROWS: dict[str, Callable[[list[File], float], Tally]] = {
    "watch, level 0.999": watch(WatchRule(level=0.999)),
    "watch, 1 a week": watch(WatchRule(alarms_per_week=1.0)),
    "watch, 0.25 a week": watch(WatchRule(alarms_per_week=0.25)),
    "watch, 1 a week, verdicts": watch(WatchRule(alarms_per_week=1.0), judged=True),
    "watch, 0.25 a week, 24 ahead": watch(WatchRule(alarms_per_week=0.25, ahead=24)),
    "alert on forecasts, 0.5": alert(0.5),
    "alert on forecasts, 0.9": alert(0.9),
}


def main() -> None:
    """Run the benchmark and print its table and its line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of nab_half.parquet")
    parser.add_argument("--seconds", type=float, default=20.0, help="time budget of one training")
    parser.add_argument("--files", type=int, help="so many files, evenly spread, instead of all")
    args = parser.parse_args()
    path = args.data / "nab_half.parquet"
    if not path.exists():
        raise SystemExit(f"{path} is not there; --data names the folder of the data sets")
    torch.set_num_threads(1)
    files = load(path)
    if args.files:
        files = [files[k] for k in np.linspace(0, len(files) - 1, min(args.files, len(files))).astype(int)]
    print(f"{'rule':30}" + "".join(f"{name:>14}" for name in HEAD))
    results: dict[str, dict[str, Any]] = {}
    for name, run in ROWS.items():
        results[name] = run(files, args.seconds).to_dict()
        print(f"{name:30}" + "".join(f"{value:14.4g}" for value in results[name].values()), flush=True)
    packages = {name: version(name) for name in ("numpy", "torch")}
    told = {"files": len(files), "weeks": sum(map(count_weeks, files)), "budget_s": args.seconds}
    print(json.dumps({**told, "python": platform.python_version(), "packages": packages, "rows": results}))


if __name__ == "__main__":
    main()
