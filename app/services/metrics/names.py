"""Names of metrics and labels: what a model, a series and its labels are called in Prometheus."""

import re
from collections.abc import Mapping
from enum import StrEnum

MODEL = "model"
SERIES = "series"
NAME = "__name__"
PARAMETERS = ("ml_forecast", "quantile", "within", "above", "below")
"""labels that say which of a series' metrics of one name is meant"""
RESERVED = frozenset({NAME, MODEL, SERIES, *PARAMETERS})
"""labels that no label of a series may hide"""
_NOT_IN_METRIC = re.compile(r"[^a-zA-Z0-9_:]")
_NOT_IN_LABEL = re.compile(r"[^a-zA-Z0-9_]")


class MetricKind(StrEnum):
    """What a metric tells of a series."""

    predicted = "predicted"
    actual = "actual"
    anomalous = "anomalous"
    quantile = "gatecast_quantile"
    forecast_max = "gatecast_forecast_max"
    breach = "gatecast_forecast_breach_seconds"


OF_A_MODEL = (MetricKind.predicted, MetricKind.actual, MetricKind.anomalous)
"""kinds whose metrics carry the model's name; the others have one name for all models"""
HELP: Mapping[MetricKind, str] = {
    MetricKind.predicted: "Forecast: yhat is the median, yhat_lower and yhat_upper are the outermost quantiles. "
    "The past is what was archived before it happened, the future the newest forecast.",
    MetricKind.actual: "Observed values.",
    MetricKind.anomalous: "-1 below, 0 inside, 1 above the interval from yhat_lower to yhat_upper that was archived.",
    MetricKind.quantile: "Quantiles of the forecasts of all models.",
    MetricKind.forecast_max: "Greatest value that the newest forecast has within a time, 24h where none is said.",
    MetricKind.breach: "Seconds until the newest forecast is first above or below a threshold.",
}


def spell_metric(model: str, kind: MetricKind) -> str:
    """Return the name of a model's metric."""
    if kind not in OF_A_MODEL:
        return kind.value
    return f"{_begin(_NOT_IN_METRIC.sub('_', model))}:{kind.value}"


def spell_label(name: str) -> str:
    """Return the name of a series' own label."""
    legal = _begin(_NOT_IN_LABEL.sub("_", name)) or "_"
    return f"exported_{legal}" if legal in RESERVED else legal


def spell_labels(model: str, series_id: str, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a series of a model: `model`, `series`, and its own.

    Own labels that become one have their values joined by `;`. An empty value is that of a label that is not there.
    """
    own: dict[str, str] = {}
    for name in sorted(labels):
        if labels[name]:
            legal = spell_label(name)
            own[legal] = f"{own[legal]};{labels[name]}" if legal in own else labels[name]
    return {MODEL: model, SERIES: series_id, **own}


def _begin(name: str) -> str:
    return f"_{name}" if name[:1].isdigit() else name
