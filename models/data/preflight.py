"""What data can be trained on, and which data a run belongs to. Knows no torch."""

import hashlib
import json
from dataclasses import replace

import numpy as np

from models.data.series import Panel, Series
from models.errors import TrainingDataError

LEAST_VALUES = 3


def trainable(panel: Panel) -> Panel:
    """Return the panel of the series with enough observed values.

    Raises TrainingDataError when none has: `no_series`, `not_finite`, `no_observations` or `too_short`.
    """
    if not panel.series:
        raise TrainingDataError("no_series", "there is no series to train on")
    infinite = next((one.id for one in panel.series if _is_infinite(one)), None)
    if infinite is not None:
        raise TrainingDataError("not_finite", f"series {infinite!r} holds an infinite value; correct or remove it")
    counts = [int((~np.isnan(one.y)).sum()) for one in panel.series]
    if not any(counts):
        raise TrainingDataError("no_observations", "none of the series has an observed value")
    if max(counts) < LEAST_VALUES:
        detail = f"no series has at least {LEAST_VALUES} observed values; the longest has {max(counts)}"
        raise TrainingDataError("too_short", detail)
    kept = tuple(one for one, count in zip(panel.series, counts, strict=True) if count >= LEAST_VALUES)
    return replace(panel, series=kept)


def fingerprint(panel: Panel) -> str:
    """Identify the data of a run, so that a checkpoint is never continued on other data."""
    digest = hashlib.sha256()
    for one in panel.series:
        grid = one.grid
        identity = f"{one.id} {grid.frequency.alias} {grid.timezone} {grid.anchor} {one.start} {len(one.y)};"
        digest.update(identity.encode())
        digest.update(np.ascontiguousarray(one.y).tobytes())
        for name, values in sorted(one.covariates.items()):
            digest.update(f"{name} {values.dtype} {len(values)};".encode())
            digest.update(repr(values.tolist()).encode() if values.dtype == object else values.tobytes())
        digest.update(json.dumps(dict(one.static), sort_keys=True).encode())
    return digest.hexdigest()


def _is_infinite(one: Series) -> bool:
    columns = [one.y, *(values for values in one.covariates.values() if values.dtype.kind == "f")]
    return any(bool(np.isinf(values).any()) for values in columns)
