"""Peers on the windows of the accuracy table: hands a request to `peers.py` in the peers' environment.

neuralforecast's LSTM learns from every series of the part and reads its numeric covariates that are known ahead;
it has no covariates of text. Where forecasting all windows would take long, both are judged on a seeded sample.
"""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.accuracy_data import Ints, Part
from benchmarks.accuracy_score import LEVELS, Outcome, as_quantiles, outcome
from models.data.series import Series

Columns = dict[str, NDArray[Any]]

PROGRAM = Path(__file__).with_name("peers.py")
SEED = 0
MOST_WINDOWS = 20_000
"""windows of a part, above which only every second, third... of each series is judged"""


def sampled(outcomes: Sequence[Outcome], most_series: int | None) -> list[Outcome]:
    """Return the outcomes on a seeded sample of the series that have a history, the same on every call."""
    pairs = [(k, row) for k, one in enumerate(outcomes) for row in np.flatnonzero(one.part.origins[:, 0] >= 0).tolist()]
    if most_series is not None and len(pairs) > most_series:
        kept = np.random.default_rng(SEED).choice(len(pairs), most_series, replace=False)
        pairs = [pairs[k] for k in sorted(kept.tolist())]
    return [_taken(one, [row for at, row in pairs if at == k]) for k, one in enumerate(outcomes)]


def _taken(one: Outcome, rows: list[int]) -> Outcome:
    per_series = one.part.origins.shape[1]
    stride = ceil(len(rows) * per_series / MOST_WINDOWS)
    windows = slice((per_series - 1) % stride, None, stride)
    part = one.part.take(rows, stride)
    return Outcome(part, one.actual[rows][:, windows], one.quantiles[rows][:, windows])


def recurrent(
    python: Path,
    judged: Part,
    context: int,
    seconds: float,
    quantiles: bool,
    *,
    model: Literal["LSTM", "GRU"] = "LSTM",
    latency: bool = False,
) -> tuple[Outcome, dict[str, Any]]:
    """Train neuralforecast's LSTM or GRU for so many seconds on the part, and forecast its windows.

    Args:
        context: steps that it reads.
        quantiles: train and judge all levels; else its point stands at every level.
        latency: measure the forecast of one series too.
    """
    trained, known = judged.panel.series, judged.known_future
    steps = np.diff(judged.origins[0])
    request = {
        "kind": "recurrent",
        "model": model,
        "latency": latency,
        "horizon": judged.horizon,
        "context": context,
        "seconds": seconds,
        "levels": LEVELS if quantiles else None,
        "covariates": known,
        "padding": min(len(one.y) for one in trained) < context + judged.horizon,
        "windows": judged.origins.shape[1],
        "step": int(steps[0]) if len(steps) else 1,
        "options": {},
    }
    first = np.maximum(judged.origins[:, 0] + 1 - context, 0)
    tables = {
        "train": columns(trained, [0] * len(trained), [len(one.y) for one in trained], known),
        "history": columns(judged.series, first.tolist(), (judged.origins[:, -1] + 1 + judged.horizon).tolist(), known),
    }
    values, answer = ask(python, request, tables)
    shown = values if quantiles else as_quantiles(values[..., 0])
    return outcome(judged, shown), answer


def ets(python: Path, judged: Part, longest: int | None = None) -> tuple[Outcome, dict[str, Any]]:
    """Forecast each window by AutoETS from what precedes it, the last `longest` steps at most."""
    request = {"kind": "ets", "horizon": judged.horizon, "season": judged.seasons[0]}
    shape = judged.origins.shape
    series = [one for one in judged.series for _ in range(shape[1])]
    ends = (judged.origins.ravel() + 1).tolist()
    first = [max(0, end - longest) if longest is not None else 0 for end in ends]
    values, answer = ask(python, request, {"history": columns(series, first, ends, ())})
    return outcome(judged, values.reshape(*shape, judged.horizon, len(LEVELS))), answer


def columns(series: Sequence[Series], first: Sequence[int], ends: Sequence[int], known: Sequence[str]) -> Columns:
    """Return the long table of the observed steps first..end-1 of each series; a row counts as one step."""
    rows: list[Ints] = [
        begin + np.flatnonzero(~np.isnan(one.y[begin:end])) for one, begin, end in zip(series, first, ends, strict=True)
    ]
    sizes = np.array([len(row) for row in rows])
    found: Columns = {
        "unique_id": np.repeat(np.arange(len(rows), dtype=np.int32), sizes),
        "ds": np.concatenate([np.arange(size, dtype=np.int32) for size in sizes]),
        "y": np.concatenate([one.y[row] for one, row in zip(series, rows, strict=True)]).astype(np.float32),
    }
    for name in known:
        taken = [one.covariates[name][row] for one, row in zip(series, rows, strict=True)]
        found[name] = np.concatenate(taken).astype(np.float32)
    return found


def write(folder: Path, request: Mapping[str, Any], tables: Mapping[str, Columns]) -> None:
    """Leave a request where `peers.py` looks for it; it uses as many threads as this process."""
    for name, table in tables.items():
        np.savez(folder / f"{name}.npz", allow_pickle=False, **table)
    (folder / "request.json").write_text(json.dumps({**request, "threads": torch.get_num_threads()}))


def ask(
    python: Path, request: Mapping[str, Any], tables: Mapping[str, Columns]
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Run a request in the peers' environment. Raises SystemExit with its last words where it fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, request, tables)
        command = [str(python), "-W", "ignore", str(PROGRAM), name]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"the peer failed:\n{done.stderr[-2000:]}")
        return np.load(folder / "forecast.npy"), json.loads((folder / "answer.json").read_text())
