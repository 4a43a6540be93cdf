"""Every frequency, from data alone to a forecast."""

import numpy as np
import pandas as pd
import pytest

from models.data.series import Panel
from models.planning.defaults import default_config
from models.training.fit import fit

pytestmark = pytest.mark.training

FREQUENCIES = ["s", "10s", "5min", "15min", "30min", "h", "4h", "D", "B", "W-SUN", "SME", "MS", "QS", "YE"]


@pytest.mark.parametrize("timezone", ["UTC", "America/New_York"])
@pytest.mark.parametrize("freq", FREQUENCIES)
def test_any_frequency_is_forecast(freq: str, timezone: str) -> None:
    days = freq[-1] not in "shn"
    dates = pd.date_range("2000-01-03", periods=130, freq=freq, tz=timezone if not days else None)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(["a", "b"], [120, 60]),
            "ds": [*dates[:120], *dates[60:120]],
            "y": 10 + rng.standard_normal(180).cumsum(),
        }
    )
    panel = Panel.from_frame(frame, freq, timezone)
    training = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 8, "max_windows": 8}
    config = default_config(panel, 10, country="DE", network={"hidden": 8}, training=training)
    for forecast in fit(panel, config).predict(panel):
        assert np.isfinite(forecast.quantiles).all()
        local = pd.DatetimeIndex(forecast.stamps.view("M8[us]"), tz="UTC").tz_convert(timezone)
        assert local.tz_localize(None).tolist() == dates[120:].tz_localize(None).tolist()
