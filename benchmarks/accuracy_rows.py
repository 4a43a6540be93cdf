"""The rows of the accuracy table: data set, protocol, measure, and what the project wants of itself."""

from dataclasses import dataclass

from benchmarks.accuracy_data import Loader, electricity, long_horizon, m3, m4, m5


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    files: tuple[str, ...]
    """the data, then what its loader finds beside it"""
    load: Loader
    measure: str
    """judges the row"""
    must: float | None
    aim: float | None
    """None: better than the references, which the row says"""
    also: tuple[str, ...] = ()
    """measures that the JSON tells too"""
    peer_series: int | None = None
    """size of the sample on which a peer is judged; None: all series"""
    ets: bool = False
    """AutoETS is a reference"""


SAMPLE = 500
"""series on which a peer is judged where a data set has many"""
EPF = ("epf_np_pjm_be.parquet",)
ROWS: dict[str, Row] = {
    "m4_hourly": Row(("m4_hourly.parquet",), m4("h", 48, 24), "owa", 0.395, 0.37, ("smape", "mase")),
    "m4_yearly": Row(("m4_yearly.parquet",), m4("YS", 6, 1), "owa", 0.775, 0.758, ("smape", "mase"), SAMPLE),
    "m3": Row(("m3.parquet",), m3, "smape", 12.45, 12.27, (), SAMPLE),
    "etth1": Row(("etth1.parquet",), long_horizon("h", 96, 24), "mse", 0.354, 0.348, ("mae", "mse of means")),
    "ettm1": Row(
        ("ettm1.parquet",), long_horizon("15min", 96, 96), "mse", 0.280, 0.275, ("mae", "mse of means"), SAMPLE
    ),
    "weather": Row(
        ("weather.parquet",), long_horizon("10min", 96, 144), "mse", 0.147, 0.143, ("mae", "mse of means"), SAMPLE
    ),
    "epf_np": Row(EPF, electricity("NP"), "mae", 1.66, 1.60),
    "epf_pjm": Row(EPF, electricity("PJM"), "mae", 2.88, 2.79),
    "epf_be": Row(EPF, electricity("BE"), "mae", 6.00, 5.80),
    "m5": Row(("m5_last447.parquet", "m5_calendar.parquet"), m5, "wql", None, None, ("mae",), SAMPLE, ets=True),
}
