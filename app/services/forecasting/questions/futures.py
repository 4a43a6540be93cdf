"""The future of a series as a distribution, from which its forecast is read and its paths are drawn.

Shapes: n paths, H horizon, Q the version's trained levels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.services.forecasting.inputs.context_cache import SeriesContext
from app.services.forecasting.inputs.request import ForecastShape
from app.services.forecasting.outputs.results import ForecastResult, find_level_rows, select_levels
from models.arrays import Floats
from models.config.model import Config
from models.inference.paths import LEAST_TEMPLATES, ErrorTemplates, PathSampler
from models.inference.replay import find_bounds


@dataclass(frozen=True, eq=False)
class SeriesFuture:
    """What a version says of a series' future."""

    context: SeriesContext
    result: ForecastResult
    """its quantiles are those of all trained levels"""
    templates: ErrorTemplates | None = None
    """None: nothing is known of how its steps err together"""
    is_assumed: bool = True
    """whether too little is known of that, so that it is assumed"""

    @property
    def series_id(self) -> str:
        """The id of the series."""
        return self.result.series_id

    @property
    def quantiles(self) -> Floats:
        """(Q, H) at the trained levels."""
        return np.asarray(self.result.quantiles)

    @property
    def point(self) -> Floats:
        """(H,) the median or the mean."""
        return self.result.yhat

    def learn(self, templates: ErrorTemplates | None) -> "SeriesFuture":
        """Return the future whose steps err together as templates say, if they are enough."""
        return replace(self, templates=templates, is_assumed=templates is None or len(templates) < LEAST_TEMPLATES)

    def draw(self, sampler: PathSampler, config: Config) -> Floats:
        """Draw paths (n, H) within the bounds of the forecast."""
        quantiles = self.quantiles
        paths = sampler.draw(self.series_id, quantiles, config.quantiles)
        return limit_values(paths, quantiles, self.find_bounds(config), config)

    def find_bounds(self, config: Config) -> tuple[float, float]:
        """Return the least and the greatest value of the forecast."""
        return find_bounds(self.context.y[0], config, is_signed=config.is_signed(self.series_id))

    def change(self, transform: Callable[[Floats], Floats]) -> "SeriesFuture":
        """Return the future whose values (..., H) are changed alike, in their order."""
        changed = replace(self.result, yhat=transform(self.point), quantiles=list(transform(self.quantiles)))
        return replace(self, result=changed)

    def select(self, config: Config, shape: ForecastShape) -> ForecastResult:
        """Return the forecast at the levels that are asked for."""
        rows = find_level_rows(config.quantiles, shape.levels)
        return replace(self.result, quantiles=list(select_levels(self.quantiles, rows, config, shape.levels)[1:]))


def limit_values(values: Floats, quantiles: Floats, bounds: tuple[float, float], config: Config) -> Floats:
    """Return values within bounds, and whole where the quantiles of counts are."""
    limited: Floats = np.clip(values, *bounds)
    is_whole = config.whole and bool((quantiles == np.rint(quantiles)).all())
    return np.rint(limited) if is_whole else limited


def collect_templates(futures: Sequence[SeriesFuture]) -> dict[str, ErrorTemplates]:
    """Return the templates of those series that have some, by id."""
    return {one.series_id: one.templates for one in futures if one.templates is not None}


def draw_all(futures: Sequence[SeriesFuture], config: Config, count: int, horizon: int, seed: int) -> list[Floats]:
    """Draw paths (n, H) of each future, together."""
    sampler = PathSampler(collect_templates(futures), count, horizon, seed)
    return [one.draw(sampler, config) for one in futures]
