"""Covariates as numbers: their roles and vocabularies, and one float64 array of all that have a value a step.

The column of a numeric covariate is float64, NaN where missing; that of a categorical one is text, None where missing.
The code of a text is its position in the vocabulary, or the vocabulary's length for a text that is not in it.
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
"""texts in a vocabulary at most"""


def build_covariate_config(
    panel: Panel, known_future: Sequence[str] = (), past: Sequence[str] = (), static: Sequence[str] = ()
) -> CovariateConfig:
    """Build the covariates' roles, with the vocabulary of each one that is categorical in the panel.

    Raises ConfigError for a name that no series has, that mixes numbers and text, or that has too many levels.
    """
    vocabularies: dict[str, tuple[str, ...]] = {}
    for name in [*known_future, *past, *static]:
        vocabulary = _find_vocabulary(panel, name, static=name in static)
        if vocabulary is not None:
            vocabularies[name] = vocabulary
    return CovariateConfig(
        known_future=tuple(known_future), past=tuple(past), static=tuple(static), levels=vocabularies
    )


def _find_vocabulary(panel: Panel, name: str, *, static: bool) -> tuple[str, ...] | None:
    """Find the vocabulary of a categorical covariate, ascending; None for a numeric one. Raises ConfigError."""
    field = f"covariates.{name}"
    if static:
        columns: list[Any] = [np.array([s.static[name]]) for s in panel.series if s.static.get(name) is not None]
    else:
        columns = [s.covariates[name] for s in panel.series if name in s.covariates]
    if not columns:
        raise ConfigError(field, "no series has it; add its values, or leave it out")
    numeric = {column.dtype.kind in "fiub" for column in columns}
    if len(numeric) > 1:
        raise ConfigError(field, "is numeric in some series and text in others")
    if numeric.pop():
        return None
    texts = {str(text) for column in columns for text in set(column.tolist()) if text is not None}
    if len(texts) > MOST_LEVELS:
        raise ConfigError(field, f"has {len(texts)} levels, {MOST_LEVELS} are allowed; group the rare ones")
    return tuple(sorted(texts))


def encode(series: Series, config: CovariateConfig, first: int, last: int, *, seen: int) -> Floats:
    """Encode the temporal covariates at the positions first..last-1 of a series: (last - first, C), NaN missing.

    Past covariates are NaN from the position `seen` on, whatever the series holds there. Raises ConfigError for
    values that are no numbers.
    """
    encoded = np.full((last - first, len(config.temporal)), np.nan)
    for column, name in enumerate(config.temporal):
        values = series.covariates.get(name)
        if values is None:
            continue
        end = min(last, len(values), seen if name in config.past else last)
        begin = max(0, first)
        if end > begin:
            encoded[begin - first : end - first, column] = _to_numbers(values[begin:end], config.levels.get(name))
    return encoded


def encode_static(series: Series, config: CovariateConfig) -> Floats:
    """Encode the static covariates of a series: (S,), NaN missing. Raises ConfigError as `encode` does."""
    encoded = np.full(len(config.static), np.nan)
    for column, name in enumerate(config.static):
        value = series.static.get(name)
        if value is not None:
            encoded[column] = _to_numbers(np.array([value], object), config.levels.get(name))[0]
    return encoded


def _to_numbers(values: NDArray[Any], vocabulary: tuple[str, ...] | None) -> Floats:
    """Convert a column (L,) to numbers, or to codes where there is a vocabulary. Raises ConfigError."""
    if vocabulary is None:
        try:
            numbers = values.astype(np.float64)
        except ValueError as e:
            raise ConfigError("covariates", f"text where the model was trained on numbers ({e})") from e
        if np.isinf(numbers).any():
            raise ConfigError("covariates", "hold an infinite value; correct or remove it")
        return numbers
    codes: Mapping[str, int] = {text: code for code, text in enumerate(vocabulary)}
    unseen = len(vocabulary)
    return np.array([np.nan if v is None else codes.get(str(v), unseen) for v in values.tolist()], np.float64)
