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
        length = self.count_steps()
        documents: list[dict[str, Any]] = []
        for future, drawn in zip(futures, paths, strict=True):
            documents += self._over_steps(future, drawn, length)
        return documents

    def count_steps(self) -> int:
        """Return the steps of each sum. Raises Invalid."""
        if self.asked.over == "horizon":
            return self.shape.horizon
        return min(self.shape.horizon, count_steps(self.asked.over, self.frequency, FIELD))

    def _over_steps(self, future: SeriesFuture, paths: Floats, length: int) -> list[dict[str, Any]]:
        ends = list_ends(future)
        ds = future.result.ds
        documents = []
        for first in range(0, paths.shape[1], length):
            last = min(first + length, paths.shape[1])
            count = last - first if self.asked.function == "mean" else 1
            sums = paths[:, first:last].sum(axis=1) / count  # (n,)
            point = float(future.point[first:last].sum()) / count
            span = {"start": ds[first], "end": ends[last - 1], "steps": last - first}
            documents.append({"series_id": future.series_id, **span, "series": 1, **self._describe(sums, point)})
        return documents

    def _over_series(
        self, futures: Sequence[SeriesFuture], paths: Sequence[Floats], missing: Sequence[str]
    ) -> list[dict[str, Any]]:
        shared: SharedSteps = find_shared_steps(futures, FIELD)
        count = len(futures) if self.asked.function == "mean" else 1
        total: Floats | None = None
        point = np.zeros(shared.steps)
        for future, drawn, offset in zip(futures, paths, shared.offsets, strict=True):
            steps = slice(offset, offset + shared.steps)
            total = drawn[:, steps].copy() if total is None else total + drawn[:, steps]
            point += future.point[steps]
        assert total is not None, "there is a series"
        return [
            {
                "series_id": None,
                "start": shared.ds[step],
                "end": shared.ends[step],
                "steps": 1,
                "series": len(futures),
                "missing": list(missing),
                **self._describe(total[:, step] / count, float(point[step]) / count),
            }
            for step in range(shared.steps)
        ]

    def _describe(self, sums: Floats, point: float) -> dict[str, Any]:
        """Return the point and the quantiles of sums (n,); their mean is that of the forecasts, which add up."""
        quantiles = np.quantile(sums, self.levels)
        yhat = point if self.point == "mean" else float(np.median(sums))
        names = map(repr, self.levels)
        return {"yhat": yhat, "quantiles": dict(zip(names, quantiles.tolist(), strict=True))}
