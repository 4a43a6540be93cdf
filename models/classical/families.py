"""Families of exponential smoothing models, as grids of parameters: what a context's own models are taken from."""

from dataclasses import dataclass

from models.classical.exponential_smoothing import SmoothingModel

LEVEL_RATES = (0.1, 0.3, 0.6, 1.0)
SEASON_RATES = (0.1, 0.3, 0.6)
"""shares of an error that a season takes up"""
HANDICAP = 0.15
"""Added to the log error of trends that go on for ever: as good as others in the past, they are worse ahead
(Gardner and McKenzie 1985). On a straight line they win all the same"""


@dataclass(frozen=True)
class Family:
    """Models that are averaged by how likely they make a context."""

    name: str
    models: tuple[SmoothingModel, ...]
    seasonal: bool = False
    """whether the season follows the errors, too; the others read values without their seasonal profile"""
    handicap: float = 0.0


LEVEL = Family("level", tuple(SmoothingModel(a) for a in LEVEL_RATES))
THETA = Family("theta", tuple(SmoothingModel(a, drift=0.5) for a in LEVEL_RATES))
TREND = Family(
    "trend",
    tuple(SmoothingModel(a, b, damping=d) for a in (0.2, 0.6, 1.0) for b in (0.0, 0.15) for d in (0.85, 0.97)),
)
LINE = Family(
    "line", tuple(SmoothingModel(a, b, damping=1.0) for a in LEVEL_RATES for b in (0.0, 0.05, 0.15)), handicap=HANDICAP
)
CYCLE = Family("cycle", ())
"""an autoregression of each context's own, which is no grid"""
SEASONAL = (
    Family("season_level", tuple(SmoothingModel(a, 0.0, g) for a in LEVEL_RATES for g in SEASON_RATES), seasonal=True),
    Family(
        "season_theta",
        tuple(SmoothingModel(a, 0.0, g, drift=0.5) for a in LEVEL_RATES for g in SEASON_RATES[:2]),
        seasonal=True,
    ),
    Family(
        "season_trend",
        tuple(
            SmoothingModel(a, b, g, d)
            for a in LEVEL_RATES
            for b in (0.0, 0.05)
            for g in SEASON_RATES[:2]
            for d in (0.9, 0.98)
        ),
        seasonal=True,
    ),
    Family(
        "season_line",
        tuple(SmoothingModel(a, b, g, 1.0) for a in LEVEL_RATES for b in (0.0, 0.05) for g in SEASON_RATES[:2]),
        seasonal=True,
        handicap=HANDICAP,
    ),
)
"""Holt and Winters, with and without a trend"""
BASIC = (LEVEL, THETA, TREND)
"""a finer grid forecasts many series no better"""


def list_families(kind: str, season: int) -> tuple[Family, ...]:
    """List the families of `NetworkConfig.ets_models` for a season in steps, 1 for none."""
    if kind == "basic":
        return BASIC
    return (*BASIC, LINE, CYCLE, *SEASONAL) if season > 1 else (*BASIC, LINE, CYCLE)
