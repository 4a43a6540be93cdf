"""Families of exponential smoothing models, as grids of parameters: what a context's own models are taken from."""

from dataclasses import dataclass

from models.classical.exponential_smoothing import SmoothingModel

LEVEL_RATES = (0.1, 0.3, 0.6, 1.0)
SEASON_RATES = (0.1, 0.3, 0.6)
"""shares of an error that a season takes up"""
# How families are weighed, in a graph (models.network.ets) and outside (models.classical.averaged).
LEAST_LOGGED = 1e-3
"""scales; a value must be above this for its logarithm to be read; float32 keeps zero to a millionth of a scale"""
DECAY = 0.85
"""weight of a season beside that of the next one, in the seasonal profile"""
EVIDENCE_STEPS, EVIDENCE_SEASON_STEPS = 16.0, 5.0
"""Steps of a context that count as one of its likelihood where anchors are weighed, without and with a season: the full
likelihood (1) picks one family, which forecasts held-out ends of monthly, quarterly and yearly series worse than a mean
"""
TRIMMED = 0.1
"""share of the errors, the largest, that count for nothing where errors are measured: a level that has stepped once
must neither favour a slope nor widen what follows"""
NO_CYCLE = 10.0
"""added to the log error of an autoregression that does not swing"""
WIDEST_ERROR = 4.0
"""standard errors; a larger one counts as this much where models are weighed"""
GROWTH = 0.5
"""a logarithm is forecast this much and the context's range beyond its extremes at most"""
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
