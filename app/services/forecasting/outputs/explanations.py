"""Explanations of forecasts, added to the documents of their results."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.errors import ErrorCode, Unavailable, invalid
from app.services.forecasting.inputs.context_cache import ResolvedSeries
from app.services.forecasting.inputs.request import ForecastShape
from app.serving.explainer import Explainer, Question
from app.serving.helper_process import NotAnswered, TookTooLong
from models.arrays import Floats
from models.calendar.timestamps import format_stamps
from models.data.series import Series
from models.data.windows import assemble, inputs_of


def explain(
    explainer: Explainer,
    resolved: ResolvedSeries,
    series: Sequence[Series],
    documents: Mapping[str, dict[str, Any]],
    shape: ForecastShape,
) -> None:
    """Add an explanation to the document of each result that the network made, in place.

    Raises Unavailable, and Invalid for what takes too long.
    """
    explained = [context for context in series if _is_by_network(documents[context.id])]
    if not explained:
        return
    stored = resolved.version.stored
    config = resolved.version.config
    batch = assemble(explained, np.array([len(context.y) - 1 for context in explained]), config)
    try:
        question = Question(stored.artifact, stored.digest, shape.horizon, inputs_of(batch, config))
        explanations = explainer.explain(question)
    except TookTooLong as e:
        detail = f"no explanation was made: {e}; ask for fewer series or steps"
        raise invalid("explain", ErrorCode.explanation_too_long, detail) from e
    except NotAnswered as e:
        raise Unavailable(ErrorCode.explanation_unavailable, str(e), headers={"Retry-After": "5"}) from e
    for context, explanation, y in zip(explained, explanations, batch["y"], strict=True):
        documents[context.id]["explanation"] = _to_document(context, explanation, y)


def _is_by_network(document: dict[str, Any]) -> bool:
    return document["status"] == "ok" and not document["fallback"]


def _to_document(series: Series, explanation: dict[str, Any], y: Floats) -> dict[str, Any]:
    """Return an explanation as clients see it, with the lags of the context y (T,) that were observed."""
    observed = np.flatnonzero(~np.isnan(y))
    end = len(series.y)
    stamps = series.stamps(end - len(y), end)[observed]
    lags = {
        "ds": format_stamps(stamps, series.grid.timezone),
        "y": y[observed].tolist(),
        "contribution": [[row[lag] for lag in observed.tolist()] for row in explanation["lags"]],
    }
    return explanation | {"lags": lags}
