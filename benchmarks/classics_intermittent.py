"""Intermittent demand: Gatecast's defaults beside AutoETS, Croston's method, TSB and zero, on the same windows.

Sets are made (Poisson, negative binomial, and demand of a few pieces at random times) or cut from the training split of
M5 (daily sales of low volume, and their sums over weeks). Each is forecast once, from `horizon` steps before its end.

Shapes: S series, H horizon, Q quantiles.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.arrays import Floats
from models.data.series import Panel
from models.evaluation import metrics
from models.planning.defaults import default_config
from models.training.fit import fit

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
M5_FILE = "m5_last447.parquet"
M5_SERIES = 60


@dataclass(frozen=True)
class DemandSet:
    """Series of counts, most of them zero, and what of them is forecast."""

    frequency: str
    season: int
    """steps of the season that MASE is scaled by"""
    horizon: int
    values: Mapping[str, Floats]
    """whole series, of which the last `horizon` steps are not seen"""

    @property
    def histories(self) -> dict[str, Floats]:
        """What is seen of each series."""
        return {name: y[: -self.horizon] for name, y in self.values.items()}

    @property
    def actual(self) -> Floats:
        """(S, H)"""
        return np.array([y[-self.horizon :] for y in self.values.values()])

    @property
    def zeros(self) -> float:
        """Share of zeros."""
        return float(np.concatenate(list(self.values.values())).__eq__(0).mean())


def build_sets(data: Path, seed: int = 0) -> dict[str, DemandSet]:
    """Build the sets; `data` is the folder of M5, whose sets are left out where it is absent."""
    rng = np.random.default_rng(seed)
    sets = {
        "poisson, monthly": _make("MS", 12, 12, 40, 84, lambda n: rng.poisson(_rates(rng, n, 0.35, 12))),
        "negative binomial, daily": _make("D", 7, 28, 30, 280, lambda n: _draw_negative(rng, _rates(rng, n, 0.4, 7))),
        "pieces, monthly": _make("MS", 12, 12, 40, 60, lambda n: rng.binomial(1, 0.25, n) * rng.geometric(0.4, n)),
    }
    if (data / M5_FILE).exists():
        sets |= _cut_m5(data / M5_FILE, rng)
    return sets


def build_single_sets(count: int, seed: int = 1) -> list[DemandSet]:
    """Build sets of one monthly series each."""
    rng = np.random.default_rng(seed)
    rates = rng.uniform(0.15, 0.65, count)
    return [_make("MS", 12, 12, 1, 84, lambda n, rate=rate: rng.poisson(rate, n)) for rate in rates]


def _make(
    frequency: str, season: int, horizon: int, count: int, length: int, draw: Callable[[int], Floats]
) -> DemandSet:
    series = {f"s{number}": np.asarray(draw(length), np.float64) for number in range(count)}
    return DemandSet(frequency, season, horizon, series)


def _rates(rng: np.random.Generator, length: int, typical: float, season: int) -> Floats:
    """Draw the mean of each step of a series: a level of its own, and a season."""
    level = typical * np.exp(rng.normal(0, 0.5))
    wave = np.sin(2 * np.pi * (np.arange(length) / season + rng.random()))
    rates: Floats = level * (1 + rng.uniform(0, 0.8) * wave)
    return rates


def _draw_negative(rng: np.random.Generator, rates: Floats, size: float = 0.6) -> Floats:
    counts: Floats = rng.negative_binomial(size, size / (size + rates)).astype(np.float64)
    return counts


def _cut_m5(path: Path, rng: np.random.Generator) -> dict[str, DemandSet]:
    """Cut sets from the training split of M5."""
    table = pd.read_parquet(path, columns=["unique_id", "ds", "y", "split"])
    table = table[table["split"] == "train"]
    wide = table.pivot(index="unique_id", columns="ds", values="y")
    mean = wide.mean(axis=1)
    low = wide[(mean > 0.05) & (mean < 0.6) & wide.notna().all(axis=1)]
    chosen = low.iloc[np.sort(rng.choice(len(low), M5_SERIES, replace=False))]
    days = {str(name): row for name, row in zip(chosen.index, chosen.to_numpy(np.float64), strict=True)}
    weeks = {name: y[len(y) % 7 :].reshape(-1, 7).sum(1) for name, y in days.items()}
    return {"M5, daily": DemandSet("D", 7, 28, days), "M5, weekly": DemandSet("W-SAT", 1, 8, weeks)}


def measure(demand: DemandSet, quantiles: Floats, mean: Floats | None = None) -> dict[str, float]:
    """Measure quantiles (S, H, Q), and the sum of means (S, H) beside that of the actual values."""
    actual = demand.actual
    scale = np.array([[metrics.season_error(y, demand.season)] for y in demand.histories.values()])
    point = quantiles[..., LEVELS.index(0.5)]
    measures = {
        "mae": metrics.mae(actual, point),
        "mase": metrics.mase(actual, point, scale),
        "pinball": metrics.pinball(actual, quantiles, LEVELS),
        "coverage": metrics.coverage(actual, quantiles[..., 0], quantiles[..., -1]),
        "median_sum": float(point.sum() / actual.sum()),
    }
    if mean is not None:
        measures["mean_sum"] = float(mean.sum() / actual.sum())
        measures["mean_rmse"] = metrics.rmse(actual, mean)
    return measures


def forecast_peers(demand: DemandSet) -> dict[str, Floats]:
    """Forecast by the peers: name -> quantiles (S, H, Q). Those without a distribution repeat their point."""
    from statsforecast.models import TSB, AutoETS, CrostonClassic, CrostonOptimized

    season = demand.season if demand.season <= 12 else 1
    shape = (len(demand.values), demand.horizon, len(LEVELS))
    forecasts = {name: np.zeros(shape) for name in ("zero", "AutoETS", "Croston", "CrostonOptimized", "TSB")}
    for row, y in enumerate(demand.histories.values()):
        made = AutoETS(season_length=season).forecast(y, demand.horizon, level=[50, 80])
        columns = [made["lo-80"], made["lo-50"], made["mean"], made["hi-50"], made["hi-80"]]
        forecasts["AutoETS"][row] = np.maximum(np.stack(columns, axis=-1), 0.0)
        points = {"Croston": CrostonClassic(), "CrostonOptimized": CrostonOptimized(), "TSB": TSB(0.2, 0.2)}
        for name, model in points.items():
            forecasts[name][row] = np.asarray(model.forecast(y, demand.horizon)["mean"])[:, None]
    return forecasts


def forecast_ours(demand: DemandSet, **options: object) -> tuple[Floats, Floats]:
    """Fit by the defaults and forecast: quantiles (S, H, Q) and means (S, H)."""
    import torch

    from models.data.windows import assemble, graph_inputs_of

    panel = Panel.from_arrays(demand.histories, demand.frequency)
    config = default_config(panel, demand.horizon, LEVELS, **options)  # type: ignore[arg-type]
    network = fit(panel, config).network.eval()
    origins = np.array([len(series.y) - 1 for series in panel.series])
    inputs = graph_inputs_of(assemble(panel.series, origins, config), config)
    with torch.inference_mode():
        forecast = network.forecast(**{name: torch.from_numpy(values) for name, values in inputs.items()})
    return forecast.quantiles.numpy(), forecast.mean.numpy()
