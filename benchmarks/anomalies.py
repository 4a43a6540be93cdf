"""How well anomalies are found: half of the Numenta Anomaly Benchmark, beside simple detectors in the same run.

python -m benchmarks.anomalies [--data DIR] [--seconds 20] [--files N] [--keep FOLDER]

For each file a model is trained on its probationary part alone, with the defaults, and every step of the file is then
forecast from the step before, or from 24 steps before. A score with the best threshold is what the published scoreboard
reports: one threshold for all files, found with the labels in sight. The other one is that of the API's level, which
has seen none. The scoreboard (ARTime 74.9, Numenta HTM 70, KNN-CAD 58, windowed Gaussian 39.6) is of all 58 files;
these are 29 of them. The rows called alarms are the same scores where an anomaly that goes on alarms once; false alarms
a day and the delay are those of the alarms at the default level, a week's worth of one for each series, or of such
scores above the level where a detector has none. `--keep` writes all scores, which benchmarks.anomaly_measures reads.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import ndtr

from models.anomaly.alarms import find_alarms
from models.anomaly.detect import detect_anomalies
from models.anomaly.nab import PROFILES, Profile, ScoredSeries, judge_flags, nab_score, rank_gains, sum_judgements
from models.calendar.frequency import parse_frequency, season_lengths
from models.calendar.grid import Grid
from models.data.series import Panel, Series
from models.planning.defaults import default_config
from models.training.fit import fit
from models.training.fitted import Fitted

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVEL = 0.99
HORIZON = 24
GAUSSIAN_WINDOW = 1000
"""as in the benchmark's own windowed Gaussian, which was tuned on it"""
REST = 5
"""Steps of rest after an alarm are this part of the probationary ones, as in CAD OSE, which is on the scoreboard"""
MOST_SHARED = 0.02
LEAST_FILLED = 0.5
MINUTE = 60_000_000
DAY_US = 86_400_000_000


@dataclass(frozen=True, eq=False)
class File:
    """One file: R rows, and the series that they make."""

    name: str
    series: Series
    position: Ints
    """(R,) of each row in the series' `y`"""
    y: Floats
    """(R,)"""
    windows: tuple[tuple[int, int], ...]
    """first and last row of each labelled window"""
    probation: int
    """rows that are trained on"""

    def find_labelled(self) -> NDArray[np.bool_]:
        """Return the rows (R,) that lie in a labelled window."""
        labelled = np.zeros(len(self.y), bool)
        for first, last in self.windows:
            labelled[first : last + 1] = True
        return labelled


@dataclass(frozen=True, eq=False)
class Detected:
    """What a detector says of the R rows of a file."""

    score: Floats
    flags: NDArray[np.bool_]
    """at the default level"""
    alarms: NDArray[np.bool_]
    """what a person is told by default"""


Detector = Callable[[File, float], Detected]
"""(file, seconds of training) -> what it says"""


def load(path: Path) -> list[File]:
    """Load the files, ordered by name."""
    frame = pd.read_parquet(path)
    return [_file(str(name), rows) for name, rows in frame.groupby("unique_id", observed=True)]


def _file(name: str, rows: pd.DataFrame) -> File:
    """Put rows on the grid of their median step; where that holds too few of them, one after the other."""
    stamps = rows["ds"].to_numpy().astype("M8[us]").view(np.int64)
    step = max(round(float(np.median(np.diff(stamps))) / MINUTE), 1)
    position = np.round((stamps - stamps[0]) / (step * MINUTE)).astype(np.int64)
    kept = len(np.unique(position))
    if kept < (1 - MOST_SHARED) * len(rows) or len(rows) < LEAST_FILLED * (position[-1] + 1):
        position = np.arange(len(rows))
    y = np.full(int(position[-1]) + 1, np.nan)
    y[position] = rows["y"].to_numpy(np.float64)
    edges = np.diff(rows["anomaly_window"].to_numpy(np.int64), prepend=0, append=0)
    pairs = zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True)
    probation = int((rows["split"] == "probation").sum())
    grid = Grid(parse_frequency(f"{step}min"), "UTC", int(stamps[0]))
    return File(name, Series(name, y, grid), position, rows["y"].to_numpy(np.float64), tuple(pairs), probation)


@cache
def trained(file: File, seconds: float) -> Fitted:
    """Train on the probationary part."""
    before = Series(file.name, file.series.y[: int(file.position[file.probation - 1]) + 1], file.series.grid)
    panel = Panel(file.series.grid.frequency, (before,))
    return fit(panel, default_config(panel, HORIZON, training={"time_budget_s": seconds}), device="cpu")


def gatecast(ahead: int) -> Detector:
    """Return the detector whose forecasts are made `ahead` steps before what they judge."""

    def find(file: File, seconds: float) -> Detected:
        fitted = trained(file, seconds)
        (found,) = detect_anomalies(
            [file.series], [(0, len(file.series.y))], fitted.runner, fitted.config, LEVEL, ahead
        )
        return Detected(found.score[file.position], found.anomaly[file.position], found.alarm[file.position])

    return find


def gaussian(file: File, seconds: float) -> Detected:
    """Judge each value by mean and deviation of the 1000 values before it, as the benchmark's own detector does."""
    return _standardised(pd.Series(file.y))


def season_naive(file: File, seconds: float) -> Detected:
    """Judge each residual of season-naive by mean and deviation of the 1000 residuals before it."""
    y = pd.Series(file.series.y)
    seasons = season_lengths(file.series.grid.frequency)
    residual = y - y.ffill().shift(seasons[0] if seasons else 1)
    return _standardised(pd.Series(residual.to_numpy()[file.position]))


def _standardised(values: "pd.Series[float]") -> Detected:
    before = values.rolling(GAUSSIAN_WINDOW, min_periods=2)
    mean, deviation = before.mean().shift(1), before.std(ddof=0).shift(1).clip(lower=1e-6)
    score = ((values - mean).abs() / deviation).to_numpy(np.float64)
    return _rested(score, 2 * ndtr(-np.nan_to_num(score)) < 1 - LEVEL)


def chance(file: File, seconds: float) -> Detected:
    """Score at random."""
    score = np.random.default_rng(len(file.y)).random(len(file.y))
    return _rested(score, score > LEVEL)


def null(file: File, seconds: float) -> Detected:
    """Flag nothing."""
    return _rested(np.zeros(len(file.y)), np.zeros(len(file.y), bool))


def _rested(score: Floats, flags: NDArray[np.bool_]) -> Detected:
    return Detected(score, flags, flags & (find_alarms(score, HORIZON) > 0))


DETECTORS: dict[str, Detector] = {
    "Gatecast, 1 ahead": gatecast(1),
    f"Gatecast, {HORIZON} ahead": gatecast(HORIZON),
    "windowed Gaussian": gaussian,
    "season-naive residual": season_naive,
    "random": chance,
    "null": null,
}


def resting(file: File, found: Detected) -> Detected:
    """Return what is left of a detector where an anomaly that goes on alarms once."""
    score = find_alarms(found.score, max(file.probation // REST, 1))
    return Detected(score, found.flags & (score > 0), found.alarms)


def find_best_threshold(scored: Sequence[ScoredSeries], profile: Profile = PROFILES["standard"]) -> tuple[float, float]:
    """Return the threshold of the highest score over all series together, and that score, as the scoreboard does.

    It is chosen by the labels, and so a bound for what a detector's user can reach. Infinity: flag nothing.
    """
    ranked = rank_gains(scored, profile)
    reached = np.cumsum(ranked.gain)
    # a threshold takes all points of one score
    last = np.append(ranked.score[1:] != ranked.score[:-1], True)[: len(ranked.score)]
    sums = np.append(0.0, reached[last])
    thresholds = np.append(np.inf, ranked.score[last])
    best = int(sums.argmax())
    return float(thresholds[best]), 100 * float(sums[best]) / ranked.best


def measure(files: list[File], found: list[Detected]) -> dict[str, Any]:
    """Return the scores with the best threshold of each profile, and those of the flags as they are."""
    rows = [np.arange(len(one.y)) for one in files]
    scored = [ScoredSeries(d.score, r, one.windows) for d, r, one in zip(found, rows, files, strict=True)]
    flagged = [
        ScoredSeries(d.flags.astype(float), r, one.windows) for d, r, one in zip(found, rows, files, strict=True)
    ]
    parts = [
        judge_flags(d.flags[one.probation :], r[one.probation :], one.windows)
        for d, r, one in zip(found, rows, files, strict=True)
    ]
    return {
        "best": {name: find_best_threshold(scored, profile)[1] for name, profile in PROFILES.items()},
        "threshold": find_best_threshold(scored)[0],
        "level": {name: nab_score(flagged, 1.0, profile) for name, profile in PROFILES.items()},
        **sum_judgements(parts).to_dict(),
        **measure_alarms(files, found),
        "flagged": float(np.mean(np.concatenate([d.flags[f.probation :] for d, f in zip(found, files, strict=True)]))),
    }


def measure_alarms(files: list[File], found: list[Detected]) -> dict[str, float]:
    """Return false alarms a day of a series, and the mean delay of those within a window, as a share of its length."""
    false, days, delays = 0, 0.0, []
    for file, one in zip(files, found, strict=True):
        alarms = np.flatnonzero(one.alarms & (np.arange(len(file.y)) >= file.probation))
        inside = file.find_labelled()
        for first, last in file.windows:
            within = alarms[(alarms >= first) & (alarms <= last)]
            delays += [(within[0] - first) / (last - first + 1)] if len(within) else []
        false += int((~inside[alarms]).sum())
        steps = file.position[-1] - file.position[file.probation]
        days += steps * file.series.grid.frequency.approximate_us / DAY_US
    return {"false_alarms_a_day": false / days, "delay": float(np.mean(delays)) if delays else float("nan")}


def keep_scores(folder: Path, row: str, files: list[File], found: list[Detected]) -> None:
    """Write the scores of a detector with the labels, without the probationary rows."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    for file, one in zip(files, found, strict=True):
        label = file.find_labelled().astype(np.float64)
        arrays |= {f"{file.name}.score": one.score[file.probation :], f"{file.name}.label": label[file.probation :]}
    np.savez(folder / f"{row}.npz", **arrays)


def main() -> None:
    """Run the benchmark and print its table and its line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of nab_half.parquet")
    parser.add_argument("--seconds", type=float, default=20.0, help="time budget of one training")
    parser.add_argument("--files", type=int, help="so many files, evenly spread, instead of all")
    parser.add_argument("--keep", type=Path, help="folder for the scores of each detector")
    args = parser.parse_args()
    path = args.data / "nab_half.parquet"
    if not path.exists():
        raise SystemExit(f"{path} is not there; --data names the folder of the data sets")
    torch.set_num_threads(1)
    files = load(path)
    if args.files:
        files = [files[k] for k in np.linspace(0, len(files) - 1, min(args.files, len(files))).astype(int)]
    columns = (
        "best std",
        "low FP",
        "low FN",
        f"at {LEVEL}",
        "precision",
        "recall",
        "F1",
        "points",
        "flagged",
        "false/day",
        "delay",
        "seconds",
    )
    print(f"{'detector':30}" + "".join(f"{name:>10}" for name in columns))
    results: dict[str, dict[str, Any]] = {}
    for name, detector in DETECTORS.items():
        began = time.perf_counter()
        found = [detector(file, args.seconds) for file in files]
        if args.keep:
            keep_scores(args.keep, name, files, found)
        rested = [resting(file, one) for file, one in zip(files, found, strict=True)]
        for row, each in ((name, found), (f"{name}, alarms", rested)):
            results[row] = {**measure(files, each), "seconds": time.perf_counter() - began}
            print(_line(row, results[row]), flush=True)
    packages = {name: version(name) for name in ("numpy", "torch")}
    told = {"files": len(files), "budget_s": args.seconds, "level": LEVEL, "python": platform.python_version()}
    print(json.dumps({**told, "packages": packages, "detectors": results}))


def _line(name: str, row: dict[str, Any]) -> str:
    scores = [*row["best"].values(), row["level"]["standard"]]
    rates = [row["windows"].get(rate, float("nan")) for rate in ("precision", "recall", "f1")]
    rates += [row["points"].get("f1", float("nan")), row["flagged"], row["false_alarms_a_day"], row["delay"]]
    columns = [f"{value:10.1f}" for value in scores] + [f"{value:10.3f}" for value in rates]
    return f"{name:30}" + "".join(columns) + f"{row['seconds']:10.0f}"


if __name__ == "__main__":
    main()
