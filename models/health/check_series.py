"""Preflight of one series: what may surprise a training, where, and what training does about it."""

import numpy as np

from models.data.preflight import LEAST_VALUES
from models.data.series import Series
from models.health.check import Finding
from models.health.covariates import check_categorical, check_future, check_unseen_levels
from models.health.history import (
    HistoryNeeds,
    check_clock_changes,
    check_duplicates,
    check_gaps,
    check_length,
    check_steps,
)
from models.health.values import (
    check_constant,
    check_intermittent,
    check_leading_zeros,
    check_negative,
    check_outliers,
)


def check_series(series: Series, needs: HistoryNeeds) -> list[Finding]:
    """Check a series.

    Args:
        series: `y` from the first to the last observed value; covariates from the same position on, those that are
            known in the future up to the needed horizon beyond its end.
        needs: what the model that is to be trained needs.
    """
    y = series.y
    season = series.grid.frequency.season
    return [
        check_duplicates(),
        check_gaps(y),
        check_steps(series),
        check_clock_changes(series),
        check_length(y, needs),
        check_constant(y, season),
        check_leading_zeros(y),
        check_negative(y),
        check_intermittent(y),
        check_outliers(y, season),
        check_categorical(series),
        check_unseen_levels(series),
        check_future(series, needs.horizon),
    ]


def is_trainable(series: Series) -> bool:
    """Say whether a training would take a series."""
    return int((~np.isnan(series.y)).sum()) >= LEAST_VALUES
