"""Covariates as numbers: which there are, and one float64 array for all that have a value a step.

A column is float64 with NaN for what is missing, or for a categorical covariate text with None for it. Codes of
a categorical one: its place in the vocabulary, and one past its end for a level that the vocabulary lacks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.config.covariates import CovariateConfig
from models.data.series import Panel, Series
from models.errors import ConfigError

MOST_LEVELS = 1000


def covariate_config(
    panel: Panel, known_future: Sequence[str] = (), past: Sequence[str] = (), static: Sequence[str] = ()
) -> CovariateConfig:
    """Return the roles with the vocabularies of what is categorical in the panel.

    Raises ConfigError for a name that no series has, that mixes numbers and text, or that has too many levels.
    """
    levels: dict[str, tuple[str, ...]] = {}
    for name in [*known_future, *past, *static]:
        found = _levels(panel, name, static=name in static)
        if found is not None:
            levels[name] = found
    return CovariateConfig(known_future=tuple(known_future), past=tuple(past), static=tuple(static), levels=levels)


def _levels(panel: Panel, name: str, *, static: bool) -> tuple[str, ...] | None:
    """Return the vocabulary of a categorical covariate, None for a numeric one."""
    field = f"covariates.{name}"
    if static:
        columns: list[Any] = [np.array([one.static[name]]) for one in panel.series if one.static.get(name) is not None]
    else:
        columns = [one.covariates[name] for one in panel.series if name in one.covariates]
    if not columns:
        raise ConfigError(field, "no series has it; add its values, or leave it out")
    numeric = {column.dtype.kind in "fiub" for column in columns}
    if len(numeric) > 1:
        raise ConfigError(field, "is numeric in some series and text in others")
    if numeric.pop():
        return None
    found = {str(level) for column in columns for level in set(column.tolist()) if level is not None}
    if len(found) > MOST_LEVELS:
        raise ConfigError(field, f"has {len(found)} levels, {MOST_LEVELS} are allowed; group the rare ones")
    return tuple(sorted(found))


def encode(one: Series, config: CovariateConfig, first: int, last: int, *, seen: int) -> Floats:
    """Return the temporal covariates of the positions first..last-1 of a series: (last - first, C), NaN missing.

    What is past is NaN from the position `seen` on, whatever the series holds there.
    """
    found = np.full((last - first, len(config.temporal)), np.nan)
    for column, name in enumerate(config.temporal):
        values = one.covariates.get(name)
        if values is None:
            continue
        end = min(last, len(values), seen if name in config.past else last)
        begin = max(0, first)
        if end > begin:
            found[begin - first : end - first, column] = _numbers(values[begin:end], config.levels.get(name))
    return found


def encode_static(one: Series, config: CovariateConfig) -> Floats:
    """Return the static covariates of a series: (S,), NaN missing."""
    found = np.full(len(config.static), np.nan)
    for column, name in enumerate(config.static):
        value = one.static.get(name)
        if value is not None:
            found[column] = _numbers(np.array([value], object), config.levels.get(name))[0]
    return found


def _numbers(values: NDArray[Any], levels: tuple[str, ...] | None) -> Floats:
    if levels is None:
        try:
            found = values.astype(np.float64)
        except ValueError as e:
            raise ConfigError("covariates", f"text where the model was trained on numbers ({e})") from e
        if np.isinf(found).any():
            raise ConfigError("covariates", "hold an infinite value; correct or remove it")
        return found
    codes: Mapping[str, int] = {level: code for code, level in enumerate(levels)}
    return np.array([np.nan if v is None else codes.get(str(v), len(levels)) for v in values.tolist()], np.float64)
