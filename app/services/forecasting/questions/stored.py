"""What questions read of stored series besides their contexts: more of the past, more of the future, and labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from app.scope import Scope
from app.services.forecasting.inputs.context_cache import ResolvedSeries, SeriesContext
from app.services.series.aggregation import load_steps
from app.services.series.panels import spread
from app.storage import series as stored_series
from app.storage.engine import Database
from app.storage.tables import SeriesRow
from models.config.model import Config
from models.data.series import Series


class StoredReader:
    """Reads steps and labels of stored series."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read_steps(
        self,
        scope: Scope,
        contexts: Mapping[str, SeriesContext],
        config: Config,
        find_first: Callable[[Series, SeriesRow], int],
        ahead: int,
    ) -> dict[str, Series]:
        """Return each series from a first step to its context's end, and covariates so many steps further, by id.

        A series that was made again since, or has no value any more, is left out. Raises OUTAGE.
        """
        if not contexts:
            return {}
        with self._database.read() as session:
            rows = {
                i: row
                for i, row in stored_series.get_many(session, scope, list(contexts)).items()
                if row.first_ts is not None and (row.pk, row.created_at) == (contexts[i].identity or ())[:2]
            }
            series = {i: contexts[i].series for i in rows}
            firsts = {i: find_first(series[i], row) for i, row in rows.items()}
            spans = {row.pk: (firsts[i], series[i].start + len(series[i].y) - 1) for i, row in rows.items()}
            if not spans:
                return {}
            loaded = load_steps(
                session,
                scope,
                list(rows.values()),
                spans,
                config.frequency,
                config.covariates,
                config.cleaning,
                ahead,
            )
        return {one.id: _begin_at(one, firsts[one.id]) for one in loaded}

    def read_labels(self, scope: Scope, ids: Sequence[str]) -> dict[str, Mapping[str, str]]:
        """Return the labels of stored series, by id. Raises OUTAGE."""
        with self._database.read() as session:
            rows = stored_series.get_many(session, scope, ids)
            return {i: dict(row.labels) for i, row in rows.items()}

    def read_ahead(self, scope: Scope, resolved: ResolvedSeries, horizon: int) -> ResolvedSeries:
        """Return contexts whose stored known-future covariates reach over a longer horizon. Raises OUTAGE."""
        config = resolved.version.config
        contexts = {i: one for i, one in resolved.contexts.items() if i not in resolved.histories}
        if not config.covariates.known_future or resolved.stale:
            return resolved
        read = self.read_steps(scope, contexts, config, lambda series, _: series.start, horizon)
        longer = {i: _take_columns(contexts[i].series, one, config, horizon) for i, one in read.items()}
        replaced = {i: replace(resolved.contexts[i], series=one) for i, one in longer.items()}
        return resolved._replace(contexts=resolved.contexts | replaced)


def _begin_at(series: Series, first: int) -> Series:
    """Return a series from an earlier step on, missing until its own first: it may have had values before that."""
    missing = series.start - first
    if missing <= 0:
        return series
    columns = {
        name: spread(missing + np.arange(len(values)), values, missing + len(values))
        for name, values in series.covariates.items()
    }
    y = np.concatenate([np.full(missing, np.nan), series.y])
    return replace(series, y=y, start=first, covariates=columns)


def _take_columns(context: Series, read: Series, config: Config, horizon: int) -> Series:
    """Return a context with the known-future covariates of the same series, read further."""
    shift = read.start - context.start
    columns = dict(context.covariates)
    for name in config.covariates.known_future:
        values = read.covariates.get(name)
        if values is not None:
            columns[name] = spread(shift + np.arange(len(values)), values, len(context.y) + horizon)
    return replace(context, covariates=columns)
