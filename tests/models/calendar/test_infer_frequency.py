"""The frequency of timestamps with gaps."""

import numpy as np
import pandas as pd
import pytest

from models.calendar.frequency import parse_frequency
from models.calendar.infer_frequency import infer_frequency
from models.calendar.timestamps import parse_stamps
from models.errors import FrequencyError


@pytest.mark.parametrize(
    "alias", ["s", "10min", "h", "6h", "D", "B", "W-WED", "MS", "ME", "QS-JAN", "QE-MAR", "YS-JAN", "YE-DEC"]
)
@pytest.mark.parametrize("timezone", ["UTC", "America/New_York"])
def test_infers_despite_gaps(alias: str, timezone: str) -> None:
    dates = pd.date_range("2021-03-03", periods=90, freq=alias)
    kept = np.delete(dates.to_numpy(), [7, 8, 30])
    texts = [str(t) for t in kept.astype("M8[s]")]
    absolute = alias in ("s", "10min", "h", "6h")
    stamps = parse_stamps([t + "-05:00" * absolute for t in texts], timezone)
    assert infer_frequency(stamps, timezone) == parse_frequency(alias)


def test_daily_across_a_clock_change() -> None:
    stamps = parse_stamps(
        [f"2024-03-{d:02d}T08:00:00" for d in range(25, 32)] + ["2024-04-01T08:00:00"], "Europe/Berlin"
    )
    assert infer_frequency(stamps, "Europe/Berlin").alias == "D"


@pytest.mark.parametrize(
    "texts",
    [["2024-01-01", "2024-01-02"], ["2024-01-01T00:00:00", "2024-01-01T00:00:07.5", "2024-01-01T05:01:00"]],
)
def test_says_when_it_cannot(texts: list[str]) -> None:
    with pytest.raises(FrequencyError, match="freq="):
        infer_frequency(parse_stamps(texts, "UTC"), "UTC")
