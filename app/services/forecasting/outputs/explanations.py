"""Explanations of forecasts, added to the documents of their results."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.errors import ErrorCode, Unavailable, invalid
from app.services.forecasting.inputs.context_cache import ResolvedSeries
from app.services.forecasting.inputs.request import ForecastShape
from app.serving.explainer import BuiltinQuestion, Explainer, Question
from app.serving.helper_process import NotAnswered, TookTooLong
from models.arrays import Floats, Ints
from models.calendar.timestamps import format_stamps
from models.config.model import Config
from models.data.series import Series
from models.data.wall_clock import NONE, read_clocks
from models.data.windows import assemble, inputs_of
from models.pretrained.periods import find_periods


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
    windows = read_clocks(explained, np.array([len(context.y) - 1 for context in explained]), config)
    batch = assemble(windows.series, windows.origins, config)
    reach = [int(clock.steps[: shape.horizon].max()) + 1 for clock in windows.clocks.values()]
    horizon = min(max([shape.horizon, *reach]), config.horizon)
    try:
        inputs = inputs_of(batch, config)
        builtin = _ask_builtin(config, inputs["y"]) if resolved.version.is_builtin else None
        question = Question(stored.artifact, stored.digest, horizon, inputs, builtin)
        explanations = explainer.explain(question)
    except TookTooLong as e:
        detail = f"no explanation was made: {e}; ask for fewer series or steps"
        raise invalid("explain", ErrorCode.explanation_too_long, detail) from e
    except NotAnswered as e:
        raise Unavailable(ErrorCode.explanation_unavailable, str(e), headers={"Retry-After": "5"}) from e
    for row, (context, explanation) in enumerate(zip(explained, explanations, strict=True)):
        y = batch["y"][row]
        positions = np.arange(len(context.y) - len(y), len(context.y))
        steps = np.arange(shape.horizon)
        clock = windows.clocks.get(row)
        if clock is not None:
            positions = clock.positions
            steps = clock.steps[: shape.horizon].clip(0, horizon - 1)
        document = _select_steps(explanation, steps.tolist())
        lags = _describe_lags(context, document["lags"], y, positions)
        documents[context.id]["explanation"] = document | {"lags": lags}


def _ask_builtin(config: Config, y: Floats) -> BuiltinQuestion:
    """Return what the built-in model needs beside contexts y (B, T)."""
    return BuiltinQuestion(config.to_dict(), find_periods(y, config.network.season_lengths).tolist())


def _is_by_network(document: dict[str, Any]) -> bool:
    return document["status"] == "ok" and not document["fallback"]


def _select_steps(value: Any, steps: Sequence[int]) -> Any:
    """Return an explanation, a value a step in each of its lists, of other steps."""
    if isinstance(value, dict):
        return {name: _select_steps(part, steps) for name, part in value.items()}
    return [value[step] for step in steps]


def _describe_lags(
    series: Series, contributions: Sequence[Sequence[float]], y: Floats, positions: Ints
) -> dict[str, Any]:
    """Return the lags of a context y (T,) that were observed, as clients see them, with their contributions (H, T).

    `positions` (T,) are those in the series' values. A step that the clocks skip has the contribution of a value that
    nobody observed: it is counted with the step before.
    """
    observed = np.flatnonzero(~np.isnan(y) & (positions != NONE))
    stamps = series.grid.stamps(series.start + positions[observed])
    sums = np.add.reduceat(np.asarray(contributions, np.float64), observed, axis=1)  # (H, observed)
    return {"ds": format_stamps(stamps, series.grid.timezone), "y": y[observed].tolist(), "contribution": sums.tolist()}
