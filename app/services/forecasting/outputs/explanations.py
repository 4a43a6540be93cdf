"""What moved forecasts, added to their answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.errors import ErrorCode, Unavailable, invalid
from app.services.forecasting.inputs.request import Steps
from app.serving.explainer import Explainer, Question
from app.serving.helper_process import NotAnswered, TookTooLong
from app.serving.runtime import LoadedVersion
from app.storage.tables import VersionRow
from models.arrays import Floats
from models.calendar.timestamps import format_stamps
from models.data.series import Series
from models.data.windows import assemble, inputs_of


def check(series: int, steps: Steps, version: LoadedVersion, limit: int) -> None:
    """Raise Invalid for more contributions than are told at once."""
    values = series * steps.horizon * version.config.network.context_length
    if values > limit:
        detail = (
            f"this would explain {values} contributions (series times steps times context length), the limit is "
            f"{limit}; ask for fewer series or a shorter horizon"
        )
        raise invalid("explain", ErrorCode.too_many_values, detail)


def add(
    explainer: Explainer,
    row: VersionRow,
    ready: Sequence[Series],
    results: Mapping[str, dict[str, Any]],
    version: LoadedVersion,
    steps: Steps,
) -> None:
    """Add to the document of each result of the network what moved it.

    Raises Unavailable, and Invalid for what takes too long.
    """
    told = [one for one in ready if results[one.id]["status"] == "ok" and not results[one.id]["fallback"]]
    if not told:
        return
    batch = assemble(told, np.array([len(one.y) - 1 for one in told]), version.config)
    try:
        asked = Question(row.artifact, row.digest, steps.horizon, inputs_of(batch, version.config))
        found = explainer.explain(asked)
    except TookTooLong as e:
        detail = f"no explanation was made: {e}; ask for fewer series or steps"
        raise invalid("explain", ErrorCode.explanation_too_long, detail) from e
    except NotAnswered as e:
        raise Unavailable(ErrorCode.explanation_unavailable, str(e), headers={"Retry-After": "5"}) from e
    for one, explanation, y in zip(told, found, batch["y"], strict=True):
        results[one.id]["explanation"] = _view(one, explanation, y)


def _view(one: Series, told: dict[str, Any], y: Floats) -> dict[str, Any]:
    """Return what moved a forecast as clients see it, its lags as those of the context y (T,) that were observed."""
    seen, end = np.flatnonzero(~np.isnan(y)), len(one.y)
    stamps = one.stamps(end - len(y), end)[seen]
    lags = {
        "ds": format_stamps(stamps, one.grid.timezone),
        "y": y[seen].tolist(),
        "contribution": [[row[at] for at in seen.tolist()] for row in told["lags"]],
    }
    return told | {"lags": lags}
