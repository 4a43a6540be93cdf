"""What the field's own libraries forecast for benchmarks.zero_shot, run in their own environment.

python zero_shot_peers.py FOLDER

Reads request.json and windows.npz there, and leaves answer.npz: quantiles (horizon, 9) a peer and window. Imports
nothing of the project.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Peer = Callable[[Floats, int, int, str], Floats]
"""history, horizon, season, pandas' name of the frequency -> quantiles (horizon, 9)"""

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
INTERVALS = (20, 40, 60, 80)
"""percent, whose ends are the levels beside the median"""
LONGEST_SEASON = 24
"""steps of a season that AutoETS knows"""
SEED = 0


def statistical(name: str) -> Peer:
    """Return a model of statsforecast, with its defaults and the season that it is told."""

    def forecast(history: Floats, horizon: int, season: int, freq: str) -> Floats:
        from statsforecast import models

        length = 1 if name == "AutoETS" and season > LONGEST_SEASON else season
        model: Any = getattr(models, name)(season_length=length)
        try:
            found = model.forecast(history, horizon, level=list(INTERVALS))
        except Exception:
            return np.repeat(np.full(horizon, history[-1])[:, None], len(LEVELS), axis=1)
        below = [found[f"lo-{level}"] for level in reversed(INTERVALS)]
        above = [found[f"hi-{level}"] for level in INTERVALS]
        return np.stack([*below, found["mean"], *above], axis=1)

    return forecast


def flair(history: Floats, horizon: int, season: int, freq: str) -> Floats:
    """Return the quantiles of flaircast's paths."""
    from flaircast import forecast

    return np.quantile(forecast(history, horizon=horizon, freq=freq, seed=SEED), LEVELS, axis=0).T


PEERS: dict[str, Peer] = {
    "AutoETS": statistical("AutoETS"),
    "AutoTheta": statistical("AutoTheta"),
    "flaircast": flair,
}


def main() -> None:
    """Answer the request that lies in the folder."""
    folder = Path(sys.argv[1])
    windows = json.loads((folder / "request.json").read_text())["windows"]
    histories = np.load(folder / "windows.npz")
    answers: dict[str, Floats] = {}
    seconds = {}
    for name, peer in PEERS.items():
        begun = time.perf_counter()
        for number, one in enumerate(windows):
            print(f"{name}: {number + 1} of {len(windows)} forecasts", file=sys.stderr, flush=True)
            history = histories[str(number)]
            found = peer(history, one["horizon"], one["season"], one["freq"])
            answers[f"{name}/{number}"] = np.nan_to_num(found, nan=float(history[-1]))
        seconds[name] = time.perf_counter() - begun
    np.savez(folder / "answer.npz", allow_pickle=False, **answers)
    packages = {name: version(name) for name in ("statsforecast", "flaircast")}
    (folder / "told.json").write_text(json.dumps({"packages": packages, "seconds": seconds}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
