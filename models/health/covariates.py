"""Checks of a series' covariates: texts, texts that are new, and how far into the future they reach."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import find_missing
from models.data.series import Series, observed_span
from models.health.check import Finding


def check_categorical(series: Series) -> Finding:
    """List the covariates that are text."""
    names = [name for name, values in series.covariates.items() if values.dtype == object]
    if not names:
        return Finding("categorical", "ok", "no covariate is text")
    return Finding(
        "categorical",
        "info",
        f"covariates that are text: {', '.join(names[:10])}",
        (),
        "the vocabulary is frozen in the version; a text that is not in it has a code of its own",
        "covariates in POST /train",
    )


def check_unseen_levels(series: Series) -> Finding:
    """Find texts that stand only after the last observed value."""
    end = observed_span(series.y)[1]
    unseen = dict(_iterate_unseen(series.covariates, end))
    if not unseen:
        return Finding("unseen_level", "ok", "no covariate has a text in the future that it never had in the past")
    shown = "; ".join(f"{name}: {', '.join(levels[:5])}" for name, levels in list(unseen.items())[:5])
    return Finding(
        "unseen_level",
        "warning",
        f"texts that stand only after the last value: {shown}",
        (),
        "they are read as unknown, and the forecast warns `unknown_category`",
        "correct their spelling, or train again once they have been seen",
    )


def _iterate_unseen(covariates: Mapping[str, NDArray[Any]], end: int) -> Iterator[tuple[str, list[str]]]:
    for name, values in covariates.items():
        if values.dtype == object:
            past = {value for value in values[:end].tolist() if value is not None}
            future = {value for value in values[end:].tolist() if value is not None}
            if future - past:
                yield name, sorted(future - past)


def check_future(series: Series, horizon: int) -> Finding:
    """Find covariates with some values after the last observed one, but not over the whole horizon."""
    end = len(series.y)
    known = {name: count_known(values[end : end + horizon]) for name, values in series.covariates.items()}
    short = {name: steps for name, steps in known.items() if 0 < steps < horizon}
    if not short:
        return Finding("future_missing", "ok", f"no covariate that reaches into the future ends within {horizon} steps")
    shown = ", ".join(f"{name} ({steps} steps)" for name, steps in sorted(short.items())[:10])
    return Finding(
        "future_missing",
        "warning",
        f"known for fewer than {horizon} steps after the last value: {shown}",
        (),
        "a forecast that needs them is refused with `missing_future_covariates`",
        "send their values, or covariate_fill in POST /forecast",
    )


def count_known(values: NDArray[Any]) -> int:
    """Return how many of the values (H,) after the last observed step are known without a gap."""
    missing = find_missing(values)
    return int(np.argmax(missing)) if missing.any() else len(values)
