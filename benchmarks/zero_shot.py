"""Forecasts before any training, beside what a user could pick instead.

python -m benchmarks.zero_shot [--data ../shared/data] [--windows 40] [--keep FOLDER]

Each row's windows lie in its test rows. The built-in network, which has seen synthetic series alone, forecasts them as
`POST /forecast {"model": "auto"}` does; peers are fitted at each origin. Errors are shares of season-naive's.
`make peers` brings the peers.
"""

import argparse
import hashlib
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.serving.pretrained import run_network
from benchmarks.zero_shot_rows import LONGEST, ROWS, JudgedWindow, ZeroShotRow, read_windows
from models.pretrained.forecaster import LEVELS, forecast_any
from models.pretrained.published import read_made

Floats = NDArray[np.float64]

PROGRAM = Path(__file__).with_name("zero_shot_peers.py")
PEERS_PYTHON = Path(".venv-bench/bin/python")
PEERS = ("AutoETS", "AutoTheta", "flaircast")
FINE = 3
"""times fewer windows of hourly and finer rows, of which AutoETS takes seconds each"""
BATCH = 64
"""windows that the network runs at a time"""
TIMED = 30
"""runs of which the fastest counts"""


@dataclass(frozen=True)
class Score:
    """Errors as shares of season-naive's."""

    mase: float
    wql: float


def measure(row: ZeroShotRow, windows: Sequence[JudgedWindow], quantiles: Sequence[Floats]) -> Score:
    """Measure quantiles (H, 9) of each window, both errors in units of each history's season error."""
    levels = np.array(LEVELS)
    ours, naive, pinball = [], [], []
    for window, forecast in zip(windows, quantiles, strict=True):
        history, actual = window.history, window.actual
        scale = np.abs(history[row.season :] - history[: -row.season]).mean() or 1.0
        repeated = np.resize(history[-row.season :], row.horizon)
        missed = actual[:, None] - forecast
        ours.append(np.abs(missed[:, len(LEVELS) // 2]).mean() / scale)
        pinball.append(2 * np.maximum(levels * missed, (levels - 1) * missed).mean() / scale)
        naive.append(np.abs(actual - repeated).mean() / scale)
    return Score(float(np.mean(ours) / np.mean(naive)), float(np.mean(pinball) / np.mean(naive)))


def forecast_row(row: ZeroShotRow, windows: Sequence[JudgedWindow]) -> list[Floats]:
    """Forecast windows as the service does: quantiles (H, 9) of each."""
    longest = max(len(window.history) for window in windows)
    contexts = np.full((len(windows), longest), np.nan)
    for place, window in enumerate(windows):
        contexts[place, longest - len(window.history) :] = window.history
    parts = [
        forecast_any(run_network, contexts[start : start + BATCH], row.hints, row.horizon, is_coarse=row.is_coarse)
        for start in range(0, len(windows), BATCH)
    ]
    return list(np.concatenate(parts))


def ask_peers(
    rows: Sequence[tuple[ZeroShotRow, list[JudgedWindow]]], keep: Path | None
) -> tuple[dict[str, list[list[Floats]]], dict[str, Any]]:
    """Return the peers' quantiles by name, row and window, and what they told. Answers lie in the folder `keep`."""
    flat = [(row, window) for row, windows in rows for window in windows]
    asked = [{"horizon": row.horizon, "season": row.season, "freq": row.freq} for row, _ in flat]
    request = json.dumps({"windows": asked})
    arrays = {str(number): window.history for number, (_, window) in enumerate(flat)}
    digest = hashlib.sha256(request.encode() + PROGRAM.read_bytes())
    for values in arrays.values():
        digest.update(values.tobytes())
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if keep is None else keep / digest.hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "told.json").is_file():
            (folder / "request.json").write_text(request)
            np.savez(folder / "windows.npz", allow_pickle=False, **arrays)
            subprocess.run([str(PEERS_PYTHON), str(PROGRAM), str(folder)], check=True)
        answers = np.load(folder / "answer.npz")
        told = json.loads((folder / "told.json").read_text())
        found: dict[str, list[list[Floats]]] = {}
        for name in PEERS:
            number = 0
            found[name] = []
            for _, windows in rows:
                found[name].append([answers[f"{name}/{number + k}"] for k in range(len(windows))])
                number += len(windows)
    return found, told


def time_network() -> dict[str, float]:
    """Return the milliseconds of a forecast of 1024 points, alone and in batches of 64."""
    rng = np.random.default_rng(0)
    found = {}
    for name, size in (("alone", 1), ("batched", BATCH)):
        contexts = np.sin(np.arange(LONGEST) * 2 * np.pi / 24) + rng.normal(0, 0.1, (size, LONGEST))
        best = np.inf
        for _ in range(TIMED):
            begun = time.perf_counter()
            forecast_any(run_network, contexts, (24, 168), 24)
            best = min(best, time.perf_counter() - begun)
        found[name] = 1000 * best / size
    return found


def mean_of(scores: Sequence[Score]) -> Score:
    """Return the geometric means."""
    values = np.array([(one.mase, one.wql) for one in scores])
    mase, wql = np.exp(np.log(values).mean(axis=0))
    return Score(float(mase), float(wql))


def main() -> None:
    """Run the rows, print the table and its line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the Parquet files")
    parser.add_argument("--windows", type=int, default=40, help="most windows of a row")
    parser.add_argument("--keep", type=Path, help="folder in which the peers' answers are kept")
    args = parser.parse_args()
    if not args.data.is_dir() or not PEERS_PYTHON.is_file():
        parser.error(f"needs {args.data} and {PEERS_PYTHON}: --data names the folder, 'make peers' installs the peers")
    rows = [(row, read_windows(row, args.data, args.windows // FINE if row.fine else args.windows)) for row in ROWS]
    ours = [measure(row, windows, forecast_row(row, windows)) for row, windows in rows]
    theirs, told = ask_peers(rows, args.keep)
    table = {"gatecast": ours}
    for name in PEERS:
        table[name] = [measure(row, windows, theirs[name][k]) for k, (row, windows) in enumerate(rows)]
    print(
        f"{'row':15} {'windows':>7}  "
        + "  ".join(f"{name:>13}" for name in table)
        + "   MASE / WQL over season-naive's"
    )
    for place, (row, windows) in enumerate(rows):
        cells = "  ".join(f"{scores[place].mase:>6.3f} {scores[place].wql:>6.3f}" for scores in table.values())
        print(f"{row.name:15} {len(windows):>7}  {cells}")
    means: dict[str, dict[str, list[float]]] = {}
    for group, fine in (("hourly and finer", True), ("daily to yearly", False)):
        chosen = [place for place, (row, _) in enumerate(rows) if row.fine is fine]
        scores = {name: mean_of([found[place] for place in chosen]) for name, found in table.items()}
        means[group] = {name: [round(one.mase, 4), round(one.wql, 4)] for name, one in scores.items()}
        cells = "  ".join(f"{one.mase:>6.3f} {one.wql:>6.3f}" for one in scores.values())
        print(f"{group:23}  {cells}")
    milliseconds = {name: round(value, 3) for name, value in time_network().items()}
    print(f"one forecast of {LONGEST} points: {milliseconds['alone']} ms alone, {milliseconds['batched']} in batches")
    made = {name: read_made()[name] for name in ("done", "windows", "hours")}
    packages = {**told["packages"], "onnxruntime": version("onnxruntime")}
    print(
        json.dumps({"benchmark": "zero_shot", "means": means, "ms": milliseconds, "made": made, "packages": packages})
    )


if __name__ == "__main__":
    main()
