"""What the field's own libraries forecast for benchmarks.classics, run in their own environment.

python classics_peers.py FOLDER

Reads request.json and windows.npz there, and leaves answer.npz: (windows, horizon) a peer. Imports nothing of the
project.
"""

import json
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Peer = Callable[[Floats, int, int, str], Floats]
"""history, horizon, season, pandas' name of the frequency -> forecast"""

LONGEST_SEASON = 24
"""steps of a season that AutoETS knows"""
LONG = 150
"""Values from which on AutoARIMA approximates the likelihood of its models, and MANY_STEPS those of a season. They are
defaults of R, without which half a thousand weeks take minutes"""
MANY_STEPS = 12
SEED = 0


def statistical(name: str) -> Peer:
    """Return a model of statsforecast, with its defaults and the season that it is told."""

    def forecast(history: Floats, horizon: int, season: int, freq: str) -> Floats:
        from statsforecast import models

        options: dict[str, Any] = {"season_length": season}
        if name == "AutoETS" and season > LONGEST_SEASON:
            options["season_length"] = 1
        if name == "AutoARIMA":
            options["approximation"] = len(history) > LONG or season > MANY_STEPS
        model: Any = getattr(models, name)(**options)
        try:
            found: Floats = np.asarray(model.forecast(history, horizon)["mean"], np.float64)
        except Exception:
            return naive(history, horizon, season, freq)
        return found

    return forecast


def naive(history: Floats, horizon: int, season: int, freq: str) -> Floats:
    """Repeat the last value."""
    return np.full(horizon, history[-1])


def season_naive(history: Floats, horizon: int, season: int, freq: str) -> Floats:
    """Repeat the last season."""
    if len(history) < season:
        return naive(history, horizon, season, freq)
    repeated: Floats = history[len(history) - season + np.arange(horizon) % season]
    return repeated


def flair(history: Floats, horizon: int, season: int, freq: str) -> Floats:
    """Return the median of flaircast's paths."""
    from flaircast import forecast

    found: Floats = np.median(forecast(history, horizon=horizon, freq=freq, seed=SEED), axis=0)
    return found


PEERS: dict[str, Peer] = {
    "season_naive": season_naive,
    "naive": naive,
    "AutoETS": statistical("AutoETS"),
    "AutoARIMA": statistical("AutoARIMA"),
    "AutoTheta": statistical("AutoTheta"),
    "flaircast": flair,
}


NAIVE = ("season_naive", "naive")
"""those that forecast every row; the others forecast the ranked ones"""


def main() -> None:
    """Answer the request that lies in the folder."""
    folder = Path(sys.argv[1])
    request = json.loads((folder / "request.json").read_text())
    histories = np.load(folder / "windows.npz")
    answers: dict[str, Floats] = {}
    for name, peer in PEERS.items():
        for number, one in enumerate(request["windows"]):
            if not one["ranked"] and name not in NAIVE:
                continue
            print(f"{name}: {number + 1} of {len(request['windows'])} forecasts", file=sys.stderr, flush=True)
            found = peer(histories[str(number)], one["horizon"], one["season"], one["freq"])
            answers[f"{name}/{number}"] = np.nan_to_num(found, nan=float(histories[str(number)][-1]))
    np.savez(folder / "answer.npz", allow_pickle=False, **answers)
    (folder / "packages.json").write_text(json.dumps({name: version(name) for name in ("statsforecast", "flaircast")}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
