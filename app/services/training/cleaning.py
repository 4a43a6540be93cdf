"""The cleaning that a training is asked for, as its series allow it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.errors import ErrorCode, FieldError, Invalid
from app.services.series.aggregation import count_read_steps, is_aggregated
from app.services.training.checks import LEAST_OBSERVED, count_steps, find_frequency
from app.storage.tables import SeriesRow
from models.calendar.frequency import parse_frequency
from models.config.cleaning import CleaningConfig, parse_cleaning_options
from models.errors import ConfigError
from models.planning.defaults import complete_cleaning


def resolve_cleaning(
    options: Mapping[str, Any] | None, rows: Sequence[SeriesRow], *, inherited: bool
) -> CleaningConfig:
    """Return the cleaning of a training on series of one frequency, which it then names as its source.

    `inherited`: it is that of the version that the training starts from, and series that have its frequency already
    need no aggregation. Raises Invalid for what cannot be, with what to send instead.
    """
    freq = find_frequency(rows)
    assert freq is not None, "the series have one frequency"
    try:
        cleaning = parse_cleaning_options(options)
        if cleaning.aggregate is None:
            return cleaning
        if inherited and not is_aggregated(rows[0], cleaning.aggregate.freq, cleaning):
            return replace(cleaning, aggregate=None)
        fresh = replace(cleaning, aggregate=replace(cleaning.aggregate, source=None))
        cleaning = complete_cleaning(fresh, parse_frequency(freq))
    except ConfigError as e:
        raise _refuse(e.field, e.detail) from e
    longest = max(count_read_steps(row, count_steps(row), cleaning) for row in rows)
    if longest < LEAST_OBSERVED:
        assert cleaning.aggregate is not None, "it was checked above"
        detail = (
            f"makes {longest} steps of the longest series, and a training needs {LEAST_OBSERVED}; "
            "name a shorter frequency, or send more observations"
        )
        raise _refuse("cleaning.aggregate.freq", detail)
    return cleaning


def _refuse(field: str, detail: str) -> Invalid:
    errors = [FieldError(f"body.{field}", ErrorCode.invalid_input, detail)]
    return Invalid(ErrorCode.invalid_input, f"{field} {detail}", errors=errors)
