"""The pretrained network in memory: one session for the process, which answers for every frequency and horizon."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.serving.runtime import LoadedVersion, open_session
from models.arrays import Floats, Ints
from models.calendar.frequency import parse_frequency
from models.calendar.timestamps import WEEK
from models.config.model import Config
from models.inference.means import compute_mean
from models.inference.replay import find_bounds
from models.pretrained.forecaster import forecast_any, map_levels
from models.pretrained.published import read_graph

AT_ONCE = 64
"""contexts of a pass: more are no faster, and take memory"""
SIZE = 20_000
"""bytes of a version that shares the session"""


@lru_cache(maxsize=1)
def _open() -> Any:
    return open_session(read_graph())


def run_network(y: Floats, periods: Ints, segments: Ints) -> Floats:
    """Run the network (`models.pretrained.forecaster.Network`). Raises BrokenVersion where it was damaged."""
    quantiles: Floats = _open().run(None, {"y": y, "periods": periods, "segments": segments})[0]
    return quantiles


@dataclass(frozen=True, eq=False)
class PretrainedVersion(LoadedVersion):
    """The pretrained network as a version of one frequency and horizon."""

    def run_outputs(self, inputs: Mapping[str, NDArray[Any]]) -> list[Floats]:
        """Return quantiles (B, H, Q) and the mean (B, H) of contexts `y` (B, T); those without a value have none."""
        config = self.config
        y: Floats = inputs["y"]
        known = np.flatnonzero((~np.isnan(y)).any(axis=1))
        quantiles = np.full((len(y), config.horizon, len(config.quantiles)), np.nan)
        for start in range(0, len(known), AT_ONCE):
            rows = known[start : start + AT_ONCE]
            quantiles[rows] = forecast_contexts(y[rows], config)
        return [quantiles, compute_mean(np.moveaxis(quantiles, -1, 0), config.quantiles)]


def load_pretrained(config: Config) -> PretrainedVersion:
    """Return the network as a version of a configuration. Raises BrokenVersion."""
    return PretrainedVersion(_open(), config, SIZE)


def is_coarse(frequency: str) -> bool:
    """Say whether a step is a week at least, where smoothing models have a share."""
    return parse_frequency(frequency).approximate_us >= WEEK


def forecast_contexts(contexts: Floats, config: Config) -> Floats:
    """Forecast contexts (B, T) with one value each at least: quantiles (B, H, Q) at the configuration's levels."""
    hints = config.network.season_lengths
    coarse = is_coarse(config.frequency)
    quantiles = forecast_any(run_network, contexts, hints, config.horizon, is_coarse=coarse)
    quantiles = quantiles @ map_levels(config.quantiles)
    bounds = [find_bounds(context, config, is_signed=not config.nonnegative) for context in contexts]
    low, high = np.array(bounds).T[..., None, None]  # (B, 1, 1) each
    return np.clip(quantiles, low, high)
