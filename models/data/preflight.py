"""Checks of a panel before a training, and its fingerprint."""

import hashlib
import json
from dataclasses import replace

import numpy as np

from models.data.series import Panel, Series
from models.errors import TrainingDataError

LEAST_VALUES = 3
"""observed values of a series that can be trained on"""


def select_trainable(panel: Panel) -> Panel:
    """Keep the series of a panel with enough observed values.

    Raises TrainingDataError where none is left: `no_series`, `not_finite`, `no_observations` or `too_short`.
    """
    if not panel.series:
        raise TrainingDataError("no_series", "there is no series to train on")
    infinite = next((series.id for series in panel.series if _has_infinite(series)), None)
    if infinite is not None:
        raise TrainingDataError("not_finite", f"series {infinite!r} holds an infinite value; correct or remove it")
    counts = [int((~np.isnan(series.y)).sum()) for series in panel.series]
    if not any(counts):
        raise TrainingDataError("no_observations", "none of the series has an observed value")
    if max(counts) < LEAST_VALUES:
        detail = f"no series has at least {LEAST_VALUES} observed values; the longest has {max(counts)}"
        raise TrainingDataError("too_short", detail)
    kept = tuple(series for series, count in zip(panel.series, counts, strict=True) if count >= LEAST_VALUES)
    return replace(panel, series=kept)


def compute_fingerprint(panel: Panel) -> str:
    """Compute a SHA-256 of a panel, in hexadecimal, so that a checkpoint is never continued on other data."""
    digest = hashlib.sha256()
    for series in panel.series:
        grid = series.grid
        identity = f"{series.id} {grid.frequency.alias} {grid.timezone} {grid.anchor} {series.start} {len(series.y)};"
        digest.update(identity.encode())
        digest.update(np.ascontiguousarray(series.y).tobytes())
        for name, values in sorted(series.covariates.items()):
            digest.update(f"{name} {values.dtype} {len(values)};".encode())
            digest.update(repr(values.tolist()).encode() if values.dtype == object else values.tobytes())
        digest.update(json.dumps(dict(series.static), sort_keys=True).encode())
    return digest.hexdigest()


def _has_infinite(series: Series) -> bool:
    """Say whether a target or a numeric covariate holds an infinite value."""
    columns = [series.y, *(values for values in series.covariates.values() if values.dtype.kind == "f")]
    return any(bool(np.isinf(values).any()) for values in columns)
