"""Public holidays by country, as calendar codes of local dates."""

from functools import lru_cache

import holidays
import numpy as np
from numpy.typing import NDArray

from models.arrays import Ints

NONE, HOLIDAY, DAY_BEFORE, DAY_AFTER = range(4)
"""Codes of a date. A holiday is coded as such even where it is the day before or after another."""


def is_country(country: str) -> bool:
    """Say whether the country, such as `DE`, or its subdivision, such as `US-NY`, has holidays on record."""
    supported = holidays.list_supported_countries()
    code, dash, subdivision = country.partition("-")
    return code in supported and (not dash or subdivision in supported[code])


def holiday_codes(days: NDArray[np.datetime64], country: str) -> Ints:
    """Return the code of each local date (...), datetime64[D]."""
    distinct, inverse = np.unique(days, return_inverse=True)
    years = np.unique((distinct.astype("M8[Y]").astype(np.int64) + 1970).clip(1, 9999))
    # a year more on both sides, for the days before and after
    dates = np.concatenate([_list_holidays(country, int(y)) for y in range(int(years[0]) - 1, int(years[-1]) + 2)])
    day = np.timedelta64(1, "D")
    codes = np.select(
        [np.isin(distinct, dates), np.isin(distinct + day, dates), np.isin(distinct - day, dates)],
        [HOLIDAY, DAY_BEFORE, DAY_AFTER],
        NONE,
    )
    return codes[inverse].reshape(days.shape).astype(np.int64)


@lru_cache(maxsize=4096)
def _list_holidays(country: str, year: int) -> NDArray[np.datetime64]:
    """List the dates, ascending, datetime64[D]."""
    code, _, subdivision = country.partition("-")
    names = holidays.country_holidays(code, subdiv=subdivision or None, years=year)
    return np.array(sorted(names), "M8[D]")
