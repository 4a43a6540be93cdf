"""What the table of networks compares, and on what.

Every network is one setting away from another: the bare ones from the plain segment LSTM, the gated ones from the
LSTM that gates fixed classical forecasts. All of them but `chosen` read the same context.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.accuracy_data import Loader, Part, long_horizon, m4, part_of
from models.data.series import Panel
from models.planning.presets import ARTICLES_NETWORK, ARTICLES_TRAINING

Overrides = dict[str, Any]


@dataclass(frozen=True)
class Set:
    """A data set of the table."""

    title: str
    file: str
    load: Loader
    measure: str
    context: int
    """steps that every network reads"""
    stride: int = 1
    """every so many-th window of the protocol is judged: coprime to the season, so that origins lie at every hour"""


@dataclass(frozen=True)
class Network:
    """A row of the table."""

    title: str
    network: Overrides
    training: Overrides


def suggested(freq: str, horizon: int, seasons: tuple[int, ...], path: Path, holdout: bool) -> list[Part]:
    """Load a set of one series whose test rows are forecast from every step of them; covariates are left out."""
    frame = pd.read_parquet(path)
    frame = frame[frame["split"] == "train"] if holdout else frame
    full = Panel.from_frame(frame[["unique_id", "ds", "y"]], freq).series
    judged = int((frame["split"] == "test").sum()) or len(frame) // 10
    end = len(full[0].y) - judged
    origins = np.arange(end - 1, len(full[0].y) - horizon, dtype=np.int64)
    return [part_of(full, [end], origins[None], horizon, seasons)]


SETS: dict[str, Set] = {
    "m4_hourly": Set("M4 Hourly", "m4_hourly.parquet", m4("h", 48, 24), "owa", 168),
    "etth1": Set("ETTh1", "etth1.parquet", long_horizon("h", 96, 24), "mse", 336, 49),
    "bike_sharing": Set("bike sharing", "bike_sharing.parquet", partial(suggested, "h", 24, (24, 168)), "mae", 168, 13),
    "vic_elec": Set("vic_elec", "vic_elec.parquet", partial(suggested, "30min", 48, (48, 336)), "mae", 336, 37),
}

ALONE: Overrides = {"lookbacks": [], "ets": False, "anchor": 0.0, "linear": False, "smoothing": 0, "statistical": 0}
BARE: Overrides = {"lookbacks": [], "basis": False}


def _bare(title: str, training: Overrides | None = None, **network: Any) -> Network:
    return Network(title, {**BARE, **network}, training or {})


def _gated(title: str, training: Overrides | None = None, **network: Any) -> Network:
    return Network(title, {**ALONE, **network}, training or {})


NETWORKS: dict[str, Network] = {
    "chosen": Network("what Gatecast chooses", {}, {}),
    "bare": _bare("LSTM over segments"),
    "bare-stepwise": _bare("LSTM, step by step", segment=1),
    "bare-articles": Network("articles' LSTM, all steps", {**ARTICLES_NETWORK, "lookbacks": []}, ARTICLES_TRAINING),
    "bare-recursive": _bare("LSTM, recursive", segment=1, decoder="recursive"),
    "gated": _gated("gated LSTM"),
    "gated-gru": _gated("gated GRU", cell="gru"),
    "gated-stacked": _gated("two layers, dropout", layers=2, dropout=0.2),
    "gated-bidirectional": _gated("bidirectional", bidirectional=True),
    "gated-attention": _gated("attention", attention=4),
    "gated-convolution": _gated("CNN-LSTM", convolution=3),
    "gated-smoothing": _gated("smoothing inside", smoothing=4),
    "gated-statistical": _gated("AutoETS and AutoTheta", statistical=4),
    "gated-ets": _gated("averaged smoothing", ets=True, anchor=0.4),
    "gated-prophet": _gated("Prophet", prophet=2),
    "gated-linear": _gated("ridge regression", linear=True),
    "gated-mse": _gated("loss MSE", {"loss": "mse"}),
    "gated-mae": _gated("loss MAE", {"loss": "mae"}),
    "gated-huber": _gated("loss Huber", {"loss": "huber"}),
    "gated-student-t": _gated("Student-t law", {"loss": "student_t"}),
}
