"""The tables of benchmarks.tables: what each needs to be imported and trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FIRST_STEP = "2000-01-01"
"""where series that count steps begin: the competitions hide their dates, and this one stands for none"""
NO_SPLIT = {"columns": "split:"}
"""the benchmark's own column is no covariate"""

IRREGULAR = (
    "realAWSCloudwatch/ec2_network_in_5abac7",
    "realKnownCause/ec2_request_latency_system_failure",
    "realTraffic/TravelTime_451",
    "realTraffic/occupancy_t4013",
    "realTraffic/speed_7578",
)
"""series of NAB whose steps are of several lengths, and which fit no grid but that of minutes"""
_NAB = {"columns": "split:,anomaly_window:,anomaly_point:", "on_duplicate": "last"}


@dataclass(frozen=True)
class Part:
    """A call of the import, and a training on some of what it stored."""

    name: str
    table: str
    horizon: int
    parameters: Mapping[str, str] = field(default_factory=lambda: NO_SPLIT)
    """the query of POST /series/import"""
    where: tuple[str, tuple[str, ...]] | None = None
    """(column, its values) of the rows that go together; None: all"""
    others: bool = False
    """whether the rows go together that `where` does not name"""
    known_future: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    cleaning: Mapping[str, Any] = field(default_factory=dict)
    """of POST /train"""


@dataclass(frozen=True)
class Companion:
    """A table with a row a time and no series, whose columns are covariates of another table's series."""

    table: str
    columns: tuple[str, ...]


COMPANIONS: Mapping[str, tuple[Companion, ...]] = {
    "m5_last447": (Companion("m5_calendar", ("event_name_1", "snap_CA", "snap_TX", "snap_WI")),),
    "gefcom2012_load": (Companion("gefcom2012_temp", ("t1", "t2", "t3")),),
}


def _count_steps(freq: str, columns: str = "split:") -> dict[str, str]:
    """Return the parameters of a table whose `ds` counts steps."""
    return {"freq": freq, "ds_start": FIRST_STEP, "columns": columns}


def _of_m3(kind: str, freq: str, horizon: int) -> Part:
    return Part(f"m3/{kind}", "m3", horizon, _count_steps(freq, "split:,freq:,type:"), ("freq", (kind,)))


def _of_classics(kind: str, freq: str, horizon: int) -> Part:
    parameters = _count_steps(freq, "split:,freq:,time:,season:")
    return Part(f"classics/{kind}", "classics", horizon, parameters, ("freq", (kind,)))


PARTS = (
    Part("m4_hourly", "m4_hourly", 48, _count_steps("h")),
    Part("m4_yearly", "m4_yearly", 6, _count_steps("YS")),
    Part("m4_daily_tail", "m4_daily_tail", 14, _count_steps("D")),
    _of_m3("yearly", "YS", 6),
    _of_m3("quarterly", "QS", 8),
    _of_m3("monthly", "MS", 18),
    _of_m3("other", "D", 8),
    Part("etth1", "etth1", 96),
    Part("ettm1", "ettm1", 96),
    Part("weather", "weather", 96, {**NO_SPLIT, "on_duplicate": "last"}),
    Part("exchange_rate", "exchange_rate", 96),
    Part("epf_np_pjm_be", "epf_np_pjm_be", 24, known_future=("exog1", "exog2")),
    Part("gefcom2012_load", "gefcom2012_load", 24, past=("t1", "t2", "t3")),
    Part("vic_elec", "vic_elec", 48, known_future=("temperature", "holiday")),
    Part("bike_sharing", "bike_sharing", 24, known_future=("holiday", "workingday"), past=("weather", "temp", "hum")),
    Part("metro_traffic", "metro_traffic", 24, known_future=("hol",), past=("weather_main", "temp")),
    Part("m5_last447", "m5_last447", 28, known_future=("event_name_1", "snap_CA", "snap_TX", "snap_WI")),
    Part("monthly_aus", "monthly_aus", 18),
    Part("us_births", "us_births", 30),
    _of_classics("M", "MS", 12),
    _of_classics("Q", "QS", 8),
    _of_classics("Y", "YS", 6),
    _of_classics("W", "W-SAT", 26),
    _of_classics("D", "D", 30),
    _of_classics("5min", "5min", 48),
    _of_classics("30min", "30min", 48),
    Part("nab_half/regular", "nab_half", 24, _NAB, ("unique_id", IRREGULAR), others=True),
    Part(
        "nab_half/irregular",
        "nab_half",
        24,
        _NAB | {"freq": "min"},
        ("unique_id", IRREGULAR),
        cleaning={"gaps": "linear", "max_filled": 1.0, "aggregate": {"freq": "10min", "by": "mean"}},
    ),
)
