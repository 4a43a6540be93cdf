"""Earlier forecasts over whole horizons: how the steps of a series' forecast err together, and series with each other.

They are made again from the history of each series up to its origin, as the replays are that set the width of
intervals, and kept, so that a new observation costs one more. Those of a version that has just been trained lie in what
it has learned from: errors there are smaller, but it is the order of them alone that counts.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.config import Settings
from app.scope import Scope
from app.services.forecasting.inputs.context_cache import ResolvedSeries, SeriesContext
from app.services.forecasting.inputs.served_version import ServedVersion
from app.services.forecasting.questions.history import MOST_ORIGINS, count_history_steps, find_template_spacing
from app.services.forecasting.questions.stored import StoredReader
from app.services.series.aggregation import build_read_grid
from app.serving.lru import LruCache
from app.storage.engine import OUTAGE
from app.storage.freshness import Identity
from app.storage.tables import SeriesRow
from models.arrays import Floats, Ints
from models.config.model import Config
from models.data.series import Series, observed_span
from models.errors import OffGridError
from models.inference.paths import LEAST_TEMPLATES, Templates, build_templates, choose_origins
from models.inference.replay import Replay, ReplayPlan, replay_all


class EarlierForecasts(NamedTuple):
    """A series as far as it is known, and what was forecast of it before."""

    replay: Replay
    """over whole horizons: forecasts (K, H, Q)"""
    templates: Templates


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
        self, scope: Scope, resolved: ResolvedSeries, contexts: Sequence[SeriesContext]
    ) -> dict[str, EarlierForecasts]:
        """Return the earlier forecasts of some of a request's series, by id.

        A floor has none. While the database is away those that are kept are returned.
        """
        version = resolved.version
        if resolved.loaded is None:
            return {}
        most = self.count_origins(version, len(contexts))
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
        plans = [ReplayPlan(one, find_origins(one, version, most), kept.get(i)) for i, one in whole.items()]
        for made in forecast_earlier(plans, resolved):
            series_id = made.replay.series.id
            found[series_id] = made
            self._keep(scope, version, resolved.contexts[series_id], most, made)
        return found

    def _load_whole(
        self, scope: Scope, resolved: ResolvedSeries, contexts: Sequence[SeriesContext], most: int
    ) -> dict[str, Series]:
        """Return each series up to its origin, as far back as its earlier forecasts read it, by id."""
        whole = {i: resolved.histories[i] for context in contexts if (i := context.series.id) in resolved.histories}
        stored = {context.series.id: context.series for context in contexts if context.series.id not in whole}
        if not stored or resolved.stale:
            return whole
        config = resolved.version.config

        def find_first(context: Series, row: SeriesRow) -> int:
            return _find_first_step(context, row, config, most)

        return whole | self._reader.read_steps(scope, stored, config, find_first, config.horizon)

    def _keep(
        self, scope: Scope, version: ServedVersion, context: SeriesContext, most: int, made: EarlierForecasts
    ) -> None:
        if context.identity is not None:
            size = made.replay.size + made.templates.scores.nbytes
            key = _build_key(scope, version, context.identity)
            self._kept.put(key, Kept(context.identity, most, made), size)


def find_origins(whole: Series, version: ServedVersion, most: int) -> Ints:
    """Return the grid indexes (K,) of the origins from which a series is forecast again, ascending."""
    config = version.config
    first = whole.start + observed_span(whole.y)[0] + (config.network.context_length + 1) // 2 - 1
    end = whole.start + len(whole.y) - 1
    try:
        reference = int(whole.grid.locate(np.array([version.training_span.end], np.int64))[0][0])
    except OffGridError:  # of a frequency whose dates pandas must list, and they are too many
        reference = 0
    return choose_origins(first, end, reference, config.horizon, find_template_spacing(config), most)


def forecast_earlier(plans: Sequence[ReplayPlan], resolved: ResolvedSeries) -> list[EarlierForecasts]:
    """Forecast series from earlier origins, and compare the outcomes."""
    config = resolved.version.config
    assert resolved.loaded is not None, "a floor forecasts nothing again"
    replays = replay_all(plans, resolved.loaded.run, config, steps=np.arange(config.horizon))
    return [EarlierForecasts(replay, _compare(replay, config)) for replay in replays]


def find_actuals(replay: Replay, horizon: int) -> Floats:
    """Return what came true of earlier forecasts, (K, H)."""
    positions = replay.origins[:, None] + np.arange(1, horizon + 1) - replay.series.start
    actuals: Floats = replay.series.y[positions]
    return actuals


def _compare(replay: Replay, config: Config) -> Templates:
    stamps = replay.series.grid.stamps(replay.origins)
    return build_templates(stamps, replay.forecasts, find_actuals(replay, config.horizon), config.quantiles)


def _find_first_step(context: Series, row: SeriesRow, config: Config, most: int) -> int:
    """Return the grid index of the first step that the earlier forecasts of a stored series read."""
    end = context.start + len(context.y) - 1
    reach = count_history_steps(config, most) + config.network.context_length
    assert row.first_ts is not None, "a series with a context has a value"
    grid = build_read_grid(row, config.frequency, config.cleaning)
    try:
        first = int(grid.locate(np.array([row.first_ts], np.int64))[0][0])
    except OffGridError:
        first = context.start
    return max(first, end - reach)


def _build_key(scope: Scope, version: ServedVersion, identity: Identity) -> tuple[object, ...]:
    return scope.project_id, version.identity, identity[0]
