"""The three spans of a series: fit, selection, gate, in this order and without overlap.

Training sees the fit span; early stopping and the residual quantiles are measured on forecasts of the
selection span; the gate span is forecast once, for the reported metrics. All numbers are positions in the series.
"""

from dataclasses import dataclass

from models.config.model import Config
from models.data.series import Panel, Series, observed_span

MAX_WINDOWS_A_SERIES = 28
"""most windows of one span; on hourly prices so many, as far apart as there is room, make intervals cover
other seasons too (docs/decisions/0005-three-spans.md)"""
SPAN_SHARE = 0.12
"""share of a series' steps for the selection span, and for the gate span: three quarters of a long series are left
to the fit span; a judgement, not the result of a comparison"""


@dataclass(frozen=True)
class Spans:
    """The spans of one series, as positions in its `y`. A span without origins does not exist."""

    fit_end: int
    """end of the fit span, y[:fit_end]"""
    selection: tuple[int, ...]
    """origins of the selection windows: positions of the last value in each context"""
    selection_end: int
    """end of the history before the gate, y[:selection_end]"""
    gate: tuple[int, ...]
    """origins of the gate windows"""
    end: int
    """position after the last observed value"""


def shortest_context(horizon: int, length: int) -> int:
    """Return the least history in steps before an origin that is worth training on."""
    return max(2, min(horizon, length // 3))


def plan_spans(panel: Panel, config: Config) -> tuple[Spans, ...]:
    """Cut every series of the panel. A short one keeps no gate, a shorter one no selection either."""
    return tuple(_plan_series(series, config) for series in panel.series)


def _plan_series(series: Series, config: Config) -> Spans:
    first, end = observed_span(series.y)
    horizon = config.horizon
    room = end - first - shortest_context(horizon, end - first) - horizon
    # the gate leaves at least one horizon to the selection span
    gate = _place_origins(end, room - horizon, horizon, spread=True) if room >= 2 * horizon else ()
    gate_start = gate[0] + 1 if gate else end
    room = room - (end - gate_start)
    selection = _place_origins(gate_start, room, horizon, spread=False) if room >= horizon else ()
    fit_end = selection[0] + 1 if selection else gate_start
    return Spans(fit_end, selection, gate_start, gate, end)


def _place_origins(end: int, room: int, horizon: int, *, spread: bool) -> tuple[int, ...]:
    """Place the origins of windows that end at `end` at the latest and need no more than `room` steps, ascending.

    Where there is room they are one step more than a horizon apart, so that windows neither overlap nor all start at
    the same hour of the day. `spread` moves them as far apart as there is room: a conformal correction that is learned
    on one month fits no other season.
    """
    budget = min(room, max(horizon, int(SPAN_SHARE * end)))
    stride = horizon + 1
    if budget < 3 * stride and budget > horizon:
        stride = max(1, horizon // 2)
    if spread:
        apart = (budget - horizon) // (MAX_WINDOWS_A_SERIES - 1)
        stride = max(stride, apart // horizon * horizon + 1)
    windows = min(MAX_WINDOWS_A_SERIES, 1 + (budget - horizon) // stride)
    last = end - horizon - 1
    return tuple(last - stride * k for k in range(windows - 1, -1, -1))
