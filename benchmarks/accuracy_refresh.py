"""Forecasts by a model that is refreshed before each window, as a service does every day.

Shapes: S series, W windows a series, H horizon, Q quantiles (Q last).
"""

import copy

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_data import Part
from models.training.calibrate import Calibration
from models.training.fitted import Fitted


def forecast_refreshed(fitted: Fitted, part: Part) -> NDArray[np.float64]:
    """Return quantiles (S, W, H, Q), each window by a matrix that saw all that was known at its origin, and no more.

    Windows that begin at another time of the day than the model's are forecast by the matrix as it was last.
    """
    network = copy.deepcopy(fitted.network)
    assert network.calibrated is not None, "the model has a part that is refreshed"
    calibration = Calibration(network, part.series, [len(item.y) for item in part.series], int(network.calibrated.time))
    rows = calibration.rows
    days = dict(zip(zip(rows.series.tolist(), rows.origin.tolist(), strict=True), rows.day.tolist(), strict=True))
    refreshed = Fitted(fitted.config, network, fitted.report)
    quantiles = np.empty((*part.origins.shape, part.horizon, len(fitted.config.quantiles)))
    for (number, window), origin in np.ndenumerate(part.origins):
        day = days.get((number, int(origin)))
        if day is not None:
            calibration.set_as_of(network, day)
        quantiles[number, window] = refreshed.quantiles([part.series[number]], np.array([origin]))[0]
    return quantiles
