"""The data of benchmarks.sums: series, what is learned of them, and the origins of the sums that are judged."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.accuracy_data import M5_HORIZON, Part, electricity, m5, part_of
from models.config.covariates import CovariateConfig
from models.data.series import Panel, Series
from models.inference.reconciliation import sum_series

HALF_HOURS = 48
"""of a day"""


def load_m5(folder: Path) -> Part:
    """Return daily sales of single articles: the sum of 28 days."""
    return m5(folder / "m5_last447.parquet", False)[0]


def load_vic_elec(folder: Path) -> Part:
    """Return half-hourly demand for electricity, with the day's holiday known: the sum of each day of the test."""
    frame = pd.read_parquet(folder / "vic_elec.parquet")
    full = Panel.from_frame(frame[["unique_id", "ds", "y", "holiday"]], "30min").series
    end = int((frame["split"] == "train").sum())
    days = np.arange((len(full[0].y) - end) // HALF_HOURS, dtype=np.int64)
    origins = end - 1 + HALF_HOURS * days[None]
    return part_of(full, [end], origins, HALF_HOURS, (HALF_HOURS, 7 * HALF_HOURS), ("holiday",))


def load_epf_np(folder: Path) -> Part:
    """Return hourly prices with two covariates that are known ahead: the sum of each day of the first test year."""
    return electricity("NP")(folder / "epf_np_pjm_be.parquet", False)[0]


def load_departments(folder: Path) -> Part:
    """Return daily sales of each department of each shop: what states and shops add up from."""
    articles = m5(folder / "m5_last447.parquet", False)[0].series
    members: dict[str, list[Series]] = {}
    for one in articles:
        members.setdefault(f"{one.static['department']}_{one.static['shop']}", []).append(one)
    roles = CovariateConfig(known_future=("snap", "event"))
    sums = [sum_series(of_one, name, roles) for name, of_one in members.items()]
    full = [one for one in sums if one is not None]
    ends = [len(one.y) - M5_HORIZON for one in full]
    origins = np.array(ends, np.int64)[:, None] - 1
    return part_of(full, ends, origins, M5_HORIZON, (7,), ("snap", "event"), ("department", "shop"))


SUMS: dict[str, tuple[str, Callable[[Path], Part]]] = {
    "m5": ("M5, 28 days", load_m5),
    "vic_elec": ("vic_elec, a day", load_vic_elec),
    "epf_np": ("EPF NP, a day", load_epf_np),
}
