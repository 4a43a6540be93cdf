"""The three spans of a series: fit, selection, gate, in this order and without overlap.

Training sees the fit span; early stopping and the residual quantiles are measured on forecasts of the
selection span; the gate span is forecast once, for the reported metrics. All numbers are steps of the series.
"""

from dataclasses import dataclass

from models.config.model import Config
from models.data.series import Panel, Series, observed_span

MAX_WINDOWS_A_SERIES = 28
SHARE = 0.12


@dataclass(frozen=True)
class Spans:
    """Where a series is cut, as positions in its `y`; without origins a span is not there."""

    fit_end: int
    """training sees y[:fit_end]"""
    selection: tuple[int, ...]
    """origins (positions of the last value that the network sees) of the selection windows"""
    selection_end: int
    """y[:selection_end] is history before the gate"""
    gate: tuple[int, ...]
    """origins of the gate windows"""
    end: int
    """y[:end] ends with the last observed value"""


def shortest_context(horizon: int, length: int) -> int:
    """Return the least history before an origin that is worth training on."""
    return max(2, min(horizon, length // 3))


def plan_spans(panel: Panel, config: Config) -> tuple[Spans, ...]:
    """Cut every series of the panel. A short one keeps no gate, a shorter one no selection either."""
    return tuple(_plan(series, config) for series in panel.series)


def _plan(series: Series, config: Config) -> Spans:
    first, end = observed_span(series.y)
    horizon = config.horizon
    room = end - first - shortest_context(horizon, end - first) - horizon
    gate = _origins(end, room - horizon, horizon, spread=True) if room >= 2 * horizon else ()
    gate_start = gate[0] + 1 if gate else end
    room = room - (end - gate_start)
    selection = _origins(gate_start, room, horizon, spread=False) if room >= horizon else ()
    fit_end = selection[0] + 1 if selection else gate_start
    return Spans(fit_end, selection, gate_start, gate, end)


def _origins(end: int, room: int, horizon: int, *, spread: bool) -> tuple[int, ...]:
    """Return the origins of windows that end at `end` at the latest and need no more than `room` steps.

    They stand one step more than a horizon apart where there is room: then they do not overlap, and
    they do not all start at the same hour of the day either. `spread` puts them as far apart as there is room:
    levels that are corrected on one month alone know nothing of other seasons.
    """
    budget = min(room, max(horizon, int(SHARE * end)))
    stride = horizon + 1
    if budget < 3 * stride and budget > horizon:
        stride = max(1, horizon // 2)
    if spread:
        apart = (budget - horizon) // (MAX_WINDOWS_A_SERIES - 1)
        stride = max(stride, apart // horizon * horizon + 1)
    windows = min(MAX_WINDOWS_A_SERIES, 1 + (budget - horizon) // stride)
    last = end - horizon - 1
    return tuple(last - stride * k for k in range(windows - 1, -1, -1))
