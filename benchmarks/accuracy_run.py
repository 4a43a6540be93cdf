"""What the accuracy table does with a row: fit, forecast, score, and set the peers beside it.

Shapes: S series, W windows a series, H horizon, Q quantiles (Q last).
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import accuracy_peer as peer
from benchmarks.accuracy_data import Part
from benchmarks.accuracy_refresh import forecast_refreshed
from benchmarks.accuracy_rows import Row
from benchmarks.accuracy_score import LEVELS, MEASURES, Outcome, coverage, interval_score, naive_outcome, outcome
from models.evaluation.replayed import widen_windows
from models.inference.means import compute_mean
from models.planning.defaults import default_config
from models.training.fit import fit
from models.training.fitted import Fitted
from models.training.progress import Progress

AT_ONCE = 4096
"""windows forecast between two lines of progress"""
ETS_SERIES = 1000


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the table is made."""

    holdout: bool = False
    """judge the end of the training split"""
    peers: bool = False
    """judge the peers too"""
    peer_python: Path
    """interpreter of the peers' environment"""
    network: dict[str, Any] = field(default_factory=dict)
    """overrides of the default network, for experiments"""
    training: dict[str, Any] = field(default_factory=dict)
    """overrides of the default training, for experiments"""


@dataclass(frozen=True)
class Run:
    """Our forecasts of a part, and what they took."""

    outcome: Outcome
    """with the intervals that would be served"""
    static: Outcome
    """with those of the training alone"""
    context: int
    seconds: float
    cpu: float
    """seconds of all threads"""


def run(name: str, part: Part, options: Options) -> Run:
    """Fit a part by the defaults and forecast its windows."""
    config = default_config(
        part.panel,
        horizon=part.horizon,
        quantiles=LEVELS,
        known_future=part.known_future,
        static=part.static,
        network=options.network,
        training=options.training,
    )
    began, used = time.perf_counter(), time.process_time()
    fitted = fit(part.panel, config, on_progress=teller(name))
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    quantiles = forecast(name, fitted, part)
    mean = find_means(fitted, quantiles)
    static = outcome(part, quantiles, mean)
    served = outcome(part, widen(name, fitted, part, quantiles), mean)
    return Run(served, static, config.network.context_length, seconds, cpu)


def forecast(name: str, fitted: Fitted, part: Part) -> NDArray[np.float64]:
    """Return quantiles (S, W, H, Q) of all windows; a series without history is forecast as 0."""
    if part.refreshed and fitted.network.calibrated is not None:
        say(f"{name}: forecast {part.origins.size} windows, each after a refresh")
        return forecast_refreshed(fitted, part)
    count, per_series = part.origins.shape
    quantiles = np.zeros((count, per_series, part.horizon, len(LEVELS)))
    # origin by origin, so that windows that cover the same time stand together
    windows, rows = (index.ravel() for index in np.indices((per_series, count)))
    seen = part.origins[rows, windows] >= 0
    rows, windows = rows[seen], windows[seen]
    for at in range(0, len(rows), AT_ONCE):
        row, window = rows[at : at + AT_ONCE], windows[at : at + AT_ONCE]
        chosen = [part.series[k] for k in row.tolist()]
        quantiles[row, window] = fitted.quantiles(chosen, part.origins[row, window])
        say(f"{name}: forecast {min(at + AT_ONCE, len(rows))} of {len(rows)} windows")
    return quantiles


def find_means(fitted: Fitted, quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what `point: mean` answers beside quantiles (..., Q): (...)."""
    median = quantiles[..., LEVELS.index(0.5)]
    mean = compute_mean(quantiles.reshape(-1, len(LEVELS)).T, LEVELS).reshape(median.shape)
    return median + float(fitted.network.lean) * (mean - median)


def widen(name: str, fitted: Fitted, part: Part, quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the forecasts (S, W, H, Q) with the intervals that the service would have given them, by replays of what
    was known at each origin."""
    say(f"{name}: replays")
    ends = [int(one.stamps(len(one.y) - 1, len(one.y))[0]) for one in part.panel.series]
    learned = {one.id for one in part.panel.series}
    rows, windows = np.nonzero(part.origins >= 0)
    widened = quantiles.copy()
    widened[rows, windows] = widen_windows(
        quantiles[rows, windows],
        [part.series[row] for row in rows.tolist()],
        part.origins[rows, windows],
        fitted.runner,
        fitted.config,
        trained_until=max(ends),
        trained_on=learned,
    )
    return widened


def score(name: str, row: Row, parts: list[Part], options: Options) -> dict[str, Any]:
    """Return everything that the table and the JSON say of a row."""
    runs = [run(name, part, options) for part in parts]
    ours, measure = [one.outcome for one in runs], MEASURES[row.measure]
    static = [one.static for one in runs]
    found: dict[str, Any] = {
        "row": name,
        "measure": row.measure,
        "value": measure(ours),
        "must": row.must,
        "aim": row.aim,
        "season_naive": season_naive(row, ours),
        "coverage_80": coverage(ours),
        "interval_score_80": interval_score(ours),
        "static": {"coverage_80": coverage(static), "interval_score_80": interval_score(static)},
        "seconds": sum(one.seconds for one in runs),
        "cpu_seconds": sum(one.cpu for one in runs),
        "also": {name: MEASURES[name](ours) for name in row.also},
        "context": [one.context for one in runs],
        "holdout": options.holdout,
        "peer": against_lstm(name, row, runs, options.peer_python) if options.peers else None,
        "auto_ets": against_ets(name, row, ours, options.peer_python) if options.peers and row.ets else None,
    }
    return found


def season_naive(row: Row, ours: list[Outcome]) -> float:
    """Return the better of season-naive's scores over the data set's seasons."""
    scores = []
    for which in range(len(ours[0].part.seasons)):
        naive = [naive_outcome(one.part, one.part.seasons[which]) for one in ours]
        scores.append(MEASURES[row.measure](naive))
    return min(scores)


def against_lstm(name: str, row: Row, runs: list[Run], python: Path) -> dict[str, Any]:
    """Judge neuralforecast's LSTM, trained for as long as ours, and ours on the same windows."""
    same = peer.sampled([one.outcome for one in runs], row.peer_series)
    theirs, answers = [], []
    for one, taken in zip(runs, same, strict=True):
        say(f"{name}: neuralforecast's LSTM trains for {one.seconds:.0f} s")
        result, answer = peer.recurrent(python, taken.part, one.context, one.seconds, row.measure == "wql")
        theirs.append(result)
        answers.append(answer)
    return {**_beside(row, theirs, same), "trainings": answers}


def against_ets(name: str, row: Row, ours: list[Outcome], python: Path) -> dict[str, Any]:
    """Judge AutoETS and ours on the same seeded series of a data set of one part."""
    say(f"{name}: AutoETS forecasts {ETS_SERIES} series")
    same = peer.sampled(ours, ETS_SERIES)
    result, answer = peer.ets(python, same[0].part)
    return {**_beside(row, [result], same), **answer}


def _beside(row: Row, theirs: list[Outcome], ours: list[Outcome]) -> dict[str, Any]:
    measure = MEASURES[row.measure]
    series = sum(len(one.part.series) for one in ours)
    windows = sum(one.part.origins.size for one in ours)
    scores = {"value": measure(theirs), "ours": measure(ours), "season_naive": season_naive(row, ours)}
    return {**scores, "series": series, "windows": windows}


def teller(name: str) -> Callable[[Progress], None]:
    """Return a listener that shows where a training stands."""

    def tell(progress: Progress) -> None:
        loss = progress.val_loss if progress.val_loss is not None else progress.train_loss
        say(f"{name}: {progress.phase} {progress.fraction:4.0%}" + (f", loss {loss:.4f}" if loss is not None else ""))

    return tell


def say(text: str) -> None:
    """Show where the benchmark stands, on one line of a terminal."""
    end = "" if sys.stderr.isatty() else "\n"
    print(f"\r\x1b[K{text}" if not end else text, end=end, file=sys.stderr, flush=True)
