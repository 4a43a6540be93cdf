"""Steps beyond the trained horizon, where the network gives no finite forecast."""

import numpy as np

from app.services.forecasting.questions.extension import _replace_rows


def test_branches_without_a_finite_forecast_take_another_ones() -> None:
    forecasts = np.arange(4.0)[:, None, None] * np.ones((4, 3, 2))
    forecasts[1, 0, 0] = np.nan
    forecasts[3] = np.inf
    finite = np.isfinite(forecasts).all(axis=(1, 2))
    replaced = _replace_rows(forecasts, finite)
    assert replaced[:, 0, 1].tolist() == [0.0, 0.0, 2.0, 2.0]
    assert _replace_rows(forecasts[1:2], finite[1:2]).tolist() == np.zeros((1, 3, 2)).tolist()
