"""The field's own libraries, run in their own environment on what a benchmark left in a folder.

python peers.py FOLDER            one request: forecast.npy and answer.json are left beside it
python peers.py FOLDER --rounds   a training is timed for each line of standard input, a line of JSON each

Imports nothing of the project. Series count their steps, because these models read no dates.
"""

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

Request = dict[str, Any]

WARM_STEPS, PACE_STEPS = 5, 20
LONGEST_ETS_SEASON = 24
QUIET = {
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}


def table(path: Path) -> pd.DataFrame:
    """Read the long table `unique_id, ds, y` and covariates, all of them numbers."""
    with np.load(path) as columns:
        return pd.DataFrame({name: columns[name] for name in columns.files})


def trained(request: Request, frame: pd.DataFrame, steps: int) -> tuple[Any, list[float]]:
    """Train neuralforecast's LSTM or GRU for so many steps; return it with the time at which each step ended.

    Its size, loss and optimiser are its own defaults unless the request's `options` say otherwise; early stopping
    is off by default. Where quantiles are judged its loss is their pinball loss.
    """
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MAE, MQLoss
    from neuralforecast.models import GRU, LSTM
    from pytorch_lightning.callbacks import LambdaCallback

    ends: list[float] = []
    model = {"LSTM": LSTM, "GRU": GRU}[request["model"]](
        h=request["horizon"],
        input_size=request["context"],
        max_steps=steps,
        loss=MQLoss(quantiles=request["levels"]) if request["levels"] else MAE(),
        futr_exog_list=request["covariates"] or None,
        start_padding_enabled=request["padding"],
        callbacks=[LambdaCallback(on_train_batch_end=lambda *_, **__: ends.append(time.perf_counter()))],
        **request["options"],
        **QUIET,
    )
    forecaster = NeuralForecast(models=[model], freq=1)
    forecaster.fit(frame, val_size=0)
    return forecaster, ends


def step_seconds(request: Request, frame: pd.DataFrame, steps: int) -> float:
    """Return the seconds of a training step, the next batch's loading included, without set-up and first steps."""
    ends = trained(request, frame, WARM_STEPS + steps)[1]
    return (ends[-1] - ends[WARM_STEPS - 1]) / steps


def recurrent(request: Request, folder: Path) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Train for the request's seconds, then forecast every window of the histories: (S, W, H, Q or 1)."""
    frame, history = table(folder / "train.npz"), table(folder / "history.npz")
    pace = step_seconds(request, frame, PACE_STEPS)
    steps = max(1, int(request["seconds"] / pace))
    began = time.perf_counter()
    forecaster, ends = trained(request, frame, steps)
    seconds = ends[-1] - began
    found = forecaster.cross_validation(
        history, use_fitted=True, n_windows=request["windows"], step_size=request["step"], val_size=0
    )
    found = found.sort_values(["unique_id", "cutoff", "ds"])
    names = [name for name in found.columns if name.startswith(request["model"])]
    shape = (-1, request["windows"], request["horizon"], len(names))
    values = np.sort(found[names].to_numpy(np.float64).reshape(shape), axis=-1)
    answer = {"steps": steps, "step_seconds": pace, "seconds": seconds}
    answer["windows_per_second"] = steps * forecaster.models[0].windows_batch_size / seconds
    if request["latency"]:
        one = history[history["unique_id"] == history["unique_id"].iloc[0]]
        answer["latency_s"] = median_seconds(lambda: forecaster.predict(df=one), repeats=10)
    return values, answer


def median_seconds(call: Callable[[], object], repeats: int = 50) -> float:
    """Return the median seconds of a call, after one that warms up."""
    call()
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def ets(request: Request, folder: Path) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Forecast each history by statsforecast's AutoETS, its mean as the median: (S, 1, H, 5).

    AutoETS knows no season of more than 24 steps: such a one is taken out by STL before it, and put back.
    """
    from statsforecast import StatsForecast
    from statsforecast.models import MSTL, AutoETS, Naive

    season, threads = request["season"], request["threads"]
    alone = AutoETS(season_length=season)
    models = [alone if season <= LONGEST_ETS_SEASON else MSTL(season, AutoETS(model="ZZN"), alias="AutoETS")]
    forecaster = StatsForecast(models=models, freq=1, n_jobs=threads, fallback_model=Naive())
    began = time.perf_counter()
    found = forecaster.forecast(df=table(folder / "history.npz"), h=request["horizon"], level=[50, 80])
    found = found.sort_values(["unique_id", "ds"])
    names = ["AutoETS-lo-80", "AutoETS-lo-50", "AutoETS", "AutoETS-hi-50", "AutoETS-hi-80"]
    values = found[names].to_numpy(np.float64).reshape(-1, 1, request["horizon"], len(names))
    return values, {"seconds": time.perf_counter() - began}


def rounds(request: Request, folder: Path) -> None:
    """Time the request's `steps` for each line of standard input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print is no answer
    frame = table(folder / "train.npz")
    for _ in sys.stdin:
        seconds = step_seconds(request, frame, request["steps"])
        answers.write(json.dumps({"step_seconds": seconds, "packages": packages()}) + "\n")
        answers.flush()


def packages() -> dict[str, str]:
    """Return the versions that the figures belong to."""
    return {name: version(name) for name in ("neuralforecast", "statsforecast", "torch")}


def main() -> None:
    """Answer the request that lies in the folder."""
    folder = Path(sys.argv[1])
    request = json.loads((folder / "request.json").read_text())
    torch.set_num_threads(request["threads"])
    if sys.argv[2:] == ["--rounds"]:
        rounds(request, folder)
        return
    values, answer = {"recurrent": recurrent, "ets": ets}[request["kind"]](request, folder)
    np.save(folder / "forecast.npy", values)
    (folder / "answer.json").write_text(json.dumps({**answer, "packages": packages()}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    main()
