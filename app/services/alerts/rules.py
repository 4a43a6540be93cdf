"""Rules of alerts, as functions of numbers: thresholds on forecasts, and when a state changes.

Shapes: H horizon.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from models.arrays import Floats
from models.calendar.timestamps import Stamps

Subject = Literal["forecast", "anomaly", "drift", "job", "data"]
Transition = Literal["firing", "resolved"]


@dataclass(frozen=True, kw_only=True)
class AlertFinding:
    """What an evaluation found out about one series, model or kind of job."""

    key: str
    active: bool
    """whether the condition holds"""
    value: float | None = None
    threshold: float | None = None
    ds: str | None = None
    """when that is, RFC 3339"""
    model: str | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)
    """of the series"""


@dataclass(frozen=True)
class State:
    """Whether a condition holds and since when, in microseconds UTC, and whether that was said."""

    active: bool
    firing: bool
    changed_at: int

    def due_at(self, hold: int, keep: int) -> int | None:
        """Return when the state changes without further evidence; None where it does not."""
        if self.active == self.firing:
            return None
        return self.changed_at + (hold if self.active else keep)


def advance(
    state: State | None, active: bool | None, moment: int, hold: int, keep: int
) -> tuple[State, Transition | None]:
    """Return the next state, and what is to be said.

    Args:
        state: None where the condition did not hold before
        active: whether the condition holds now; None: nothing new is known
        moment: now, microseconds UTC
        hold: microseconds for which it must hold before it fires
        keep: microseconds for which it must not hold before it is resolved
    """
    state = state or State(False, False, moment)
    if active is not None and active != state.active:
        state = State(active, state.firing, moment)
    due = state.due_at(hold, keep)
    if due is None or due > moment:
        return state, None
    return State(state.active, state.active, state.changed_at), "firing" if state.active else "resolved"


@dataclass(frozen=True)
class Crossing:
    """The first step on the wrong side of a threshold, or else the step that comes closest to it."""

    crossed: bool
    value: float
    step: int
    """position in the horizon, from 0"""


def find_crossing(
    values: Floats, stamps: Stamps, end: int, *, above: float | None = None, below: float | None = None
) -> Crossing | None:
    """Find where a forecast (H,) is above or below a threshold for the first time, at a stamp (H,) up to `end`.

    None where no step lies in that span, or one of them has no value.
    """
    inside = np.flatnonzero(stamps <= end)
    if not len(inside) or not np.isfinite(values[inside]).all():
        return None
    distance = values[inside] - above if above is not None else np.asarray(below) - values[inside]
    crossed = np.flatnonzero(distance > 0)
    position = int(crossed[0]) if len(crossed) else int(np.argmax(distance))
    step = int(inside[position])
    return Crossing(len(crossed) > 0, float(values[step]), step)
