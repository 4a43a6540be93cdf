"""Forecasts of many series by their origins: what was archived, and what the champion forecasts now."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
from sqlalchemy.orm import Session

from app.errors import ErrorCode, ServiceError, Unavailable
from app.scope import Scope
from app.services.access.keys import Caller
from app.services.forecasting.inputs.request import ForecastRequest
from app.services.forecasting.service import MAX_BATCHED_ROWS, ForecastService
from app.services.metrics.refusing import refuse
from app.services.metrics.steps import NEVER, DatedForecast
from app.serving.lru import LruCache
from app.storage import archive
from app.storage.archive import ArchivedOrigin
from app.storage.tables import ModelRow, SeriesRow
from models.arrays import Floats, Ints
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.timestamps import parse_stamps

MOST_ORIGINS = 200_000
"""archived forecasts of one query that are looked at"""
MOST_READ = 20_000
"""archived forecasts of one query that are read from the database: seconds"""
MOST_VALUES = 20_000_000
"""numbers in the archived forecasts of one query: 160 MB"""
CACHE_BYTES = 64_000_000
"""bytes of archived forecasts that a process keeps"""
ENTRY_BYTES = 500
"""bytes of a cached forecast besides its numbers"""
SLACK = 1.2
"""the longest step of a frequency is at most so many times its typical one"""

Forecasts = dict[int, list[DatedForecast]]
"""{series_pk: ascending by origin}"""


@dataclass(frozen=True)
class LiveForecasts:
    """What the champion forecasts now, and why it does not for some series."""

    by_id: Mapping[str, DatedForecast]
    warnings: Sequence[str]


class ForecastSource:
    """Reads archived forecasts, of which it keeps some in memory, and has new ones made."""

    def __init__(self, forecasts: ForecastService) -> None:
        self._forecasts = forecasts
        self._archived: LruCache[tuple[tuple[float, ...], Floats]] = LruCache(CACHE_BYTES)

    def load_archived(
        self, session: Session, scope: Scope, model: ModelRow, grids: Mapping[int, Grid], times: Ints
    ) -> Forecasts:
        """Return the archived forecasts of {series_pk: grid} that say something about the times (T,), ascending.

        Raises Invalid for too many.
        """
        reach = int(parse_frequency(model.freq).approximate_us * SLACK) * (model.horizon + 2)
        span = (int(times[0]) - reach, int(times[-1]))
        newest = 2 if len(times) == 1 else None
        origins = archive.list_origins(session, model, list(grids), span, newest, MOST_ORIGINS + 1)
        if len(origins) > MOST_ORIGINS:
            raise _too_many(MOST_ORIGINS)
        by_series: dict[int, list[ArchivedOrigin]] = defaultdict(list)
        for row in origins:
            by_series[row.series_pk].append(row)
        needed = {pk: _find_needed(rows, times) for pk, rows in by_series.items()}
        if sum(map(len, needed.values())) * model.horizon * len(model.quantiles) > MOST_VALUES:
            raise _too_many(MOST_VALUES // (model.horizon * len(model.quantiles)))
        read = self._read(session, scope, [by_series[pk][i] for pk, positions in needed.items() for i in positions])
        return {pk: _date(by_series[pk], positions, read, grids[pk]) for pk, positions in needed.items()}

    def _read(
        self, session: Session, scope: Scope, rows: Sequence[ArchivedOrigin]
    ) -> dict[int, tuple[tuple[float, ...], Floats]]:
        """Return {pk: levels (Q,), quantiles (H, Q)}."""
        known = {row: self._archived.get((scope.project_id, row)) for row in rows}
        missing = {row.pk: row for row, forecast in known.items() if forecast is None}
        if len(missing) > MOST_READ:
            raise _too_many(MOST_READ)
        read = {row.pk: forecast for row, forecast in known.items() if forecast is not None}
        for pk, document in archive.load_documents(session, missing.keys()).items():
            quantiles = np.array(document["quantiles"], np.float64)
            read[pk] = (tuple(document["levels"]), quantiles)
            self._archived.put((scope.project_id, missing[pk]), read[pk], quantiles.nbytes + ENTRY_BYTES)
        return read

    def make(self, scope: Scope, model: ModelRow, ids: Sequence[str]) -> LiveForecasts:
        """Forecast series by the champion, in requests whose responses are cached. Raises Unavailable, OUTAGE."""
        requests = [
            ForecastRequest(model.name, tuple(ids[start : start + MAX_BATCHED_ROWS]))
            for start in range(0, len(ids), MAX_BATCHED_ROWS)
        ]
        by_id: dict[str, DatedForecast] = {}
        warnings: list[str] = []
        for response in self._forecasts.respond_to_each_from_thread(Caller(scope), requests):
            if isinstance(response, Unavailable):
                raise response
            if isinstance(response, ServiceError):
                warnings.append(response.detail)
                continue
            assert isinstance(response.content, bytes), "so few series are answered whole"
            for result in orjson.loads(response.content)["forecasts"]:
                if result["status"] == "ok":
                    by_id[result["series_id"]] = _read_result(result)
                else:
                    warnings.append(f"{model.name}, {result['series_id']}: {result['error']['detail']}")
        return LiveForecasts(by_id, list(dict.fromkeys(warnings)))


def is_future(model: ModelRow, row: SeriesRow, times: Ints) -> bool:
    """Say whether some of the times (T,) lie where a new forecast of a series says something."""
    assert row.last_ts is not None, "the series has a value"
    step = int(parse_frequency(model.freq).approximate_us * SLACK)
    # of an aggregated series the origin lies before its last value
    return int(times[-1]) > row.last_ts - 2 * step and int(times[0]) <= row.last_ts + (model.horizon + 2) * step


def add_live(forecasts: Sequence[DatedForecast], live: DatedForecast) -> list[DatedForecast]:
    """Return the forecasts with a newer one behind those from earlier origins."""
    earlier = [forecast for forecast in forecasts if forecast.origin < live.origin]
    cut = [replace(forecast, replaced_at=min(forecast.replaced_at, live.origin)) for forecast in earlier]
    return [*cut, live]


def _find_needed(rows: Sequence[ArchivedOrigin], times: Ints) -> list[int]:
    """Return the positions of the forecasts that are the newest, or the one before it, at some time."""
    origins = np.array([row.origin for row in rows], np.int64)
    newest = np.unique(np.searchsorted(origins, times, side="right") - 1)
    needed = np.union1d(newest, newest - 1)
    return [int(i) for i in needed if i >= 0]


def _date(
    rows: Sequence[ArchivedOrigin],
    positions: Sequence[int],
    read: Mapping[int, tuple[tuple[float, ...], Floats]],
    grid: Grid,
) -> list[DatedForecast]:
    """Return forecasts with the stamps of their steps."""
    present = [i for i in positions if rows[i].pk in read]
    if not present:
        return []
    horizon = max(len(read[rows[i].pk][1]) for i in present)
    first = grid.locate(np.array([rows[i].origin for i in present], np.int64))[0] + 1
    stamps = grid.stamps(first[:, None] + np.arange(horizon))  # (N, H)
    dated = []
    for i, ts in zip(present, stamps, strict=True):
        levels, quantiles = read[rows[i].pk]
        following = rows[i + 1].origin if i + 1 < len(rows) else NEVER
        dated.append(DatedForecast(rows[i].origin, ts[: len(quantiles)], quantiles, levels, following))
    return dated


def _read_result(result: Mapping[str, Any]) -> DatedForecast:
    stamps = parse_stamps([result["origin"], *result["ds"]], "UTC")
    levels = tuple(float(text) for text in result["quantiles"])
    quantiles = np.array(list(result["quantiles"].values()), np.float64).T  # (H, Q)
    return DatedForecast(int(stamps[0]), stamps[1:], quantiles, levels)


def _too_many(limit: int) -> ServiceError:
    detail = f"this would read more than {limit} archived forecasts; ask for a shorter range, or for fewer series"
    return refuse(detail, ErrorCode.too_many_values)
