"""The metrics of one kind that a series has, told apart by labels such as `quantile`: listed, or as matchers ask."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app.errors import ErrorCode, Invalid
from app.services.label_matching import LabelMatcher
from app.services.metrics.names import PARAMETERS, MetricKind
from app.services.metrics.promql import parse_seconds
from app.services.metrics.refusing import refuse

MEDIAN = 0.5
DEFAULT_WITHIN = "24h"
MOST_WITHIN = 100 * 366 * 86_400.0
"""seconds"""
Labels = dict[str, str]


@dataclass(frozen=True)
class MetricVariant:
    """One metric of a series, by its labels besides those of the series."""

    kind: MetricKind
    labels: Labels
    level: float = MEDIAN
    """of the quantile that it shows"""
    within: int = 0
    """microseconds"""
    threshold: float = 0.0
    is_above: bool = True


def list_bands(levels: Sequence[float]) -> dict[str, float]:
    """Return the level of each `ml_forecast`; a model that was trained without one has none below or above."""
    bands = {"yhat": MEDIAN}
    if levels[0] < MEDIAN:
        bands["yhat_lower"] = levels[0]
    if levels[-1] > MEDIAN:
        bands["yhat_upper"] = levels[-1]
    return bands


def list_variants(kind: MetricKind, levels: Sequence[float], matchers: Sequence[LabelMatcher]) -> list[MetricVariant]:
    """Return the metrics of a kind that a model of some levels has and matchers select.

    What is asked for by equality alone, such as a quantile between two that were trained, is a metric then. Raises
    Invalid for what it cannot be.
    """
    asked = {m.name: m.value for m in matchers if not m.is_regex and not m.is_negative and m.value}
    concerning = [m for m in matchers if m.name in PARAMETERS]
    return [
        variant
        for variant in _LISTS[kind](levels, asked)
        if all(matcher.matches(variant.labels.get(matcher.name, "")) for matcher in concerning)
    ]


def _list_predicted(levels: Sequence[float], _asked: Labels) -> Iterator[MetricVariant]:
    for band, level in list_bands(levels).items():
        yield MetricVariant(MetricKind.predicted, {"ml_forecast": band}, level)


def _list_actual(_levels: Sequence[float], _asked: Labels) -> Iterator[MetricVariant]:
    yield MetricVariant(MetricKind.actual, {})


def _list_anomalous(levels: Sequence[float], _asked: Labels) -> Iterator[MetricVariant]:
    if len(list_bands(levels)) > 1:
        yield MetricVariant(MetricKind.anomalous, {})


def _list_quantiles(levels: Sequence[float], asked: Labels) -> Iterator[MetricVariant]:
    known = {repr(level): level for level in levels}
    if "quantile" in asked:
        known = {asked["quantile"]: _read_level(asked["quantile"], levels)}
    for text, level in known.items():
        yield MetricVariant(MetricKind.quantile, {"quantile": text}, level)


def _list_greatest(levels: Sequence[float], asked: Labels) -> Iterator[MetricVariant]:
    text = asked.get("within", DEFAULT_WITHIN)
    seconds = parse_seconds(text)
    if seconds is None or not 0 < seconds <= MOST_WITHIN:
        raise refuse(f"within={text[:40]!r} is no duration; send one such as 24h, 90m or 7d")
    line = _choose_line(levels, asked, {"ml_forecast": "yhat"})
    if line is not None:
        labels, level = line
        yield MetricVariant(MetricKind.forecast_max, labels | {"within": text}, level, within=int(seconds * 1e6))


def _list_breaches(levels: Sequence[float], asked: Labels) -> Iterator[MetricVariant]:
    line = _choose_line(levels, asked, {"quantile": repr(MEDIAN)})
    for side in ("above", "below"):
        if side in asked and line is not None:
            labels, level = line
            threshold = _read_number(side, asked[side])
            yield MetricVariant(
                MetricKind.breach,
                labels | {side: asked[side]},
                level,
                threshold=threshold,
                is_above=side == "above",
            )


def _choose_line(levels: Sequence[float], asked: Labels, default: Labels) -> tuple[Labels, float] | None:
    """Return the label that names a line of the forecast, and its level; None for a band that the model has not."""
    if "quantile" in asked:
        return {"quantile": asked["quantile"]}, _read_level(asked["quantile"], levels)
    if "ml_forecast" in asked:
        band = asked["ml_forecast"]
        level = list_bands(levels).get(band)
        return None if level is None else ({"ml_forecast": band}, level)
    return default, MEDIAN


_LISTS: dict[MetricKind, Callable[[Sequence[float], Labels], Iterator[MetricVariant]]] = {
    MetricKind.predicted: _list_predicted,
    MetricKind.actual: _list_actual,
    MetricKind.anomalous: _list_anomalous,
    MetricKind.quantile: _list_quantiles,
    MetricKind.forecast_max: _list_greatest,
    MetricKind.breach: _list_breaches,
}


def check_parameters(name: str | None, matchers: Sequence[LabelMatcher]) -> None:
    """Raise Invalid for a metric of a name that needs a parameter, and is asked for without it."""
    asked = {m.name for m in matchers if not m.is_regex and not m.is_negative and m.value}
    if name == MetricKind.breach and len(asked & {"above", "below"}) != 1:
        raise refuse(f'{name} needs one threshold: above="100", or below="100"; quantile="0.9" is 0.5 where left out')
    loose = [m.name for m in matchers if m.name in ("within", "above", "below") and (m.is_regex or m.is_negative)]
    if loose and name in (MetricKind.breach, MetricKind.forecast_max):
        raise refuse(f'{loose[0]} is what the metric is computed with, and takes = alone, as in {loose[0]}="…"')


def _read_level(text: str, levels: Sequence[float]) -> float:
    level = _read_number("quantile", text)
    if not levels[0] <= level <= levels[-1]:
        detail = f"the quantile {text} is outside the trained range {levels[0]} to {levels[-1]}; train with it"
        raise Invalid(ErrorCode.quantile_out_of_range, detail)
    return level


def _read_number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if number != number:
        raise refuse(f"{name}={text[:40]!r} is no number")
    return number
