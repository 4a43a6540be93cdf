"""Sums and means of paths, over steps or over series, with their quantiles.

Shapes: n paths, H horizon, R levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.services.forecasting.inputs.questions import Aggregate
from app.services.forecasting.inputs.request import ForecastShape, Point
from app.services.forecasting.questions.futures import SeriesFuture
from app.services.forecasting.questions.steps import SharedSteps, count_steps, find_shared_steps, list_ends
from models.arrays import Floats

FIELD = "body.aggregate.over"


def count_aggregate_steps(asked: Aggregate, frequency: str, horizon: int) -> int:
    """Return the steps of each sum: over series it is one. Raises Invalid for a duration that is no number of them."""
    if asked.over == "series":
        return 1
    return horizon if asked.over == "horizon" else min(horizon, count_steps(asked.over, frequency, FIELD))


@dataclass(frozen=True)
class Aggregator:
    """Answers one aggregate for series and their paths."""

    asked: Aggregate
    levels: tuple[float, ...]
    """(R,)"""
    point: Point
    frequency: str
    shape: ForecastShape

    def aggregate(
        self, futures: Sequence[SeriesFuture], paths: Sequence[Floats], missing: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Return the aggregates of series with their paths (n, H); `missing` are the series that have none.

        Raises Invalid for a duration that is no number of steps, and for series without common steps.
        """
        if self.asked.over == "series":
            return self._over_series(futures, paths, missing) if futures else []
        length = count_aggregate_steps(self.asked, self.frequency, self.shape.horizon)
        documents: list[dict[str, Any]] = []
        for future, drawn in zip(futures, paths, strict=True):
            documents += self._over_steps(future, drawn, length)
        return documents

    def _over_steps(self, future: SeriesFuture, paths: Floats, length: int) -> list[dict[str, Any]]:
        firsts = np.arange(0, paths.shape[1], length)  # (A,)
        steps = np.diff([*firsts, paths.shape[1]])  # (A,)
        counts = steps if self.asked.function == "mean" else np.ones(len(firsts))
        sums = np.add.reduceat(paths, firsts, axis=1) / counts  # (n, A)
        points = np.add.reduceat(future.point, firsts) / counts
        ds, ends = future.result.ds, list_ends(future)
        described = self._describe(sums, points)
        return [
            {
                "series_id": future.series_id,
                "start": ds[first],
                "end": ends[first + count - 1],
                "steps": count,
                "series": 1,
                **one,
            }
            for first, count, one in zip(firsts.tolist(), steps.tolist(), described, strict=True)
        ]

    def _over_series(
        self, futures: Sequence[SeriesFuture], paths: Sequence[Floats], missing: Sequence[str]
    ) -> list[dict[str, Any]]:
        shared: SharedSteps = find_shared_steps(futures, FIELD)
        count = len(futures) if self.asked.function == "mean" else 1
        total: Floats = np.zeros((len(paths[0]), shared.steps))
        point = np.zeros(shared.steps)
        for future, drawn, offset in zip(futures, paths, shared.offsets, strict=True):
            steps = slice(offset, offset + shared.steps)
            total += drawn[:, steps]
            point += future.point[steps]
        series = {"steps": 1, "series": len(futures), "missing": list(missing)}
        return [
            {"series_id": None, "start": start, "end": end, **series, **one}
            for start, end, one in zip(
                shared.ds, shared.ends, self._describe(total / count, point / count), strict=True
            )
        ]

    def _describe(self, sums: Floats, points: Floats) -> list[dict[str, Any]]:
        """Return the point and the quantiles of sums (n, A), one after another; their mean is that of the forecasts
        (A,), which add up."""
        quantiles = np.quantile(sums, self.levels, axis=0).T.tolist()  # (A, R)
        yhat = points if self.point == "mean" else np.median(sums, axis=0)
        names = [repr(level) for level in self.levels]
        return [
            {"yhat": value, "quantiles": dict(zip(names, row, strict=True))}
            for value, row in zip(yhat.tolist(), quantiles, strict=True)
        ]
