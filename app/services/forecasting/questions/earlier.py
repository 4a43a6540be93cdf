"""Earlier forecasts of the series of a request: made again from their histories up to their origins, and kept, so that
a new observation costs one more. `models.inference.earlier` says which.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.config import Settings
from app.scope import Scope
from app.services.forecasting.inputs.context_cache import ResolvedSeries, SeriesContext
from app.services.forecasting.inputs.served_version import ServedVersion
from app.services.forecasting.questions.stored import StoredReader
from app.services.series.aggregation import build_read_grid
from app.serving.lru import LruCache
from app.storage.engine import OUTAGE
from app.storage.freshness import Identity
from app.storage.tables import SeriesRow
from models.config.model import Config
from models.data.series import Series, keep_last
from models.errors import OffGridError
from models.inference.earlier import (
    MOST_ORIGINS,
    EarlierForecasts,
    count_history_steps,
    forecast_earlier,
    plan_earlier,
)
from models.inference.paths import LEAST_TEMPLATES
from models.inference.replay import Replay


class Kept(NamedTuple):
    """Earlier forecasts of a state of a stored series."""

    identity: Identity | None
    most: int
    """origins that were to be made"""
    forecasts: EarlierForecasts

    def is_of(self, context: SeriesContext, most: int) -> bool:
        """Whether it is what a context asks for."""
        known = self.forecasts.replay.series
        is_same_end = known.start + len(known.y) == context.series.start + len(context.series.y)
        return is_same_end and (self.identity, self.most) == (context.identity, most)


class EarlierForecastLoader:
    """Reads the histories of series, and forecasts them from earlier origins."""

    def __init__(self, reader: StoredReader, settings: Settings) -> None:
        self._reader = reader
        self._most_windows = settings.path_windows
        self._kept: LruCache[Kept] = LruCache(settings.path_cache_bytes)
        """keys begin with the project"""

    def count_origins(self, version: ServedVersion, series_count: int) -> int:
        """Return how many earlier forecasts of each series a request for so many may make."""
        windows = self._most_windows // version.replay_cost
        return int(np.clip(windows // max(1, series_count), LEAST_TEMPLATES, MOST_ORIGINS))

    def load(
        self, scope: Scope, resolved: ResolvedSeries, contexts: Sequence[SeriesContext], most: int
    ) -> dict[str, EarlierForecasts]:
        """Return the earlier forecasts of some of a request's series from `most` origins, by id.

        A floor has none. While the database is away those that are kept are returned.
        """
        version = resolved.version
        if resolved.loaded is None:
            return {}
        horizon = version.stored.trained.horizon
        found: dict[str, EarlierForecasts] = {}
        missing: list[SeriesContext] = []
        kept: dict[str, Replay] = {}
        for context in contexts:
            known = None if context.identity is None else self._kept.get(_build_key(scope, version, context.identity))
            if known is not None:
                kept[context.series.id] = known.forecasts.replay
            if known is not None and (resolved.stale or known.is_of(context, most)):
                found[context.series.id] = known.forecasts
            else:
                missing.append(context)
        try:
            whole = self._load_whole(scope, resolved, missing, most)
        except OUTAGE:
            return found
        end = version.training_span.end
        plans = [
            plan_earlier(one, version.config, horizon, reference=end, most=most, kept=kept.get(i))
            for i, one in whole.items()
        ]
        for made in forecast_earlier(plans, resolved.loaded.run, version.config, horizon):
            series_id = made.replay.series.id
            found[series_id] = made
            self._keep(scope, version, resolved.contexts[series_id], most, made)
        return found

    def _load_whole(
        self, scope: Scope, resolved: ResolvedSeries, contexts: Sequence[SeriesContext], most: int
    ) -> dict[str, Series]:
        """Return each series up to its origin, as far back as its earlier forecasts read it, by id."""
        version = resolved.version
        config = version.config
        length = count_history_steps(config, version.stored.trained.horizon, most) + config.network.context_length
        sent = resolved.histories
        whole = {i: keep_last(sent[i], length) for context in contexts if (i := context.series.id) in sent}
        stored = {context.series.id: context for context in contexts if context.series.id not in whole}
        if resolved.stale:
            return whole

        def find_first(context: Series, row: SeriesRow) -> int:
            return max(_find_begin(context, row, config), context.start + len(context.y) - length)

        return whole | self._reader.read_steps(scope, stored, config, find_first, config.horizon)

    def _keep(
        self, scope: Scope, version: ServedVersion, context: SeriesContext, most: int, made: EarlierForecasts
    ) -> None:
        if context.identity is not None:
            size = made.replay.size + made.templates.scores.nbytes
            key = _build_key(scope, version, context.identity)
            self._kept.put(key, Kept(context.identity, most, made), size)


def _find_begin(context: Series, row: SeriesRow, config: Config) -> int:
    """Return the grid index of the first value of a stored series."""
    assert row.first_ts is not None, "rows without a value are left out"
    grid = build_read_grid(row, config.frequency, config.cleaning)
    try:
        return grid.locate_one(row.first_ts)
    except OffGridError:  # of a frequency whose dates pandas must list, and they are too many
        return context.start


def _build_key(scope: Scope, version: ServedVersion, identity: Identity) -> tuple[object, ...]:
    return scope.project_id, version.identity, version.stored.trained.horizon, identity[0]
