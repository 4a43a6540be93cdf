"""Series of a coarser frequency: the sums or means of whole steps of a finer one.

A coarse value is made of the fine ones of its own step alone, and of those one fine season before where `gaps` is
`season`: nothing that is later than the step's end goes into it. Shapes: N fine steps, K coarse steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Ints
from models.calendar.frequency import Frequency, parse_frequency
from models.calendar.nesting import build_coarse_grid, count_margin, explain_nesting, locate_steps
from models.config.cleaning import AggregateConfig, CleaningConfig
from models.config.validation import require
from models.data.cleaning import refuse_incomplete
from models.data.series import Panel, Series


@dataclass(frozen=True)
class AggregationRecord:
    """What was filled before a panel was aggregated, and what was left out of it."""

    filled: Mapping[str, int] = field(default_factory=dict)
    """series id -> fine steps that were filled"""
    refused: Mapping[str, str] = field(default_factory=dict)
    """series id -> why it was left out"""


class AggregatedSeries(NamedTuple):
    """A series of the coarse frequency."""

    series: Series
    """from its first full step to its last one; of no step where none is full"""
    filled: int
    """fine steps that were filled"""


class _Steps(NamedTuple):
    """Where the fine steps of a series lie on the coarse grid."""

    first: int
    """the coarse step of the first fine ones"""
    begins: Ints
    """(K,) index among the fine steps where each coarse step begins"""
    counts: Ints
    """(K,) fine steps of each"""
    positions: Ints
    """(N,) position in the fine series' `y` of each fine step; it may lie outside"""


def is_aggregated(frequency: Frequency, cleaning: CleaningConfig) -> bool:
    """Say whether series of a frequency are aggregated before a model reads them."""
    return cleaning.aggregate is not None and frequency != parse_frequency(cleaning.aggregate.freq)


def select_for_training(panel: Panel, cleaning: CleaningConfig) -> tuple[Panel, AggregationRecord]:
    """Aggregate a panel as `aggregate_panel` does, without the series that have more gaps than may be filled, before or
    after. Raises ConfigError."""
    complete, refused = refuse_incomplete(panel.series, cleaning)
    whole, record = aggregate_panel(replace(panel, series=tuple(complete)), cleaning)
    kept, refused_after = refuse_incomplete(whole.series, cleaning)
    selected = replace(whole, series=tuple(kept))
    return selected, AggregationRecord(record.filled, {**refused, **record.refused, **refused_after})


def aggregate_panel(panel: Panel, cleaning: CleaningConfig) -> tuple[Panel, AggregationRecord]:
    """Aggregate the series of a panel as a model asks for; a panel of the model's own frequency stays as it is.

    Raises ConfigError where steps of the panel's frequency make no whole step of the model's, and for text that changes
    within a step.
    """
    if cleaning.aggregate is None or not is_aggregated(panel.frequency, cleaning):
        return panel, AggregationRecord()
    series, record = aggregate_all(panel.series, cleaning)
    return Panel(parse_frequency(cleaning.aggregate.freq), tuple(series)), record


def aggregate_all(series: Sequence[Series], cleaning: CleaningConfig) -> tuple[list[Series], AggregationRecord]:
    """Aggregate series, which may be of several frequencies, without those that have no full step. Raises ConfigError
    as `aggregate_panel` does."""
    aggregated: list[Series] = []
    filled: dict[str, int] = {}
    refused: dict[str, str] = {}
    for item in series:
        assert cleaning.aggregate is not None, "the series are aggregated"
        check_texts(item, cleaning.aggregate)
        one = aggregate_series(item, cleaning)
        if len(one.series.y):
            aggregated.append(one.series)
            filled[item.id] = one.filled
        else:
            refused[item.id] = f"it has no full step of {cleaning.aggregate.freq}; send more observations"
    return aggregated, AggregationRecord(filled, refused)


def aggregate_series(series: Series, cleaning: CleaningConfig) -> AggregatedSeries:
    """Aggregate a series; `cleaning.aggregate` is set.

    A step of which a value is missing is missing, unless `gaps` fills it. The last step is one of which the last value
    is there: one that is not yet full is left out. A numeric covariate of a step is the mean of its known values; text
    is that of all its values where they are one, and missing where they differ.

    Raises ConfigError where steps of the series' frequency make no whole step of the coarse one.
    """
    aggregate = cleaning.aggregate
    assert aggregate is not None, "the series are aggregated"
    coarse = parse_frequency(aggregate.freq)
    problem = explain_nesting(series.grid.frequency, coarse)
    require(problem is None, "cleaning.aggregate.freq", problem or "")
    grid = build_coarse_grid(series.grid, coarse)
    length = max(len(series.y), *(len(values) for values in series.covariates.values()), 1)
    steps = _divide(series, length, coarse)
    y = _take(series.y, steps.positions)
    observed = np.flatnonzero(~np.isnan(y))
    if not len(observed):
        return AggregatedSeries(replace(series, y=np.empty(0), grid=grid, start=steps.first, covariates={}), 0)
    full = int(np.searchsorted(steps.begins + steps.counts, observed[-1] + 1, side="right"))  # coarse steps until then
    begun = int(np.searchsorted(steps.begins, observed[0]))  # the first that does not begin before the series
    values, filled = _fill_steps(y, series, steps, (begun, full), cleaning)
    sums = np.add.reduceat(values, steps.begins)
    totals = (sums if aggregate.by == "sum" else sums / steps.counts)[:full]
    present = np.flatnonzero(~np.isnan(totals))
    begin = int(present[0]) if len(present) else 0
    end = int(present[-1]) + 1 if len(present) else 0
    columns = {
        name: _aggregate_column(_take(column, steps.positions), steps)[begin:]
        for name, column in series.covariates.items()
    }
    y = np.ascontiguousarray(totals[begin:end])
    return AggregatedSeries(replace(series, y=y, grid=grid, start=steps.first + begin, covariates=columns), filled)


def check_texts(series: Series, aggregate: AggregateConfig) -> None:
    """Raise ConfigError for a covariate of texts that differ within a step of the coarse frequency."""
    texts = {name: values for name, values in series.covariates.items() if values.dtype == object}
    if not texts:
        return
    steps = _divide(series, max(map(len, texts.values())), parse_frequency(aggregate.freq))
    for name, values in texts.items():
        column = _take(values, steps.positions)
        for begin, count in zip(steps.begins.tolist(), steps.counts.tolist(), strict=True):
            levels = {value for value in column[begin : begin + count].tolist() if value is not None}
            require(
                len(levels) <= 1,
                f"covariates.{name}",
                f"is text that changes within a step of {aggregate.freq} in series {series.id!r} "
                f"({', '.join(sorted(levels)[:3])}); leave it out, or send one text a step",
            )


def _divide(series: Series, length: int, coarse: Frequency) -> _Steps:
    """Divide the first `length` steps of a series, and those that complete the first and last coarse ones, into coarse
    steps."""
    margin = count_margin(series.grid.frequency, coarse)
    positions = np.arange(-margin, length + margin, dtype=np.int64)
    located = locate_steps(build_coarse_grid(series.grid, coarse), series.grid.stamps(series.start + positions))
    inside = (located >= located[margin]) & (located <= located[margin + length - 1])
    kept = located[inside]
    begins = np.flatnonzero(np.diff(kept, prepend=kept[0] - 1))
    counts = np.diff(np.append(begins, len(kept)))
    return _Steps(int(kept[0]), begins, counts, positions[inside])


def _take(values: NDArray[Any], positions: Ints) -> NDArray[Any]:
    """Return values (L,) at positions (N,), missing outside of them."""
    taken: NDArray[Any] = np.full(len(positions), None if values.dtype == object else np.nan, values.dtype)
    inside = (positions >= 0) & (positions < len(values))
    taken[inside] = values[positions[inside]]
    return taken


def _fill_steps(
    y: Floats, series: Series, steps: _Steps, span: tuple[int, int], cleaning: CleaningConfig
) -> tuple[Floats, int]:
    """Fill the fine steps (N,) of those coarse ones in a span [first, end) that lack few; return also how many."""
    missing = np.isnan(y)
    if cleaning.gaps == "leave" or not missing.any():
        return y, 0
    lacking = np.add.reduceat(missing.astype(np.int64), steps.begins)
    few = (lacking > 0) & (lacking <= cleaning.max_filled * steps.counts)
    few[: span[0]] = False
    few[span[1] :] = False
    values = y.copy()
    if cleaning.gaps == "season":
        before = _take(series.y, steps.positions - series.grid.frequency.season)
        values = np.where(missing & np.repeat(few, steps.counts), before, y)
    for step in np.flatnonzero(few).tolist():
        part = slice(int(steps.begins[step]), int(steps.begins[step] + steps.counts[step]))
        values[part] = _interpolate(values[part])
    return values, int((missing & ~np.isnan(values)).sum())


def _interpolate(values: Floats) -> Floats:
    """Draw lines between the values (n,) of one step; what it begins or ends without takes the nearest value."""
    present = np.flatnonzero(~np.isnan(values))
    filled: Floats = np.interp(np.arange(len(values)), present, values[present]) if len(present) else values
    return filled


def _aggregate_column(column: NDArray[Any], steps: _Steps) -> NDArray[Any]:
    """Aggregate a covariate's fine values (N,): (K,)."""
    if column.dtype == object:
        return np.array([_find_only(part) for part in np.split(column, steps.begins[1:])], object)
    known = ~np.isnan(column)
    count = np.add.reduceat(known.astype(np.float64), steps.begins)
    total = np.add.reduceat(np.where(known, column, 0.0), steps.begins)
    means: Floats = np.where(count > 0, total / np.maximum(count, 1.0), np.nan)
    return means


def _find_only(texts: NDArray[Any]) -> str | None:
    """Return the text that all known ones of a step are; None where they differ, or none is known."""
    levels = {text for text in texts.tolist() if text is not None}
    return levels.pop() if len(levels) == 1 else None
