"""What questions read of stored series besides their contexts: more of the past, more of the future, and labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from app.scope import Scope
from app.services.forecasting.inputs.context_cache import ResolvedSeries
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
        contexts: Mapping[str, Series],
        config: Config,
        find_first: Callable[[Series, SeriesRow], int],
        ahead: int,
    ) -> dict[str, Series]:
        """Return each series from a first step to its context's end, and covariates so many steps further, by id.

        Raises OUTAGE.
        """
        if not contexts:
            return {}
        with self._database.read() as session:
            rows = stored_series.get_many(session, scope, list(contexts))
            spans = {
                row.pk: (find_first(contexts[i], row), contexts[i].start + len(contexts[i].y) - 1)
                for i, row in rows.items()
            }
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
        return {one.id: one for one in loaded}

    def read_labels(self, scope: Scope, ids: Sequence[str]) -> dict[str, Mapping[str, str]]:
        """Return the labels of stored series, by id. Raises OUTAGE."""
        with self._database.read() as session:
            rows = stored_series.get_many(session, scope, ids)
            return {i: dict(row.labels) for i, row in rows.items()}

    def read_ahead(self, scope: Scope, resolved: ResolvedSeries, horizon: int) -> ResolvedSeries:
        """Return contexts whose stored known-future covariates reach over a longer horizon. Raises OUTAGE."""
        config = resolved.version.config
        contexts = {i: one.series for i, one in resolved.contexts.items() if i not in resolved.histories}
        if not config.covariates.known_future or resolved.stale:
            return resolved
        read = self.read_steps(scope, contexts, config, lambda series, _: series.start, horizon)
        longer = {i: _take_columns(contexts[i], one, config, horizon) for i, one in read.items()}
        replaced = {i: replace(resolved.contexts[i], series=one) for i, one in longer.items()}
        return resolved._replace(contexts=resolved.contexts | replaced)


def _take_columns(context: Series, read: Series, config: Config, horizon: int) -> Series:
    """Return a context with the known-future covariates of the same series, read further."""
    shift = read.start - context.start
    columns = dict(context.covariates)
    for name in config.covariates.known_future:
        values = read.covariates.get(name)
        if values is not None:
            columns[name] = spread(shift + np.arange(len(values)), values, len(context.y) + horizon)
    return replace(context, covariates=columns)
